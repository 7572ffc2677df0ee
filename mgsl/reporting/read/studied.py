"""A dataset whose runs are not at hand, as the kept studies tell of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import pandas as pd

from mgsl.configs import EvaluateConfig
from mgsl.data import datasets as known
from mgsl.reporting.read import kept, kept_trainings, published
from mgsl.reporting.read.compared import FULL, METRIC
from mgsl.reporting.read.kept_records import KeptSource, seeds_in_words
from mgsl.reporting.read.kept_trainings import turned
from mgsl.reporting.read.results import Results

STUDIES = ("tables", "parts", "methods")  # of a run in several the first counts; all against FULL
_KEYS = ["name", "group", "metric"]
_LEAD = {
    "difference": "value", "difference_low": "low", "difference_high": "high",
    "difference_sd": "sd",
}  # fmt: skip


def of(datasets: Sequence[str]) -> "list[Studied]":
    """The datasets of the study of Tables 3-5 that are not among those evaluated.

    Args:
        datasets: names of evaluated datasets.
    """
    return [Studied(name) for name in kept.records(STUDIES[0]) if name not in datasets]


@dataclass(frozen=True)
class Studied(Results):
    """What `Results` tells of a dataset, but for what needs its queries, predictions or curves."""

    at_hand: ClassVar = False

    @cached_property
    def config(self) -> EvaluateConfig:
        """Which runs the studies have, and how they were scored."""
        config = {key: self._about[key] for key in ("scale", "seeds", "evaluation")}
        config |= {"dataset": self.dataset, "names": self._names}
        return EvaluateConfig.model_validate_json(json.dumps(config))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The title of the dataset, and what a model sees."""
        about = known.find(self.dataset)
        summary = KeptSource(self.dataset).summary
        return {**summary, "simulated": about.simulated, "benchmark": about.benchmark}

    def result(self, name: str, group: str, metric: str) -> pd.Series | None:
        """What a run scores, in fractions; None where it was not run or does not apply."""
        row = self._rows.get((name, group, metric))
        return None if row is None or pd.isna(row["value"]) else pd.Series(row)

    def difference(self, a: str, b: str, group: str, metric: str) -> pd.Series | None:
        """What `a` scores more than `b`, in fractions; None where no study compares them."""
        for study in STUDIES:
            pair = kept_trainings.pair(study, self.dataset, a, b, group, metric)
            if pair is not None:
                return pair
        other = a if b == FULL else b
        row = self.result(other, group, metric)
        if FULL not in (a, b) or a == b or row is None:
            return None
        lead = row.drop([*_LEAD.values()]).rename(_LEAD)
        return lead if other == a else turned(lead)

    def lacking(self, *names: str) -> list[str]:
        """Those of the runs that no study has."""
        return [name for name in names if name not in self._names]

    @property
    def trained(self) -> str:
        """The epochs of the runs, and their seeds."""
        return f"{self._about['epochs']} epochs, {seeds_in_words(self.config.seeds)}"

    @property
    def caption(self) -> str:
        """What must be said wherever numbers of this dataset stand."""
        row = self.result(FULL, "all", METRIC)
        queries = 0 if row is None else int(row["queries"])
        kind = "SIMULATED data" if self.simulated else "real data"
        return (
            f"{self.summary['title']} ({self.dataset}), from kept studies: {kind}; features: "
            f"{self.summary['features']}; {queries:,} test queries; {self.seeds_text}."
        )

    @property
    def notes(self) -> str:
        """Which of the runs have fewer trainings, in a sentence; empty if none has."""
        most, fewer = len(self.config.seeds), dict[int, list[str]]()
        for name in self._names:
            row = self.result(name, "all", METRIC)
            if row is not None and row["trainings"] < most:
                fewer.setdefault(int(row["trainings"]), []).append(published.title(name))
        return " ".join(
            f"With {number} trainings on {self.label}: {', '.join(titles)}."
            for number, titles in fewer.items()
        )

    @property
    def _about(self) -> dict[str, Any]:
        """How the runs of the first study were made."""
        return kept.records(STUDIES[0])[self.dataset]

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], dict[Any, Any]]:
        """A row for each run, group and metric: alone, and what it scores more than `FULL`."""
        tables = [kept.table(study, "means") for study in STUDIES]
        means = pd.concat([table for table in tables if len(table)])
        means = means[means["dataset"] == self.dataset].drop_duplicates(_KEYS)
        keys = zip(*(means[key] for key in _KEYS), strict=True)
        return dict(zip(keys, means.to_dict("records"), strict=True))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name, *_ in self._rows))
