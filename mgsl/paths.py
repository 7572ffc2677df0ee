"""Where every file lives, relative to the repository's root, which is the working folder."""

import os
from pathlib import Path

from mgsl.errors import UserError

PARAMS = Path("params.yaml")
EMBEDDED = Path("data")  # the embedded dataset's annotations, imported by data.dvc
ARTIFACTS = Path("artifacts")
TRACED = ARTIFACTS / "traced"  # what models are made of; SIZES: how large they are
SIZES = TRACED / "sizes.csv"
COSTS = TRACED / "costs.csv"  # what an answer of each method costs, counted
EXAMPLES = TRACED / "examples.json"  # equations worked out for a few numbers
CONFORMANCE = TRACED / "conformance.json"  # methods beside their released code
REPORTS = Path("reports")
EXHIBITS = REPORTS / "exhibits"  # pages, tables and figures: all of it is built
METRICS = REPORTS / "metrics"
STUDIES = REPORTS / "studies"  # what annotations alone tell: numbers, kept in git
TIMES = STUDIES / "efficiency.csv"  # what it costs on one machine, timed; TIMED_ON: which
TIMED_ON = STUDIES / "efficiency.json"
STUDIED = ARTIFACTS / "studied"  # the annotations they were counted in
NOTEBOOKS = Path("notebooks")


def enter_root() -> None:
    """Make the repository's root the working folder, from there or from any folder below it.

    Raises:
        UserError: no folder from here upwards holds params.yaml.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / PARAMS).is_file():
            os.chdir(folder)
            return
    raise UserError(f"{here} is not inside the repository: no {PARAMS} from here upwards")


def config(dataset: str, name: str) -> Path:
    """The resolved parameters of one part: `prepare`, `evaluate`, a run, or `groups/NAME`."""
    return ARTIFACTS / "configs" / dataset / f"{name}.json"


def raw(dataset: str) -> Path:
    """The dataset's published files, verified, as published."""
    return ARTIFACTS / dataset / "raw"


def prepared(dataset: str) -> Path:
    """What training and evaluation read: queries, vocabulary, vectors, features."""
    return ARTIFACTS / dataset / "prepared"


def run(dataset: str, name: str, seed: int, group: str | None = None) -> Path:
    """One training: a method, or an ablation and the group under which it was trained."""
    if group is None:
        return ARTIFACTS / dataset / "runs" / name / str(seed)
    return ARTIFACTS / dataset / "runs" / group / str(seed) / name


def inspections(dataset: str) -> Path:
    """The folder of all that was inspected; empty where `inspected` of params.yaml is."""
    return ARTIFACTS / dataset / "inspected"


def inspected(dataset: str, name: str, seed: int) -> Path:
    """What the memories of one training hold, and what they are worth."""
    return inspections(dataset) / name / str(seed)


def traced(dataset: str, name: str) -> Path:
    """The modules of one method or ablation, and the shapes between them."""
    return TRACED / dataset / f"{name}.json"


def unfinished(dataset: str, name: str, seed: int, fingerprint: str) -> Path:
    """The state of a training under way; outside its run, which DVC empties before it starts."""
    return ARTIFACTS / "unfinished" / f"{dataset}-{name}-{seed}-{fingerprint}.pt"


def trial(dataset: str, name: str, seed: int, digest: str) -> Path:
    """The curve of a training beside the pipeline."""
    return STUDIED / "trials" / f"{dataset}-{name}-{seed}-{digest}.csv"


def metrics(dataset: str) -> Path:
    """One row per method, seed, query group and metric."""
    return ARTIFACTS / dataset / "metrics.csv"


def headline(dataset: str) -> Path:
    """The few figures that `dvc metrics show` prints."""
    return METRICS / f"{dataset}.json"


def trainings(dataset: str) -> Path:
    """Mean, spread and number of trainings of each run and measure, kept in git."""
    return METRICS / f"{dataset}.csv"
