"""Anchors of TGN and CBP: spans of several lengths that end with a clip; all in clips."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mgsl.models.parts.windows import shared

Table = Float[Tensor, "clips anchors 2"]
PerAnchor = Float[Tensor, "batch clips anchors"]
Labels = Bool[Tensor, "batch clips anchors"]

COUNTED = 256  # queries whose labels are counted at a time


def ending_anchors(num_clips: int, lengths: Sequence[int]) -> Table:
    """The anchors of every clip; some begin before the video."""
    ends = torch.arange(1, num_clips + 1)[:, None]
    starts = ends - torch.tensor(lengths)
    return torch.stack([starts, ends.expand_as(starts)], dim=-1).float()


def anchors_inside(num_clips: int, lengths: Sequence[int]) -> list[int]:
    """Which anchors begin within the video, counted clip by clip."""
    anchors = enumerate(tuple(lengths) * num_clips)
    return [n for n, length in anchors if length <= n // len(lengths) + 1]


def labels(
    anchors: Table, target: Float[Tensor, "batch 2"], *, above: float, below: float
) -> tuple[Labels, Labels]:
    """Which anchors overlap the target by more than `above`, and which by less than `below`."""
    tiou, _ = shared(anchors, target[:, None, None])
    return tiou > above, tiou < below


def positive_weights(
    anchors: Table,
    targets: Float[Tensor, "queries 2"],
    *,
    above: float,
    below: float,
    most: float | None,
) -> Float[Tensor, " anchors"]:
    """How many negatives an anchor has for each positive, over all targets; at most `most`."""
    counts = torch.zeros(2, anchors.shape[1], device=targets.device)
    for part in targets.split(COUNTED):
        signs = labels(anchors, part, above=above, below=below)
        counts += torch.stack([sign.sum((0, 1)) for sign in signs])
    weights = counts[1] / counts[0].clamp(min=1)
    return weights if most is None else weights.clamp(max=most)


def cross_entropy(
    logits: PerAnchor, positive: Labels, negative: Labels, weight: Float[Tensor, " anchors"]
) -> PerAnchor:
    """Of each anchor that has a label; positives count `weight` times."""
    terms = weight * positive * F.softplus(-logits)
    return terms + negative * F.softplus(logits)
