"""Trainings beside the pipeline: a method with another schedule, judged on validation alone.

A trial's curve is kept under a digest of all that decides it, so that a study that was stopped goes
on where it stopped.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mgsl import params, paths
from mgsl.configs import EvaluateConfig, RunConfig
from mgsl.errors import missing
from mgsl.evaluation.metrics import VALIDATION
from mgsl.files import atomic_folder, atomic_path, write_json
from mgsl.models import build
from mgsl.models.parts.base import GroundingModel
from mgsl.prepared import digests
from mgsl.studies import age
from mgsl.studies.plan import StudyParams
from mgsl.studies.rows import write_table
from mgsl.training import fingerprint
from mgsl.training.parallel import in_parallel
from mgsl.training.run import train as train_run

LENGTHS = "lengths"  # the study
_DECIMALS = 4


def train(trial: tuple[RunConfig, int]) -> pd.DataFrame:
    """Train one configuration with one seed; its curve, with the processor time that it took.

    Args:
        trial: configuration and seed.

    Returns:
        One row an epoch, as `training.loop.fit` has them, and `processor_s` of the whole.
    """
    config, seed = trial
    prepared = paths.prepared(config.dataset)
    device = torch.device("cpu")
    decisive = fingerprint.digest(config, digests(prepared), seed)
    path = paths.trial(config.dataset, config.name, seed, fingerprint.fingerprint(decisive, device))
    if path.is_file():
        return pd.read_csv(path)
    torch.set_flush_denormal(True)
    state, started = path.with_suffix(".pt"), time.process_time()
    _, curve, _ = train_run(config, prepared, seed=seed, device=device, state_path=state)
    curve["processor_s"] = time.process_time() - started
    with atomic_path(path) as temporary:
        curve.to_csv(temporary, index=False, lineterminator="\n")
    state.unlink(missing_ok=True)
    return curve


def kept_epoch(curve: pd.DataFrame, config: RunConfig) -> "pd.Series[float]":
    """The epoch whose weights a training leaves: the best of its last stage on validation."""
    model = build(config)
    assert isinstance(model, GroundingModel)
    stages = [model.stage(epoch / len(curve)) for epoch in range(len(curve))]
    last = curve[pd.Series(stages) == stages[-1]]
    return last.iloc[int(last[f"val_R@1, IoU={config.training.select_iou}"].to_numpy().argmax())]


def lengths(
    study: StudyParams,
    config: EvaluateConfig,
    folder: Path,
    say: Callable[[str], None] = print,
) -> None:
    """Train every run at twice its length, beside its trainings at its length; write rows.csv.

    A training is finished when twice its length does not raise the mean over seeds of R@1, IoU=0.5
    on validation by more than a point.

    Args:
        study: which runs on which dataset.
        config: the runs, which all learn in epochs, and seeds of the study (`plan.config_of`).
        folder: where the table goes. It is replaced as a whole, at the end.
        say: tells the person who waits what is being done.

    Raises:
        UserError: a training at its length is missing.
    """
    dataset = study.dataset
    runs = [_config(dataset, name) for name in config.names]
    once = [(run, seed) for run in runs for seed in config.seeds]
    twice = [(_of_twice_the_length(run), seed) for run, seed in once]
    say(f"{len(twice)} trainings on {dataset}; those that are done are kept")
    numbers = itertools.count(1)

    def tell(trial: tuple[RunConfig, int]) -> None:
        say(f"{trial[0].name}, seed {trial[1]}: done, {next(numbers)} of {len(twice)}")

    curves = in_parallel(train, twice, "cpu", tell)
    rows = []
    for (run, seed), (longer, _), curve in zip(once, twice, curves, strict=True):
        path = paths.run(dataset, run.name, seed) / "curve.csv"
        rows += [_row(run, seed, 1, _curve(path)), _row(longer, seed, 2, curve)]
    with atomic_folder(folder) as new:
        write_table(new / "rows.csv", pd.DataFrame(rows).round(_DECIMALS))
        made_with = age.made_with({run.name: run for run in runs})
        write_json(new / "about.json", {"made_with": made_with})


def rates(
    dataset: str, rates_of: Mapping[str, list[float]], seed: int, say: Callable[[str], None] = print
) -> pd.DataFrame:
    """Train methods at several learning rates.

    Args:
        dataset: where, prepared.
        rates_of: learning rates of each run of params.yaml.
        seed: of every training.
        say: tells the person who waits what is being done.

    Returns:
        Columns name, learning_rate, epochs, kept, those of validation, processor_s.
    """
    trials = [
        (_config(dataset, name).model_copy(update={"learning_rate": rate}), seed)
        for name, values in rates_of.items()
        for rate in values
    ]
    say(f"{len(trials)} trainings on {dataset}; those that are done are kept")
    rows = []
    for (config, _), curve in zip(trials, in_parallel(train, trials, "cpu"), strict=True):
        row = kept_epoch(curve, config)
        rows.append(
            {"name": config.name, "learning_rate": config.learning_rate, "epochs": config.epochs}
            | {"kept": int(row["epoch"])}
            | {figure: row[figure] for figure in (*VALIDATION, "processor_s")}
        )
    return pd.DataFrame(rows)


def _of_twice_the_length(config: RunConfig) -> RunConfig:
    length = {"epochs": config.epochs, "steps": config.steps}
    return config.model_copy(update={key: 2 * n for key, n in length.items() if n})


def _row(config: RunConfig, seed: int, times: int, curve: pd.DataFrame) -> dict[str, Any]:
    epoch = kept_epoch(curve, config)
    about = {"dataset": config.dataset, "name": config.name, "times": times, "seed": seed}
    about |= {"epochs": config.epochs, "kept": int(epoch["epoch"])}
    return about | {figure: epoch[figure] for figure in VALIDATION}


def _curve(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise missing(path, "run `dvc repro` first") from None


def _config(dataset: str, name: str) -> RunConfig:
    return params.read(RunConfig, paths.config(dataset, name))
