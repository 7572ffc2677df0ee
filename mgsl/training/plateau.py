"""Plateaus: a schedule looks at validation, lowers the rate and may go back to a state before."""

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mgsl.configs import RunConfig
from mgsl.recipes import Plateau, PlateauReload
from mgsl.records import Moments
from mgsl.spans import nms

State = dict[str, Any]  # of tensors, numbers and text, as a file keeps it


@dataclass
class Looks:
    """What a plateau has seen of a training; saved with it.

    `states` holds what may be gone back to: the number of a look, its figure, and the state then.
    """

    number: int = 0  # of looks
    cuts: int = 0  # of the rate
    best: float | None = None
    worse: int = 0  # looks since the best, or since the last cut
    states: list[tuple[int, float, State]] = field(default_factory=list)


def due(config: RunConfig, epoch: int) -> bool:
    """Whether one looks at validation after this epoch, counted from 1, for the rate's sake."""
    schedule = config.schedule
    return isinstance(schedule, Plateau) or (
        isinstance(schedule, PlateauReload) and epoch % schedule.every == 0
    )


def look(looks: Looks, config: RunConfig, figure: float, state: State) -> State | None:
    """Judge a training by a figure of its validation.

    Args:
        looks: those before; changed in place.
        config: of a training whose schedule is a plateau.
        figure: what the schedule watches.
        state: weights and optimiser at this point; it is copied where it may be gone back to.

    Returns:
        The state to go back to; None: on as it is.
    """
    looks.number += 1
    if isinstance(config.schedule, PlateauReload):
        return _look_back(looks, config.schedule, figure, state)
    assert isinstance(config.schedule, Plateau)
    sign = 1 if config.schedule.better == "higher" else -1
    if looks.best is None or sign * figure > sign * looks.best:
        looks.best, looks.worse = figure, 0
    else:
        looks.worse += 1
    if looks.worse > config.schedule.patience:
        looks.cuts, looks.worse = looks.cuts + 1, 0
    return None


def _look_back(looks: Looks, schedule: PlateauReload, figure: float, state: State) -> State | None:
    """Of the looks in the window, keep those that no later one surpasses: the first is the best."""
    oldest = looks.number - schedule.window + 1
    states = [one for one in looks.states if one[0] >= oldest and one[1] >= figure]
    looks.states = [*states, (looks.number, figure, copy.deepcopy(state))]
    if looks.states[0][0] != oldest:
        return None
    looks.cuts += 1
    return looks.states.pop(0)[2]


def is_over(looks: Looks, config: RunConfig) -> bool:
    """Whether a plateau has lowered the rate further than the training goes."""
    schedule = config.schedule
    return isinstance(schedule, PlateauReload) and (
        config.learning_rate * schedule.factor**looks.cuts < schedule.least_rate
    )


def survivors(moments: Moments, *, threshold: float, keep: int) -> Moments:
    """The first `keep` of what NMS leaves; where fewer are left, moments of no length, score 0."""
    spans, scores = moments.spans.cpu(), moments.scores.cpu()
    real = np.ones(scores.shape, bool)
    columns = torch.from_numpy(nms(spans.double().numpy(), real, threshold=threshold, keep=keep))
    none, column = columns < 0, columns.clamp(min=0)
    spans = spans.gather(1, column[..., None].expand(-1, -1, 2)).masked_fill(none[..., None], 0)
    return Moments(spans, scores.gather(1, column).masked_fill(none, 0))
