"""Geometry of methods in which every clip proposes one moment."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

PerClip = Float[Tensor, "batch clips"]
ClipMask = Bool[Tensor, "batch clips"]


def clip_centers(mask: ClipMask) -> PerClip:
    """Middles of each video's real clips, as shares of its duration."""
    return (torch.arange(mask.shape[1], device=mask.device) + 0.5) / mask.sum(1, keepdim=True)


def inside(target: Float[Tensor, "batch 2"], mask: ClipMask) -> ClipMask:
    """Clips whose middle lies in the target; the nearest clip where there is none (Q17)."""
    centers = clip_centers(mask)
    outside = torch.maximum(target[:, :1] - centers, centers - target[:, 1:]).clamp(min=0)
    outside = outside.masked_fill(~mask, torch.inf)
    nearest = F.one_hot(outside.argmin(1), mask.shape[1]).bool()
    return (outside == 0) | nearest


def distance_iou(
    truth: Float[Tensor, "batch clips 2"], predicted: Float[Tensor, "batch clips 2"]
) -> PerClip:
    """tIoU of two spans given by their distances from one point (C, erratum of Eq. 11).

    Distances of the truth are negative on the side where the point lies outside it.
    """
    intersection = torch.minimum(truth, predicted).sum(-1).clamp(min=0)
    union = truth.sum(-1) + predicted.sum(-1) - intersection
    return intersection / union.clamp(min=1e-6)
