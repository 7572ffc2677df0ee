"""Trainings beside the pipeline: a method with another schedule, judged on validation alone.

A trial's curve is kept under a digest of all that decides it, so that a study that was stopped goes
on where it stopped.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mgsl import params, paths
from mgsl.configs import EvaluateConfig, RunConfig
from mgsl.errors import UserError, missing
from mgsl.evaluation.metrics import VALIDATION
from mgsl.files import atomic_path
from mgsl.models import build
from mgsl.models.parts.base import GroundingModel
from mgsl.params import Params
from mgsl.prepared import digests
from mgsl.training import fingerprint
from mgsl.training.parallel import in_parallel
from mgsl.training.run import train as train_run

LENGTHS = "lengths"  # of reports/studies
VARIANTS = ("printed", "attention_only")  # of MGSL-Net, beside the recommended reading
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
    parameters: Params, only: Sequence[str] = (), say: Callable[[str], None] = print
) -> None:
    """Train every method, and MGSL-Net's variants, at twice its length; write reports/studies.

    A training is finished when twice its length does not raise the mean over seeds of R@1, IoU=0.5
    on validation by more than a point. The trainings at their length are those of the pipeline.

    Args:
        parameters: params.yaml: which methods, datasets and seeds.
        only: the runs that are trained; of all others the rows stay as they are. Empty: all.
        say: tells the person who waits what is being done.

    Raises:
        UserError: a run of the pipeline is missing, or one of `only` is not among those trained.
    """
    path = paths.STUDIES / f"{LENGTHS}.csv"
    rows = []
    for dataset in parameters.datasets:
        evaluation = params.read(EvaluateConfig, paths.config(dataset, "evaluate"))
        configs = _trained(parameters, dataset)
        if unknown := set(only) - {config.name for config in configs}:
            raise UserError(
                f"{', '.join(sorted(unknown))}: not trained in epochs by params.yaml; "
                f"there are {', '.join(config.name for config in configs)}"
            )
        configs = [config for config in configs if not only or config.name in only]
        once = [(config, seed) for config in configs for seed in evaluation.seeds]
        twice = [(_of_twice_the_length(config), seed) for config, seed in once]
        say(f"{len(twice)} trainings on {dataset}; those that are done are kept")
        curves = in_parallel(train, twice, "cpu")
        for (config, seed), (longer, _), curve in zip(once, twice, curves, strict=True):
            run = paths.run(dataset, config.name, seed)
            rows += [
                _row(config, seed, 1, _curve(run / "curve.csv")),
                _row(longer, seed, 2, curve),
            ]
    table = pd.DataFrame(rows).round(_DECIMALS)
    if only and path.is_file():
        before = pd.read_csv(path)
        again = before["name"].isin(only) & before["dataset"].isin(parameters.datasets)
        table = pd.concat([before[~again], table])
        place = {name: i for i, name in enumerate([*parameters.methods, *VARIANTS])}
        table = table.sort_values("name", key=lambda names: names.map(place), kind="stable")
    with atomic_path(path) as temporary:
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


def _trained(parameters: Params, dataset: str) -> list[RunConfig]:
    """The methods that are trained in epochs, and MGSL-Net as printed and without memories."""
    names = [*parameters.methods, *(name for name in VARIANTS if name in parameters.names())]
    configs = [_config(dataset, name) for name in names]
    return [config for config in configs if isinstance(build(config), GroundingModel)]


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
