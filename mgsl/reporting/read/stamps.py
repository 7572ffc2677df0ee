"""What a page says of what it was made from: data, schedules, slots, numerics, and the commit."""

import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mgsl import numerics, paths
from mgsl.configs import RunConfig
from mgsl.nested import flatten
from mgsl.reporting.read import kept_records, published
from mgsl.reporting.read.kept_studies import Studies
from mgsl.reporting.read.results import Results, rule

Stamp = list[tuple[str, str]]

NUMERICS = "Numerics"
SCHEDULE = {  # keys of a run and how they are written; what is 0 or null is left out
    "epochs": "{} epochs",
    "steps": "{:,} steps",
    "batch_size": "batch {}",
    "learning_rate": "learning rate {:g}",
    "schedule.warmup_steps": "warm-up over {} steps",
    "schedule.kind": "{}",
}
KINDS = {  # of schedules
    "constant": "",
    "linear": "then falling (linear)",
    "inverse_sqrt": "then falling (inverse square root)",
    "steps": "falling in steps",
    "plateau": "falling on a plateau of validation",
    "plateau_reload": "falling on a plateau of validation, from its best",
}
FITTED = "fitted once, no schedule"
_LISTED = 3  # so many ablations are named beside their method; more are counted
_MADE_FROM = ("mgsl", "notebooks", "params.yaml", "dvc.yaml", "data.dvc", "requirements.txt")


def of_page(
    all_results: Sequence[Results], *, studies: bool = False, exhibit: str = ""
) -> list[Stamp]:
    """What a page was made from: a stamp for each dataset, for the studies, and for the commit.

    Args:
        all_results: the datasets whose runs at hand it shows.
        studies: whether it shows what annotations alone tell.
        exhibit: its name, which tells the kept studies that it shows.
    """
    studied = [Studies(str(paths.STUDIES)).stamp()] if studies else []
    kept = kept_records.stamps(exhibit)
    return [*map(of_source, all_results), *studied, *kept, [("Commit", commit()), *of_process()]]


def sources_of(exhibit: str, datasets: Sequence[str]) -> list[Results]:
    """The datasets whose runs at hand an exhibit shows: none where it shows a kept study alone.

    Args:
        exhibit: its name.
        datasets: what its notebook is run on.
    """
    at_hand = kept_records.shown(exhibit).at_hand
    return [Results(dataset) for dataset in datasets] if at_hand else []


def of_source(results: Results) -> Stamp:
    """What a page made of one dataset's runs has to say."""
    config, prepared = results.config, results.preparation
    rare = prepared.preparation.rare
    bound = "at most" if rare.inclusive else "fewer than"
    return [
        ("Dataset", f"{results.summary['title']} ({results.dataset})"),
        ("Features", results.summary["features"]),
        ("Data", "SIMULATED" if results.simulated else "real"),
        ("Pairs", ", ".join(f"{c['pairs']:,} {s}" for s, c in results.summary["splits"].items())),
        ("Sources", _digests(results) or "none"),
        ("Scale", config.scale),
        ("Seeds", ", ".join(map(str, config.seeds))),
        ("Runs", ", ".join(config.names)),
        ("Lengths", f"{prepared.num_clips} clips, {prepared.max_words} words"),
        ("Schedule", _by_run(results, schedule)),
        *([("Slots", text)] if (text := _by_run(results, slots)) else []),
        (NUMERICS, numerics_of(results)),
        (
            "Rare",
            f"a word tagged {', '.join(rare.tags)} seen {bound} {rare.threshold} times "
            f"(counted in: {rare.corpus})",
        ),
        ("Scored", rule([results])),
    ]


def of_process() -> Stamp:
    """What is to be said of the process that draws a page: nothing where it keeps the promise."""
    current = numerics.current()
    return [] if current.reproducible else [(NUMERICS, f"of this page: {current.label}")]


def commit() -> str:
    """Id and date of the last commit that changed what the reports are made from.

    A commit of the reports themselves is none, so that building them again gives the same bytes.
    "unknown" without git.
    """
    command = ["git", "log", "-1", "--abbrev=10", "--format=%h, %cs", "--", *_MADE_FROM]
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return process.stdout.strip() or "unknown"


def unpromised(stamps: Iterable[Stamp]) -> list[str]:
    """What stamps say of numbers that are not the same bytes on every machine."""
    lines = [text for stamp in stamps for key, text in stamp if key == NUMERICS]
    return [line for line in lines if numerics.BROKEN in line]


def schedule(run: RunConfig) -> str:
    """How long a run was trained, and how fast."""
    if run.method in {method.name for method in published.methods() if method.group == "blind"}:
        return FITTED
    values = flatten(run.model_dump(mode="json", include={"schedule", *SCHEDULE}))
    values["schedule.kind"] = KINDS[run.schedule.kind]
    return ", ".join(form.format(values[key]) for key, form in SCHEDULE.items() if values.get(key))


def slots(run: RunConfig) -> str:
    """The slots of a run's memories (`memory.slots` in params.yaml); "" where it has none."""
    sides = [run.model.get(f"{side}_slots") for side in ("video", "query")]
    return f"{sides[0]} for videos, {sides[1]} for queries" if all(sides) else ""


def numerics_of(results: Results) -> str:
    """The numerics that a dataset's runs were trained with, as their checkpoints tell them."""
    labels = {
        f"{name}, seed {seed}": numerics.recorded(results.folder(name, seed) / numerics.CHECKPOINT)
        for name in results.config.names
        for seed in results.config.seeds
    }
    most, *others = sorted(_groups(labels).items(), key=lambda item: -len(item[1]))
    return "; ".join([most[0], *(f"but {', '.join(runs)}: {label}" for label, runs in others)])


def _by_run(results: Results, describe: Callable[[RunConfig], str]) -> str:
    """What each run is described by; runs of the same description stand together."""
    runs = [results.run(name) for name in results.config.names]
    groups = _groups({run.name: describe(run) for run in runs})
    methods = {run.name: run.method for run in runs}
    return "; ".join(f"{_listing(names, methods)}: {text}" for text, names in groups.items())


def _groups(texts: dict[str, str]) -> dict[str, list[str]]:
    """Names by their text; those without a text are left out."""
    groups: dict[str, list[str]] = {}
    for name, text in texts.items():
        if text:
            groups.setdefault(text, []).append(name)
    return groups


def _listing(names: Sequence[str], methods: Mapping[str, str]) -> str:
    """Names, but for the many ablations that stand beside their method."""
    listed = [name for name in names if name == methods[name] or methods[name] not in names]
    ablations = len(names) - len(listed)
    if ablations <= _LISTED:
        return ", ".join(names)
    return f"{', '.join(listed)} and {ablations} ablations"


def _digests(results: Results) -> str:
    """The published files that a dataset was made of, each with the start of its SHA-256."""
    files: list[dict[str, Any]] = results.summary["sources"]
    return ", ".join(f"{item['file']} ({item['sha256'][:12]})" for item in files)
