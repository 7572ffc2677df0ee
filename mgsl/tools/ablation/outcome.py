"""What came of an ablation that was tried: scores, curves, memories, and single queries."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mgsl import paths
from mgsl.errors import UserError
from mgsl.evaluation.comparing import differences, means
from mgsl.evaluation.metrics import GROUPS, METRICS, groups
from mgsl.evaluation.predictions import read_predictions
from mgsl.evaluation.scoring import query_scores, read_test
from mgsl.queries import Query
from mgsl.tools.ablation.experiment import Experiment, Side

CHANGED, AGAINST, DIFFERENCE = "changed", "against", "difference"
TIOU = "mIoU"  # of single queries: how well the best-ranked moment overlaps the target
_MEMORY = re.compile(
    r"(?P<domain>video|query)_(?P<what>slot_cosine|slot_rank|slot_norm|read_entropy|write_entropy)"
    r"|val_(?P<probe>memory_\w+?)_R@1, IoU=(?P<iou>.+)"
)


@dataclass(frozen=True)
class Tried:
    """The trainings of an experiment, read as they are asked for."""

    experiment: Experiment

    @property
    def sides(self) -> dict[str, Side]:
        """Both sides by name."""
        return {CHANGED: self.experiment.changed, AGAINST: self.experiment.against}

    @property
    def trainings(self) -> int:
        """How many each side has."""
        return len(self.experiment.changed.trainings)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What `prepare` counted of the dataset."""
        return self._test[1]

    @property
    def queries(self) -> list[Query]:
        """The test queries."""
        return self._test[0]

    @cached_property
    def scores(self) -> dict[str, list[pd.DataFrame]]:
        """What each test query scores under each training of each side, a metric a column.

        Raises:
            UserError: something is not trained yet.
        """
        return {
            name: [
                query_scores(self.queries, one.folder / "predictions.jsonl", side.scoring)
                for one in side.trainings
            ]
            for name, side in self._trained.items()
        }

    @cached_property
    def table(self) -> pd.DataFrame:
        """Both sides and their difference, paired query by query, in fractions.

        Returns:
            Columns side, group, metric, value, low, high, sd, trainings and others of
            `comparing.differences`: over queries and trainings; of one training over queries alone.
        """
        rules = self.experiment.params.evaluation
        masks = {name: mask for name, mask in groups(self.queries, ()).items() if name in GROUPS}
        shown = [name for name in (*METRICS, TIOU) if name in self.scores[CHANGED][0]]
        a, b = ([table[shown] for table in self.scores[side]] for side in (CHANGED, AGAINST))
        parts = {
            CHANGED: means(a, masks, rules),
            AGAINST: means(b, masks, rules),
            DIFFERENCE: differences(a, b, masks, rules),
        }
        return pd.concat(parts, names=["side"]).reset_index("side").reset_index(drop=True)

    def seed_worth(self) -> str:
        """What another seed alone would change, in a sentence or two."""
        rows = self.table[(self.table["group"] == "all") & (self.table["metric"] == METRICS[0])]
        rows = rows.set_index("side")
        name = self.experiment.against.config.name
        if self.trainings > 1:
            high, low = (float(rows[end][DIFFERENCE]) for end in ("high", "low"))
            half, sd = 100 * (high - low) / 2, 100 * float(rows["sd"][AGAINST])
            return (
                f"Trainings of {name} that differ only in the seed vary by ±{sd:.1f} points (SD of "
                f"{METRICS[0]} over {self.trainings}). With {self.trainings} trainings of each "
                f"side, a difference below about {half:.1f} points cannot be told from chance."
            )
        alone = "One training of each side: the intervals are over queries alone."
        kept = self._kept_spread(name)
        if kept is None:
            return f"{alone} The variation between seeds is not known here: list more seeds."
        sd, number = kept
        return (
            f"{alone} Trainings of {name} that differ only in the seed vary by ±{100 * sd:.1f} "
            f"points (SD of {METRICS[0]} over {number}, {paths.trainings(self._dataset)}), the "
            f"difference of two by ±{100 * np.sqrt(2) * sd:.1f}: a smaller one may be the seed."
        )

    @cached_property
    def curves(self) -> dict[str, list[pd.DataFrame]]:
        """The training log of each training, a row an epoch."""
        return {
            name: [pd.read_csv(one.folder / "curve.csv") for one in side.trainings]
            for name, side in self._trained.items()
        }

    @property
    def in_epochs(self) -> bool:
        """Whether one of the sides is trained in epochs: else there is no curve."""
        return any("loss" in curve for curves in self.curves.values() for curve in curves)

    @cached_property
    def memory(self) -> pd.DataFrame:
        """The state of the memories after the last epoch, means over trainings.

        Returns:
            A row for each measure, a column for each side, NaN where a side has it not; no rows
            where neither has a memory.
        """
        last = {
            side: pd.DataFrame([curve.iloc[-1] for curve in curves]).mean()
            for side, curves in self.curves.items()
        }
        rows = {
            said: {side: values.get(column, np.nan) for side, values in last.items()}
            for column in dict.fromkeys(key for values in last.values() for key in values.index)
            if (said := _measure(str(column)))
        }
        table = pd.DataFrame.from_dict(rows, orient="index", columns=[CHANGED, AGAINST])
        return table.dropna(how="all")

    def by_query(self) -> pd.DataFrame:
        """What each test query gains by the changes, those that gain most first.

        Returns:
            Columns query (its row), qid, changed and against (tIoU of the best-ranked moment, mean
            over trainings), gain, and of each side the moment of the first training: start_s and
            end_s behind its name.
        """
        columns: dict[str, Any] = {
            "query": np.arange(len(self.queries)),
            "qid": [query.qid for query in self.queries],
        }
        for name, side in self._trained.items():
            columns[name] = np.mean([table[TIOU] for table in self.scores[name]], axis=0)
            first = side.trainings[0].folder / "predictions.jsonl"
            best = read_predictions(first, self.queries).spans_s[:, 0]
            columns |= {f"{name}_start_s": best[:, 0], f"{name}_end_s": best[:, 1]}
        table = pd.DataFrame(columns)
        table["gain"] = table[CHANGED] - table[AGAINST]
        return table.sort_values("gain", ascending=False, kind="stable")

    @property
    def _dataset(self) -> str:
        return self.experiment.dataset

    @cached_property
    def _test(self) -> tuple[list[Query], dict[str, Any]]:
        return read_test(paths.prepared(self._dataset))

    @cached_property
    def _trained(self) -> dict[str, Side]:
        if rest := self.experiment.to_do():
            raise UserError(f"{rest[0]} is not trained: call `train` of the experiment first")
        return self.sides

    def _kept_spread(self, name: str) -> tuple[float, int] | None:
        """How far trainings of the pipeline lie apart, and of how many this is known."""
        path = paths.trainings(self._dataset)
        if not path.is_file():
            return None
        rows = pd.read_csv(path).query("name == @name and group == 'all' and trainings > 1")
        rows = rows[rows["metric"] == METRICS[0]]
        return None if rows.empty else (float(rows["sd"].iloc[0]), int(rows["trainings"].iloc[0]))


def _measure(column: str) -> str:
    """What a column of a training log says of a memory; "" where it says nothing of it."""
    match = _MEMORY.fullmatch(column)
    if match is None:
        return ""
    if match["probe"]:
        damage = match["probe"].replace("_", " ")
        return f"validation R@1, IoU={match['iou']}, {damage}"
    return f"{match['domain']}: {match['what'].replace('_', ' ')}"
