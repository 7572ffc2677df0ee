"""Trainings beside the pipeline: a method with another schedule, judged on validation alone.

A trial's curve is kept under a digest of all that decides it, so that a study that was stopped goes
on where it stopped.
"""

import itertools
import time
from collections.abc import Callable, Mapping

import pandas as pd
import torch

from mgsl import params, paths
from mgsl.data.loading import load_splits
from mgsl.files import atomic_path
from mgsl.models import build
from mgsl.models.base import GroundingModel
from mgsl.params import EvaluateConfig, Params, RunConfig
from mgsl.training.checkpoint import fingerprint
from mgsl.training.loop import fit
from mgsl.training.parallel import in_parallel
from mgsl.training.seeding import seed_everything

LENGTHS = "lengths"  # of reports/studies
_DECIMALS = 4
_FIGURES = ("val_R@1, IoU=0.5", "val_R@1, IoU=0.7", "val_rare_R@1, IoU=0.5")


def train(trial: tuple[RunConfig, int]) -> pd.DataFrame:
    """Train one configuration with one seed; its curve, with the processor time that it took.

    Args:
        trial: configuration and seed.

    Returns:
        One row an epoch, as `training.loop.fit` has them, and `processor_s` of the whole.
    """
    config, seed = trial
    prepared = paths.prepared(config.dataset)
    digest = fingerprint(config, prepared, seed)
    kept = paths.trial(config.dataset, config.name, seed, digest)
    if kept.is_file():
        return pd.read_csv(kept)
    torch.set_flush_denormal(True)
    splits = load_splits(prepared, config)
    seed_everything(seed)
    model = build(config)
    assert isinstance(model, GroundingModel)
    state, started = kept.with_suffix(".pt"), time.process_time()
    curve = fit(
        model,
        splits["train"],
        splits["val"],
        config,
        seed=seed,
        device=torch.device("cpu"),
        state_path=state,
    )
    curve["processor_s"] = time.process_time() - started
    with atomic_path(kept) as temporary:
        curve.to_csv(temporary, index=False, lineterminator="\n")
    state.unlink(missing_ok=True)
    return curve


def kept_epoch(curve: pd.DataFrame, config: RunConfig) -> "pd.Series[float]":
    """The epoch whose weights a training leaves: the best of its last stage on validation."""
    model = build(config)
    assert isinstance(model, GroundingModel)
    stages = [model.stage(epoch / config.epochs) for epoch in range(config.epochs)]
    last = curve[pd.Series(stages) == stages[-1]]
    return last.iloc[int(last[f"val_R@1, IoU={config.training.select_iou}"].to_numpy().argmax())]


def lengths(chosen: Params, say: Callable[[str], None] = print) -> None:
    """Train every run of params.yaml at once and at twice its length; write reports/studies.

    A training is finished when twice its length does not raise the mean over seeds of R@1, IoU=0.5
    on validation by more than a point.

    Args:
        chosen: params.yaml: which runs, datasets and seeds.
        say: tells the person who waits what is being done.
    """
    tables = []
    for dataset in chosen.datasets:
        configs = _trained(chosen, dataset)
        trials = [
            (_longer(config, times), seed, times)
            for config, times, seed in itertools.product(configs.values(), (1, 2), _seeds(dataset))
        ]
        say(f"{len(trials)} trainings on {dataset}; those that are done are kept")
        curves = in_parallel(train, [(config, seed) for config, seed, _ in trials], "cpu")
        for (config, seed, times), curve in zip(trials, curves, strict=True):
            row = kept_epoch(curve, config)
            tables.append(
                {"dataset": dataset, "name": config.name, "times": times, "epochs": config.epochs}
                | {"seed": seed, "kept": int(row["epoch"])}
                | {figure: row[figure] for figure in _FIGURES}
            )
    path = paths.STUDIES / f"{LENGTHS}.csv"
    with atomic_path(path) as temporary:
        table = pd.DataFrame(tables).round(_DECIMALS)
        table.to_csv(temporary, index=False, lineterminator="\n")


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
        for name, listed in rates_of.items()
        for rate in listed
    ]
    say(f"{len(trials)} trainings on {dataset}; those that are done are kept")
    rows = []
    for (config, _), curve in zip(trials, in_parallel(train, trials, "cpu"), strict=True):
        row = kept_epoch(curve, config)
        rows.append(
            {"name": config.name, "learning_rate": config.learning_rate, "epochs": config.epochs}
            | {"kept": int(row["epoch"])}
            | {figure: row[figure] for figure in (*_FIGURES, "processor_s")}
        )
    return pd.DataFrame(rows)


def _trained(chosen: Params, dataset: str) -> dict[str, RunConfig]:
    """The runs of params.yaml that are trained in epochs."""
    found = {name: _config(dataset, name) for name in chosen.names()}
    return {name: c for name, c in found.items() if isinstance(build(c), GroundingModel)}


def _longer(config: RunConfig, times: int) -> RunConfig:
    return config.model_copy(update={"epochs": times * config.epochs})


def _config(dataset: str, name: str) -> RunConfig:
    return params.read(RunConfig, paths.config(dataset, name))


def _seeds(dataset: str) -> tuple[int, ...]:
    return params.read(EvaluateConfig, paths.config(dataset, "evaluate")).seeds
