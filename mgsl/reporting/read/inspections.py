"""What the stage `inspect` found in one dataset's memories: read, averaged over seeds, judged.

The rules of judgement are stated here, before any number is seen. They ask for an interval over
queries and trainings, where damage is compared within each training: of one training there is no
judgement.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mgsl import params, paths
from mgsl.configs import InspectConfig
from mgsl.errors import UserError
from mgsl.evaluation.comparing import differences, means
from mgsl.evaluation.metrics import METRICS, groups
from mgsl.reporting.read.results import Results

SAME = 1e-4  # slots no farther apart than this (1 - cosine) hold the same
INTACT, SHUFFLED = "intact", "memory_shuffled"
NOTHING = "No memory was inspected: no run that has one is listed under `inspected` in params.yaml."
ONE_TRAINING = "undecided: one training"
MEMORIES = {
    "video": "Video memory",
    "video_view": "Memory of the textual view",
    "query": "Query memory",
    "query_view": "Memory of the visual view",
}

_TEXTS = ("representative", "words")
_LESS = ["group", "metric", "difference", "difference_low", "difference_high", "difference_sd"]


@dataclass(frozen=True)
class Inspected:
    """The memories of one method or ablation, over the seeds that were run."""

    results: Results
    name: str
    seeds: tuple[int, ...]

    def table(self, kind: str, seed: int) -> pd.DataFrame:
        """One table of one seed: slots, pairs, scatter or probes.

        Raises:
            UserError: it is missing.
        """
        path = paths.inspected(self.results.dataset, self.name, seed) / f"{kind}.csv"
        try:
            rows = pd.read_csv(path, dtype=dict.fromkeys(_TEXTS, str))
        except FileNotFoundError:
            raise UserError(f"{path} is missing: run `dvc repro`") from None
        except pd.errors.EmptyDataError:
            return pd.DataFrame()
        return rows.fillna({column: "" for column in _TEXTS if column in rows})

    def summary(self, seed: int) -> dict[str, Any]:
        """What one seed's memories are, by name, and the rule by which slots are shown.

        Raises:
            UserError: it is missing.
        """
        path = paths.inspected(self.results.dataset, self.name, seed) / "summary.json"
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path} is missing: run `dvc repro`") from None
        return document

    @cached_property
    def probes(self) -> pd.DataFrame:
        """R@1 by probe, group and metric, and the difference to intact, in fractions.

        Returns:
            Columns probe, group, metric, value, low, high, difference, difference_low,
            difference_high, difference_sd, trainings, queries: over queries and trainings; of one
            training over queries alone.
        """
        if len(self.seeds) == 1:
            return self.table("probes", self.seeds[0]).assign(difference_sd=np.nan, trainings=1)
        tables = [self.table("answers", seed) for seed in self.seeds]
        masks, params = groups(self.results.test, ()), self.results.config.evaluation
        scores: dict[str, list[pd.DataFrame]] = {}
        for name in dict.fromkeys(column.split(", ")[0] for column in tables[0].columns[1:]):
            shown = {f"{name}, {metric}": metric for metric in METRICS}
            scores[name] = [table[[*shown]].rename(columns=shown) for table in tables]
        parts = []
        for name, by_seed in scores.items():
            less = differences(by_seed, scores[INTACT], masks, params, paired=True)
            less = less.rename(columns={key: f"difference_{key}" for key in ("low", "high", "sd")})
            less = less.rename(columns={"value": "difference"})[_LESS]
            table = means(by_seed, masks, params).merge(less, on=["group", "metric"])
            parts.append(table.assign(probe=name))
        return pd.concat(parts, ignore_index=True)

    def scatter(self) -> pd.DataFrame:
        """Rank correlations by memory and unit: means over trainings.

        Slots of one training are not those of another, so that what the choice of slots gives is
        part of how far trainings lie apart: the interval is Student's over trainings. That of one
        training is over its slots or words.

        Returns:
            Columns memory, unit, correlation, low, high, sd, trainings.
        """
        rows = pd.concat([self.table("scatter", seed) for seed in self.seeds])
        keys = ["memory", "unit"]
        if (number := len(self.seeds)) == 1:
            return rows[[*keys, "correlation", "low", "high"]].assign(sd=np.nan, trainings=1)
        # A training whose slots are all the same has no correlation, and then there is no mean.
        by_memory = rows.groupby(keys, sort=False)["correlation"]
        table = by_memory.agg(lambda values: values.mean(skipna=False)).reset_index()
        sd = by_memory.std().to_numpy()
        tail = (1 + self.results.config.evaluation.confidence) / 2
        half = stats.t.ppf(tail, number - 1) * sd / np.sqrt(number)
        ends = {"low": table["correlation"] - half, "high": table["correlation"] + half}
        return table.assign(**ends, sd=sd, trainings=number)


def read(results: Results) -> list[Inspected]:
    """What was looked into, in the order of params.yaml."""
    config = params.read(InspectConfig, paths.config(results.dataset, "inspect"))
    return [Inspected(results, name, config.seeds) for name in config.names]


def carries_content(run: Inspected, metric: str) -> str:
    """Whether slots hold something of their own, by what shuffling them costs all queries.

    Content: the interval of the difference lies below 0. None: both of its ends are 0. Else, and
    of one training, undecided.
    """
    if len(run.seeds) == 1:
        return ONE_TRAINING
    rows = run.probes.query("probe == @SHUFFLED and group == 'all' and metric == @metric")
    low, high = rows.iloc[0]["difference_low"], rows.iloc[0]["difference_high"]
    if high < 0:
        return "yes"
    return "no: nothing changes" if low == high == 0 else "undecided"


def scattered(row: pd.Series) -> str:
    """Whether rare content lies in scattered slots, by the interval of the rank correlation.

    As in the paper: the interval lies below 0. The opposite: above 0. Else, and of one training,
    undecided; not testable where all slots hold the same.
    """
    if pd.isna(row["correlation"]):
        return "not testable: all slots hold the same"
    if row["trainings"] == 1:
        return ONE_TRAINING
    if row["high"] < 0:
        return "as in the paper"
    return "the opposite" if row["low"] > 0 else "undecided"
