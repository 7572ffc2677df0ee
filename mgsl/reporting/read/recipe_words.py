"""How each method is trained, in words."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from mgsl import paths
from mgsl.configs import RunConfig
from mgsl.documents import read_json
from mgsl.errors import missing
from mgsl.params import TrainingParams
from mgsl.parsing import parse
from mgsl.recipes import (
    SGD,
    Clip,
    Clipping,
    Drop,
    InverseSqrt,
    Linear,
    Neighbours,
    Plateau,
    PlateauReload,
    RareWords,
    Recall,
    Repeat,
    Schedule,
    Steps,
    WarmUp,
)

BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's, where nothing else is said
_CLIPPED = {"norm": "norm of all", "tensor_norm": "norm of each tensor", "element": "each element"}


@dataclass(frozen=True)
class Words:
    """One recipe as it is read."""

    optimizer: str
    schedule: str
    clipping: str
    length: str


@dataclass(frozen=True)
class RecipeRow:
    """One method's on one dataset, at one scale."""

    scale: str
    method: str
    dataset: str
    words: Words


def read() -> list[RecipeRow]:
    """The recipes of all methods, by scale and dataset.

    Raises:
        UserError: they were not resolved yet.
    """
    try:
        rows = read_json(paths.RECIPES)
    except FileNotFoundError:
        raise missing(paths.RECIPES, "run `python -m mgsl trace`") from None
    recipes = []
    for row in rows:
        run = parse(RunConfig, row["run"], where=str(paths.RECIPES))
        words = Words(
            optimizer=_by_stage(run, partial(_optimizer, run)),
            schedule=_schedule(run.schedule) + _stages(row["stages"]),
            clipping=_by_stage(run, lambda training: _clipping(training.clip)),
            length=_length(run) + _remedy(run.training.rare_words),
        )
        recipes.append(RecipeRow(row["scale"], run.method, run.dataset, words))
    return recipes


def _by_stage(run: RunConfig, words: Callable[[TrainingParams], str]) -> str:
    """Of the training, or of one stage after the other where they differ."""
    stages = max(1, len(run.training.stages))
    said = [words(run.training.of_stage(stage)) for stage in range(stages)]
    return "; then ".join(dict.fromkeys(said))


def _optimizer(run: RunConfig, training: TrainingParams) -> str:
    optimizer, l2 = training.optimizer, run.model.get("weight_decay", 0.0)
    if isinstance(optimizer, SGD):
        words = ["gradient descent", f"momentum {_number(optimizer.momentum)}"]
        if optimizer.bias_factor != 1:
            words.append(f"biases at {_number(optimizer.bias_factor)} times the rate")
    else:
        words = ["Adam"]
        if optimizer.betas != BETAS:
            words.append(f"betas {' and '.join(map(_number, optimizer.betas))}")
        if optimizer.epsilon != EPSILON:
            words.append(f"epsilon {_number(optimizer.epsilon)}")
    decay = optimizer.weight_decay
    exceptions = " and ".join(optimizer.exceptions).replace("_", " ")
    words.insert(1, _number(run.learning_rate))
    words.append(f"L2 {_number(l2)}" if l2 else "L2 none")
    if decay:
        but = f" but for {exceptions}" if exceptions else ""
        kind = "decay" if isinstance(optimizer, SGD) else "decoupled decay"
        words.append(f"{kind} {_number(decay)}{but}")
    return ", ".join(words)


def _stages(stages: list[dict[str, Any]]) -> str:
    """What the rate is multiplied by in each stage, where there are several."""
    if len(stages) == 1:
        return ""
    unit = "epoch" if "epochs" in stages[0] else "step"
    parts = [f"×{_number(s['factor'])} for {_count(s[f'{unit}s'], unit)}" for s in stages]
    return f"; besides in {len(stages)} stages: {', '.join(parts)}"


def _schedule(schedule: Schedule) -> str:
    if isinstance(schedule, WarmUp):
        return _warm_up(schedule)
    if isinstance(schedule, Steps):
        return f"×{_number(schedule.factor)} after epochs {', '.join(map(str, schedule.epochs))}"
    if isinstance(schedule, Plateau):
        return (
            f"×{_number(schedule.factor)} on a plateau of {_watched(schedule.watch)}: more than "
            f"{_count(schedule.patience, 'epoch')} without a {schedule.better} one"
        )
    if isinstance(schedule, PlateauReload):
        return (
            f"×{_number(schedule.factor)} and back to the best on a plateau of "
            f"{_watched(schedule.watch)}: taken every {_count(schedule.every, 'epoch')}, and the "
            f"oldest of the last {schedule.window} is the best; ends below "
            f"{_number(schedule.least_rate)}"
        )
    return "constant"


def _warm_up(schedule: WarmUp) -> str:
    steps, initial = schedule.warmup_steps, _number(schedule.initial_rate)
    rise = f"from {initial} up over {_count(steps, 'step')}, then " if steps else ""
    if isinstance(schedule, Linear):
        return f"{rise}linearly to 0 at the end"
    assert isinstance(schedule, InverseSqrt)
    return f"{rise}with the inverse square root of the step"


def _watched(watch: str | Recall) -> str:
    if not isinstance(watch, Recall):
        return "the validation loss"
    nms = f" after NMS at {_number(watch.nms)}" if watch.nms is not None else ""
    return f"the validation R@{watch.n}, IoU={_number(watch.iou)}{nms}"


def _clipping(clip: Clipping) -> str:
    return f"{_CLIPPED[clip.kind]} <= {_number(clip.limit)}" if isinstance(clip, Clip) else "none"


def _length(run: RunConfig) -> str:
    number, unit = (run.epochs, "epoch") if run.epochs is not None else (run.steps, "step")
    most = "at most " if isinstance(run.schedule, PlateauReload) else ""
    batch = f", batches of {run.batch_size}" if run.epochs is not None else f" of {run.batch_size}"
    full = ", full ones only" if run.training.drop_last else ""
    return f"{most}{_count(number or 0, unit)}{batch}{full}"


def _remedy(remedy: RareWords | None) -> str:
    """What is done for rare words, where something is."""
    if remedy is None:
        return ""
    if isinstance(remedy, Repeat):
        words = f"pairs with a word of fewer than {remedy.below} queries drawn more often"
    elif isinstance(remedy, Neighbours | Drop):
        what = "left out"
        if isinstance(remedy, Neighbours):
            what = f"replaced by one of the {remedy.nearest} nearest others"
        share = f"{_number(100 * remedy.share)} %"
        words = f"{share} of the words of fewer than {remedy.below} queries {what}"
    else:
        words = "words without a published vector left out, in the test too"
    return f"; {words}"


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}" + ("" if number == 1 else "s")


def _number(value: float) -> str:
    """As it is written by hand: 0.0004, 1e-8."""
    return re.sub(r"e-0?", "e-", f"{value:g}")
