"""The runs of one dataset against each other, over queries and trainings."""

from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool

from mgsl.evaluation import metrics, pairs, scoring
from mgsl.params import EvaluationParams
from mgsl.reporting.read.results import Results


class Comparisons:
    """What each test query scored in the runs of one dataset; read as it is asked for.

    Only R@1 and mIoU: they do not depend on NMS.

    Args:
        source: the dataset.
    """

    def __init__(self, source: Results) -> None:
        self.source = source
        self._scores: dict[str, list[pd.DataFrame]] = {}
        self._compared: dict[tuple[str, str], pd.DataFrame] = {}

    @cached_property
    def params(self) -> EvaluationParams:
        """How a hit is counted, and the intervals."""
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

    def trainings(self, name: str) -> pd.DataFrame:
        """What each training of a run scores (`pairs.of_trainings`)."""
        return pairs.of_trainings(self.scores(name), self.source.config.seeds, self.groups)

    def compared(self, a: str, b: str = "") -> pd.DataFrame:
        """What `a` scores more than `b`, or alone where there is no `b` (`pairs.of_pair`).

        Raises:
            UserError: one of them was not run.
        """
        if (a, b) not in self._compared:
            other = self.scores(b) if b else None
            self._compared[a, b] = pairs.of_pair(self.scores(a), other, self.groups, self.params)
        return self._compared[a, b]

    def difference(self, a: str, b: str, group: str, metric: str) -> pd.Series | None:
        """A row of `compared`; None where one was not run, or there is no number."""
        if not self.has(*filter(None, (a, b))):
            return None
        rows = self.compared(a, b).query("group == @group and metric == @metric")
        return None if rows.empty or pd.isna(rows.iloc[0]["value"]) else rows.iloc[0]
