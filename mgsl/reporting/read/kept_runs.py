"""Studies of many runs, made apart from the pipeline and kept in git: readings, numbers of slots.

Each is a folder of `reports/studies`: what every run reached, as a mean over trainings, and what
it reached more than the recommended reading, in fractions, with intervals over queries and
trainings (`mgsl.evaluation.comparing`); what was trained once has intervals over queries alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from mgsl.data import datasets as known
from mgsl.reporting.read import kept, lengths
from mgsl.reporting.read.compared import FULL
from mgsl.reporting.read.kept_records import seeds_in_words

_KEYS = ("dataset", "name", "group", "metric")
_SHARES = (
    *("value", "low", "high", "difference", "difference_low", "difference_high"),
    *("sd", "difference_sd"),
)
QUERIES_ALONE = "intervals over queries alone"


@dataclass(frozen=True)
class RunStudy:
    """One study, read as it is asked for; without its file it has no rows.

    Args:
        name: of the group of runs, and of the files.
        more: further groups that are shown with it; of a run in several the first counts.
        title: of its figure.
        lead: what its figure shows, in half a sentence.
        base: what every run is compared with, in words.
        stub: what a row of its table is.
        bases: the runs that the others are compared with.
    """

    name: str
    more: tuple[str, ...] = ()
    title: str = ""
    lead: str = ""
    base: str = "the repaired reading"
    stub: str = "Reading"
    bases: tuple[str, ...] = (FULL,)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All rows, in percent and points."""
        tables = [kept.table(name, "means") for name in (self.name, *self.more)]
        tables = [table for table in tables if len(table)]
        if not tables:
            columns = [*_KEYS, "slots", *_SHARES, "better", "trainings"]
            return pd.DataFrame(columns=columns)
        rows = pd.concat(tables).drop_duplicates([*_KEYS], ignore_index=True)
        rows[[*_SHARES]] *= 100
        return rows

    def datasets(self, datasets: Sequence[str]) -> list[str]:
        """What was studied: first of what is asked for, then the others."""
        names = list(self.rows["dataset"].unique())
        return [d for d in datasets if d in names] + [d for d in names if d not in datasets]

    def names(self, dataset: str) -> list[str]:
        """The runs on one dataset, in the order of the file."""
        return list(self.rows.loc[self.rows["dataset"] == dataset, "name"].unique())

    def row(self, dataset: str, name: str, group: str, metric: str) -> pd.Series | None:
        """One row; None where it was not run or does not apply."""
        place = self._places.get((dataset, name, group, metric))
        row = None if place is None else self.rows.iloc[place]
        return None if row is None or pd.isna(row["value"]) else row

    def changes(self, dataset: str, name: str) -> str:
        """What a run has otherwise than the recommended reading, as in params.yaml."""
        changes = [study["changes"].get(name, {}) for study in self._told(dataset)]
        return _written({key: value for change in changes for key, value in change.items()})

    def trained(self, dataset: str) -> str:
        """How long and how often the runs on one dataset were trained, for the head of a column."""
        records = self._told(dataset)
        if not records:
            return "length not recorded"
        epochs = sorted({about["epochs"] for about in records})
        seeds = sorted({seed for about in records for seed in about["seeds"]})
        length = " to ".join(dict.fromkeys(map(str, (epochs[0], epochs[-1]))))
        return f"{length} epochs, {seeds_in_words(seeds)}"

    def caption(self, dataset: str) -> str:
        """What must be said wherever numbers of one dataset stand."""
        about, rows = known.find(dataset), self.rows[self.rows["dataset"] == dataset]
        kind = "SIMULATED data" if about.simulated else "real data"
        fewest, most = int(rows["trainings"].min()), int(rows["trainings"].max())
        number = f"{most}" if fewest == most else f"{fewest} to {most}"
        mean = f"mean over {number} trainings" if most > 1 else f"one training, {QUERIES_ALONE}"
        queries = int(rows.loc[rows["group"] == "all", "queries"].max())
        return (
            f"{about.title} ({dataset}): {kind}; features: {self.features(dataset)}; "
            f"{queries:,} test queries; {mean}; {self.trained(dataset)}. "
            + lengths.sentence(dataset, self.names(dataset))
        ).strip()

    def features(self, dataset: str) -> str:
        """What the methods saw."""
        return next(
            (study["features"] for study in self._told(dataset)), known.find(dataset).features
        )

    def not_run(self, datasets: Sequence[str]) -> str:
        """Which datasets that are asked for were not studied, in a sentence; empty if none."""
        lacking = [dataset for dataset in datasets if dataset not in set(self.rows["dataset"])]
        return f"Not run on {', '.join(lacking)} (see studies/params.yaml)." if lacking else ""

    @property
    def scope(self) -> str:
        """What the intervals hold."""
        over = self.rows["trainings"] > 1
        if over.all():
            return "over queries and trainings"
        if over.any():
            return "over queries and trainings unless stated otherwise below"
        return "over queries alone, which say nothing about other seeds"

    def sweep(self, dataset: str, group: str, metric: str) -> pd.DataFrame:
        """The rows by the number of slots; those of other rules of scoring are left out."""
        rows = self.rows.query("dataset == @dataset and group == @group and metric == @metric")
        swept = (rows["name"] == FULL) | rows["name"].str.startswith("slots_")
        return rows[swept].sort_values("slots").drop_duplicates("slots")

    def default_slots(self, dataset: str) -> int:
        """The number of slots that every other is compared with."""
        base = (self.rows["dataset"] == dataset) & (self.rows["name"] == FULL)
        return int(self.rows.loc[base, "slots"].iloc[0])

    def _told(self, dataset: str) -> list[dict[str, Any]]:
        """How the runs on one dataset were made."""
        return [about[dataset] for about in self._abouts if dataset in about]

    @cached_property
    def _places(self) -> dict[tuple[str, ...], int]:
        """Where each row stands: drawing asks for thousands, one at a time."""
        return {
            key: place for place, key in enumerate(zip(*map(self.rows.get, _KEYS), strict=True))
        }

    @cached_property
    def _abouts(self) -> list[dict[str, Any]]:
        return [kept.records(name) for name in (self.name, *self.more)]


def _written(changes: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {json.dumps(value)}" for key, value in changes.items())


def of_readings() -> RunStudy:
    """The study of all readings."""
    return RunStudy(
        "readings",
        title="Readings: how much each open question matters",
        lead="The effect of deciding one open question differently",
    )


def of_details() -> RunStudy:
    """The study of what surrounds the memory, and of how it starts and is trained."""
    return RunStudy(
        "details",
        title="Details: encoders, heads, padding and training",
        lead="The effect of changing one detail around the memory",
    )


def of_remedies() -> RunStudy:
    """The studies of remedies for rare words, of one method each."""
    return RunStudy(
        "remedies_no_memory",
        ("remedies_drn", "remedies_ctrl"),
        title="Remedies: what helps rare words",
        lead="What a remedy for rare words changes",
        base="the same method without one",
        stub="Remedy",
        bases=("attention_only", "drn", "ctrl"),
    )


def of_memories() -> RunStudy:
    """The study of the candidates for the recommended memory."""
    return RunStudy(
        "memories",
        title="Memories: the candidates, on validation",
        lead="The candidates for the recommended memory",
    )


def of_methods() -> RunStudy:
    """The study of all methods on the datasets that take too long for every run."""
    return RunStudy(
        "methods",
        title="Other datasets: the methods against MGSL-Net",
        lead="The methods compared with MGSL-Net",
        base="MGSL-Net (repaired)",
        stub="Method",
    )


def of_shift() -> RunStudy:
    """The study of the two tests of Charades-CD."""
    return RunStudy("shift")


def of_slots() -> RunStudy:
    """The study of the number of slots of both memories."""
    return RunStudy("slots", title="Slots: does recall depend on their number?")


def label(dataset: str) -> str:
    """The dataset's name, and that it is simulated where it is."""
    return f"{dataset}{' (simulated)' * known.find(dataset).simulated}"


def heading(dataset: str) -> str:
    """The dataset's title, and that it is simulated where it is."""
    about = known.find(dataset)
    return f"{about.title}{' (simulated)' * about.simulated}"
