"""The runs of one dataset against each other, over queries and trainings."""

from collections.abc import Callable, Collection, Mapping, Sequence

import pandas as pd

from mgsl.evaluation import pairs
from mgsl.evaluation.comparing import Mask
from mgsl.params import EvaluationParams


class Runs:
    """What the runs of one dataset score, alone and one more than another; computed once.

    Args:
        names: of the runs.
        seeds: of the trainings of each.
        groups: who belongs to each group of the test queries (`metrics.groups`).
        params: of the intervals.
        read: what each test query scored in a run of this name: a table for each training, with a
            row for each query and a column for each metric.
    """

    def __init__(
        self,
        names: Collection[str],
        seeds: Sequence[int],
        groups: Mapping[str, Mask],
        params: EvaluationParams,
        read: Callable[[str], list[pd.DataFrame]],
    ) -> None:
        self.names = names
        self.seeds = seeds
        self.groups = groups
        self.params = params
        self._read = read
        self._scores: dict[str, list[pd.DataFrame]] = {}
        self._compared: dict[tuple[str, str], pd.DataFrame] = {}

    def has(self, *names: str) -> bool:
        """Whether all of these were run."""
        return set(names) <= set(self.names)

    def scores(self, name: str) -> list[pd.DataFrame]:
        """A table for each training, one row for each test query and one column for each metric.

        Raises:
            UserError: a prediction file is missing or does not answer the test queries.
        """
        if name not in self._scores:
            self._scores[name] = self._read(name)
        return self._scores[name]

    def trainings(self, name: str) -> pd.DataFrame:
        """What each training of a run scores (`pairs.of_trainings`)."""
        return pairs.of_trainings(self.scores(name), self.seeds, self.groups)

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
        rows = self.compared(a, b)
        rows = rows[(rows["group"] == group) & (rows["metric"] == metric)]
        return None if rows.empty or pd.isna(rows.iloc[0]["value"]) else rows.iloc[0]
