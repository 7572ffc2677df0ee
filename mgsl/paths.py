"""Where every file lives, relative to the repository's root, which is the working folder.

Names of datasets, methods, ablations, groups and exhibits are parts of paths, so one that is none
leads nowhere: here they are checked, whoever gave them.
"""

import os
import re
import shlex
from pathlib import Path

from mgsl.errors import UserError

NAME = r"^[a-z][a-z0-9_]*$"  # of datasets, methods, ablations, groups, exhibits and their sections
PARTS = ("download", "prepare", "evaluate", "inspect")  # of a configuration, beside its runs

PARAMS = Path("params.yaml")
EMBEDDED = Path("data")  # the embedded dataset's annotations, imported by data.dvc
PIPELINE, OF_STUDIES = Path("artifacts"), Path("studies/artifacts")  # of both dvc.yaml
ARTIFACTS = Path(os.environ.get("MGSL_ARTIFACTS", PIPELINE))  # studies/dvc.yaml has its own
CONFIGS = ARTIFACTS / "configs"  # what each stage is told of params.yaml
UNFINISHED = ARTIFACTS / "unfinished"  # states of trainings under way
SPENT = ARTIFACTS / "spent"  # what trainings took; outside all that DVC looks at
TRACED = ARTIFACTS / "traced"  # what models are made of; SIZES: how large they are
SIZES = TRACED / "sizes.csv"
RECIPES = TRACED / "recipes.json"  # how every method is trained
COSTS = TRACED / "costs.csv"  # what an answer of each method costs, counted
EXAMPLES = TRACED / "examples.json"  # equations worked out for a few numbers
AGES = TRACED / "studies.json"  # kept studies that would come out otherwise today
CONFORMANCE = TRACED / "conformance.json"  # methods beside their released code
REPORTS = Path("reports")
EXHIBITS = REPORTS / "exhibits"  # pages, tables and figures: all of it is built
QUERIES = REPORTS / "queries"  # test queries with what methods answered, by dataset
SCRIPTS = REPORTS / "scripts"  # what pages run
METRICS = REPORTS / "metrics"
STUDIES = REPORTS / "studies"  # what takes hours: numbers, kept in git
STUDIES_PARAMS = Path("studies/params.yaml")  # which studies there are
COST = STUDIES / "cost.csv"  # what trainings took
TIMES = STUDIES / "efficiency.csv"  # what it costs on one machine, timed; TIMED_ON: which
TIMED_ON = STUDIES / "efficiency.json"
TRIED = ARTIFACTS / "tried"  # trainings that a person tries; outside all that DVC looks at
STUDIED = ARTIFACTS / "studied"  # the annotations they were counted in
SPLITS = Path("splits")  # which queries of the benchmarks are rare, kept in git
NOTEBOOKS = Path("notebooks")


def enter_root() -> None:
    """Make the repository's root the working folder, from there or from any folder below it.

    Raises:
        UserError: no folder from here upwards holds params.yaml.
    """
    root = _root()
    if root is None:
        raise UserError(f"{Path.cwd()} is not inside the repository: no {PARAMS} from here upwards")
    os.chdir(root)


def refuse_other_folders() -> None:
    """See that the working folder is the repository's root: all paths are relative to it.

    Raises:
        UserError: it is not; the message has the way there from a folder below.
    """
    if not PARAMS.is_file():
        root = _root()
        way = f": `cd {shlex.quote(str(root))}`" if root else ", the folder that has it"
        raise UserError(f"{PARAMS} is missing here: run mgsl from the repository's root{way}")


def named_by(variable: str) -> Path | None:
    """The folder that an environment variable names, `~` in it opened; None where it is not set."""
    folder = os.environ.get(variable)
    return Path(folder).expanduser() if folder else None


def config(dataset: str, name: str) -> Path:
    """The resolved parameters of one of `PARTS` or of a run, which have a folder of their own."""
    folder = CONFIGS / _checked(dataset)
    return folder / ("" if name in PARTS else "runs") / f"{_checked(name)}.json"


def decided(study: str) -> Path:
    """What decides a study of studies/params.yaml."""
    return CONFIGS / "studies" / f"{_checked(study)}.json"


def raw(dataset: str) -> Path:
    """The dataset's published files, verified, as published."""
    return _artifacts(dataset) / "raw"


def placed(dataset: str) -> Path:
    """The record of the features that a person placed, which stay where they are."""
    return _artifacts(dataset) / "placed"


def prepared(dataset: str) -> Path:
    """What training and evaluation read: queries, vocabulary, vectors, features."""
    return _artifacts(dataset) / "prepared"


def runs(dataset: str) -> Path:
    """All trainings: NAME/SEED of every method and ablation."""
    return _artifacts(dataset) / "runs"


def run(dataset: str, name: str, seed: int) -> Path:
    """One training of a method or an ablation."""
    return runs(dataset) / _checked(name) / str(seed)


def inspections(dataset: str) -> Path:
    """The folder of all that was inspected; empty where `inspected` of params.yaml is."""
    return _artifacts(dataset) / "inspected"


def inspected(dataset: str, name: str, seed: int) -> Path:
    """What the memories of one training hold, and what they are worth."""
    return inspections(dataset) / _checked(name) / str(seed)


def traced(dataset: str, name: str) -> Path:
    """The modules of one method or ablation, and the shapes between them."""
    return TRACED / _checked(dataset) / f"{_checked(name)}.json"


def unfinished(dataset: str, name: str, seed: int, fingerprint: str) -> Path:
    """The state of a training under way; outside its run, which holds what is finished."""
    name = f"{_checked(dataset)}-{_checked(name)}-{seed}-{fingerprint}.pt"
    return UNFINISHED / name


def spent(dataset: str, name: str, seed: int) -> Path:
    """What one training took, which no result rests on."""
    return SPENT / _checked(dataset) / f"{_checked(name)}-{seed}.json"


def lock(output: Path) -> Path:
    """What a process holds while it works on an output; outside all that DVC looks at."""
    return ARTIFACTS / "locks" / f"{'-'.join(output.parts)}.lock"


def study(name: str, dataset: str) -> Path:
    """What a study keeps of one dataset."""
    return STUDIES / _checked(name) / _checked(dataset)


def tried(dataset: str, name: str, seed: int, digest: str) -> Path:
    """One training of an ablation that is tried beside the pipeline."""
    return TRIED / _checked(dataset) / _checked(name) / f"{seed}-{digest}"


def in_pipeline(path: Path) -> Path:
    """Where the main pipeline has what stands in this place of the artifacts at hand."""
    return PIPELINE / path.relative_to(ARTIFACTS)


def trial(dataset: str, name: str, seed: int, digest: str) -> Path:
    """The curve of a training beside the pipeline."""
    return STUDIED / "trials" / f"{_checked(dataset)}-{_checked(name)}-{seed}-{digest}.csv"


def metrics(dataset: str) -> Path:
    """One row per method, seed, query group and metric."""
    return _artifacts(dataset) / "metrics.csv"


def headline(dataset: str) -> Path:
    """The few figures that `dvc metrics show` prints."""
    return METRICS / f"{_checked(dataset)}.json"


def trainings(dataset: str) -> Path:
    """Mean, spread and number of trainings of each run and measure, kept in git."""
    return METRICS / f"{_checked(dataset)}.csv"


def notebook(exhibit: str) -> Path:
    """The notebook of an exhibit."""
    return NOTEBOOKS / f"{_checked(exhibit)}.ipynb"


def _root() -> Path | None:
    """The nearest folder from here upwards that holds params.yaml."""
    here = Path.cwd()
    return next((f for f in (here, *here.parents) if (f / PARAMS).is_file()), None)


def _artifacts(dataset: str) -> Path:
    return ARTIFACTS / _checked(dataset)


def _checked(name: str) -> str:
    """A name that may be part of a path.

    Raises:
        UserError: it has other signs, such as those that lead to another folder.
    """
    if not re.fullmatch(NAME, name):
        raise UserError(f"{name!r} is no name: a letter, then letters, digits or _, all small")
    return name
