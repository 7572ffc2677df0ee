"""The runs of one dataset against each other, query by query, over all seeds."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool

from mgsl.evaluation import comparing, metrics, scoring
from mgsl.params import EvaluationParams
from mgsl.reporting.sources import Source


class Comparisons:
    """What each test query scored in the runs of one dataset; read as it is asked for.

    Only R@1 and mIoU: they do not depend on NMS.

    Args:
        source: the dataset.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._scores: dict[str, list[pd.DataFrame]] = {}
        self._differences: dict[tuple[str, str], pd.DataFrame] = {}

    @cached_property
    def params(self) -> EvaluationParams:
        """How a hit is counted, and the bootstrap."""
        return self.source.config.evaluation.model_copy(update={"recall_at": (1,)})

    @cached_property
    def groups(self) -> dict[str, Bool[np.ndarray, " queries"]]:
        """Who belongs to each group of the test queries."""
        return metrics.groups(self.source.test, self.source.summary["bins"])

    def has(self, *names: str) -> bool:
        """Whether all of these were run."""
        return set(names) <= set(self.source.config.names)

    def scores(self, name: str) -> list[pd.DataFrame]:
        """A table for each seed, one row for each test query and one column for each metric.

        Raises:
            UserError: a prediction file is missing or does not answer the test queries.
        """
        if name not in self._scores:
            self._scores[name] = [
                scoring.query_scores(
                    self.source.test,
                    self.source.folder(name, seed) / "predictions.jsonl",
                    self.params,
                )
                for seed in self.source.config.seeds
            ]
        return self._scores[name]

    def difference(self, a: str, b: str, group: str, metric: str) -> pd.Series | None:
        """What `a` scores more than `b` (`comparing.differences`); None where one was not run."""
        if not self.has(a, b):
            return None
        if (a, b) not in self._differences:
            masks = {name: self.groups[name] for name in ("all", "rare", "common")}
            table = comparing.differences(self.scores(a), self.scores(b), masks, self.params)
            self._differences[a, b] = table
        return _known(self._differences[a, b].query("group == @group and metric == @metric"))

    def rare_less_common(self, names: Sequence[str], metric: str) -> pd.Series | None:
        """What rare queries score more than common ones (`comparing.contrast`).

        Args:
            names: of one run; or of two, for what the first scores more than the second.
            metric: its name.

        Returns:
            None where one was not run or a group is empty.
        """
        if not self.has(*names):
            return None
        first, *others = (self.scores(name) for name in names)
        tables = [a - b for a, b in zip(first, others[0], strict=True)] if others else first
        groups = self.groups["rare"], self.groups["common"]
        table = comparing.contrast(tables, *groups, self.params)
        return _known(table.query("metric == @metric"))


def _known(rows: pd.DataFrame) -> pd.Series | None:
    return None if rows.empty or pd.isna(rows.iloc[0]["value"]) else rows.iloc[0]
