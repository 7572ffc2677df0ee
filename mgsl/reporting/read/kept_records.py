"""What pages of kept studies were made from: the studies' own records, not the parameters of today.

A study keeps, beside its numbers, how it was made (`about.json`): seeds, epochs,
rates, the rule of scoring, and the commit whose code it ran.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mgsl import paths
from mgsl.data import datasets as known
from mgsl.reporting.read import kept


@dataclass(frozen=True)
class Shown:
    """The studies of which an exhibit shows numbers.

    `at_hand` says whether it shows runs at hand besides. Of a study in `within` it shows those
    datasets alone that the other study has, too.
    """

    studies: tuple[str, ...] = ()
    at_hand: bool = False
    within: Mapping[str, str] = field(default_factory=dict)

    def pairs(self) -> list[tuple[str, str]]:
        """Each study with each dataset of which it is shown."""
        return [
            (study, dataset)
            for study in self.studies
            for dataset in _datasets(study)
            if self.has(study, dataset)
        ]

    def has(self, study: str, dataset: str) -> bool:
        """Whether one of its studies is shown of a dataset, if it has it."""
        return study not in self.within or dataset in record(self.within[study])


EXHIBITS: Mapping[str, Shown] = {
    "readings": Shown(("readings",)),
    "details": Shown(("details",)),
    "memories": Shown(("memories",)),
    "remedies": Shown(("remedies_no_memory", "remedies_drn", "remedies_ctrl")),
    "slots": Shown(("slots",)),
    "other_datasets": Shown(("methods",)),
    "shift": Shown(("shift",)),
    "collapse": Shown(("collapse",)),
    **{f"table_{number}": Shown(("tables", "parts"), at_hand=True) for number in (3, 4, 5)},
    "claims": Shown(
        ("tables", "parts", "methods", "readings", "slots"),
        at_hand=True,
        within={"methods": "tables"},  # of rivals it tests what these datasets have
    ),
    "noise": Shown(("tables",), at_hand=True),
    "training_curve": Shown(("lengths",), at_hand=True),
}
_RUNS_ALONE = Shown(at_hand=True)

_NMS = {"per_metric": "NMS at m - 0.05", "none": "no NMS", "fixed": "NMS at one threshold"}

Stamp = list[tuple[str, str]]


@dataclass(frozen=True)
class KeptSource:
    """A dataset of which a study has numbers, prepared here or not."""

    dataset: str

    @property
    def simulated(self) -> bool:
        """Whether what the methods saw was simulated."""
        return known.find(self.dataset).simulated

    @property
    def summary(self) -> dict[str, str]:
        """Its title and features."""
        about = known.find(self.dataset)
        return {"title": about.title, "features": about.features}


def shown(exhibit: str) -> Shown:
    """The studies that an exhibit shows; none, if it is of runs at hand alone."""
    return EXHIBITS.get(exhibit, _RUNS_ALONE)


def sources(exhibit: str) -> list[KeptSource]:
    """The datasets whose kept numbers an exhibit shows; none where it shows no study."""
    names = [dataset for _, dataset in shown(exhibit).pairs()]
    return [KeptSource(dataset) for dataset in dict.fromkeys(names)]


def stamps(exhibit: str) -> list[Stamp]:
    """What a page says of the studies that it shows: a stamp for each study and dataset."""
    return [_stamp(study, dataset) for study, dataset in shown(exhibit).pairs()]


def outdated(exhibit: str) -> str:
    """Which of the studies that an exhibit shows are older than the code; empty where none is."""
    one = shown(exhibit)
    old = [
        f"{study} on {dataset} ({len(runs)} of its runs)"
        for study in one.studies
        for dataset, runs in kept.outdated(study).items()
        if one.has(study, dataset)
    ]
    if not old:
        return ""
    return (
        f"Made by earlier code or numbers: the studies {', '.join(old)}. What "
        f"{paths.STUDIES_PARAMS.as_posix()} lists is made anew by dvc repro studies/dvc.yaml."
    )


def shown_in(dataset: str) -> list[str]:
    """The exhibits that show kept numbers of a dataset."""
    return [name for name in EXHIBITS if dataset in {s.dataset for s in sources(name)}]


def record(study: str) -> dict[str, Any]:
    """How the runs of a study were made, by dataset; empty without its file."""
    return kept.records(study)


def seeds_in_words(seeds: Sequence[int]) -> str:
    """Neighbours as a range: "seed 0", "seeds 0–2"."""
    whole = list(seeds) == list(range(min(seeds), max(seeds) + 1))
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    return "seeds " + (f"{min(seeds)}–{max(seeds)}" if whole else ", ".join(map(str, seeds)))


def _datasets(study: str) -> list[str]:
    rows = _rows(study)
    return [] if rows.empty else list(rows["dataset"].unique())


def _code(about: Mapping[str, Any]) -> str:
    """A digest of what its runs were trained with; the commit, of a study that tells no more."""
    if "made_with" not in about:
        return str(about["commit"])
    return hashlib.sha256(json.dumps(about["made_with"]).encode()).hexdigest()[:12]


def _rows(study: str) -> pd.DataFrame:
    """What a study of runs has of each, or else one of steps."""
    means = kept.table(study, "means")
    return kept.table(study, "rows") if means.empty else means


def _stamp(study: str, dataset: str) -> Stamp:
    source, about = KeptSource(dataset), record(study).get(dataset)
    rows = _rows(study).query("dataset == @dataset")
    stamp = [
        ("Study", f"{study}, kept in {paths.study(study, dataset).as_posix()}"),
        ("Made by", "dvc repro studies/dvc.yaml"),
        ("Dataset", f"{source.summary['title']} ({dataset})"),
        ("Features", source.summary["features"]),
        ("Data", "SIMULATED" if source.simulated else "real"),
        ("Runs", ", ".join(rows["name"].unique())),
    ]
    if about is None or "seeds" not in about:
        seeds = (
            seeds_in_words(sorted(rows["seed"].unique().tolist()))
            if "seed" in rows
            else "not recorded"
        )
        steps = [("Steps", f"up to {rows['step'].max()}")] if "step" in rows else []
        return [*stamp, ("Seeds", seeds), *steps]
    rules = about["evaluation"]
    return [
        *stamp,
        ("Queries", f"{int(rows['queries'].max()):,} test queries"),
        ("Scale", about["scale"]),
        ("Seeds", ", ".join(map(str, about["seeds"]))),
        ("Lengths", f"{about['num_clips']} clips"),
        (
            "Schedule",
            f"{about['epochs']} epochs, batch {about['batch_size']}, learning rate "
            f"{about['learning_rate']:g}, where a run changes nothing of it",
        ),
        (
            "Scored",
            f"A hit is tIoU {'>' if rules['strict'] else '>='} m in seconds, after "
            f"{_NMS.get(rules['nms'], rules['nms'])}; {rules['confidence']:.0%} intervals",
        ),
        ("Code of the study", _code(about)),
    ]
