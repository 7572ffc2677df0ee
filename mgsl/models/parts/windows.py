"""Sliding windows: the proposals of CTRL and ACRN, what they see, and how they are learned.

A window is a pair of whole numbers: its first clip, and the clip after its last.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability, Share
from mgsl.records import Batch, Moments

Spans = Int[Tensor, "batch windows 2"]
Mask = Bool[Tensor, "batch clips"]
PerWindow = Float[Tensor, "batch windows dim"]


class WindowConfig(Frozen):
    """Which windows there are, and which of them are answers; lengths in clips.

    Offsets are in frames, the unit of `regression_weight`: in clips they would weigh much more
    than the alignment while training is young.
    """

    num_clips: Positive
    windows: Annotated[tuple[Positive, ...], Field(min_length=1)]
    overlap: Probability
    context: Positive
    frames: Positive  # of a clip, in the mean
    least_iou: Share
    most_outside: Share
    regression_weight: Annotated[float, Field(ge=0)]


class Windows(NamedTuple):
    """The windows of each video; those that are not real lie in it all the same."""

    spans: Spans
    real: Bool[Tensor, "batch windows"]


class SlidingWindows(nn.Module):
    """Windows of several sizes, the last of each size at the end of the video.

    Args:
        sizes: in clips; one longer than the longest video becomes as long as that.
        num_clips: of the longest video.
        overlap: of neighbours, as a share of their size, in [0, 1).
    """

    table: Int[Tensor, "windows 3"]

    def __init__(self, sizes: Sequence[int], *, num_clips: int, overlap: float) -> None:
        super().__init__()
        rows = []
        for size in sorted({min(size, num_clips) for size in sizes}):
            stride = max(1, round(size * (1 - overlap)))
            starts = range(0, num_clips - size + stride, stride)
            rows += [(start, size, stride) for start in starts]
        self.register_buffer("table", torch.tensor(rows), persistent=False)

    def forward(self, mask: Mask) -> Windows:
        """The windows over each video's real clips; at least one is real."""
        starts, sizes, strides = self.table.unbind(1)
        length = mask.sum(1, keepdim=True)
        fitting = torch.minimum(sizes, length)
        last = length - fitting
        fits = (sizes <= length) | (sizes == sizes[0])
        start = torch.minimum(starts, last)
        return Windows(
            spans=torch.stack([start, start + fitting], dim=-1),
            real=(starts - strides < last) & fits,
        )


def neighbours(spans: Spans, mask: Mask, context: int) -> tuple[Spans, Spans]:
    """The `context` clips before and after each window; the window itself where they are fewer."""
    start, end = spans.unbind(-1)
    before = torch.stack([start - context, start], dim=-1)
    after = torch.stack([end, end + context], dim=-1)
    reaches_back = (start >= context)[..., None]
    reaches_on = (end + context <= mask.sum(1, keepdim=True))[..., None]
    return torch.where(reaches_back, before, spans), torch.where(reaches_on, after, spans)


def pool(clips: Float[Tensor, "batch clips dim"], mask: Mask, spans: Spans) -> PerWindow:
    """The mean of each window's clips, by differences of cumulative sums."""
    sums = F.pad((clips.float() * mask[..., None]).cumsum(1), (0, 0, 1, 0))
    start, end = (
        sums.gather(1, edge[..., None].expand(-1, -1, sums.shape[-1])) for edge in spans.unbind(-1)
    )
    return (end - start) / (spans[..., 1] - spans[..., 0])[..., None]


def shared(
    a: Float[Tensor, "*#batch 2"], b: Float[Tensor, "*#batch 2"]
) -> tuple[Float[Tensor, "*#batch"], Float[Tensor, "*#batch"]]:
    """tIoU of two spans, and the share of the first that lies outside the second."""
    common = torch.minimum(a[..., 1], b[..., 1]) - torch.maximum(a[..., 0], b[..., 0])
    common = common.clamp(min=0)
    length = a[..., 1] - a[..., 0]
    union = length + (b[..., 1] - b[..., 0]) - common
    return common / union, 1 - common / length


class Pairs(NamedTuple):
    """Queries of a batch that have an answer among the windows, each with one of its answers."""

    rows: Int[Tensor, " pairs"]  # of the batch
    spans: Int[Tensor, "pairs 1 2"]
    offsets: Float[Tensor, "pairs 2"]  # from the window's ends to the target's, in frames


def draw_pairs(windows: Windows, batch: Batch, config: WindowConfig) -> Pairs:
    """Draw an answer for each query that has one; a moment that comes twice is taken once.

    An answer overlaps the target by tIoU > `least_iou`, and less than `most_outside` of it lies
    outside. Two queries tell of one moment if neither target nor video differ.
    """
    target = batch.target * batch.video_mask.sum(1, keepdim=True)
    tiou, outside = shared(windows.spans.float(), target[:, None])
    right = (tiou > config.least_iou) & (outside < config.most_outside) & windows.real
    rows = (right.any(1) & ~repeated(batch)).nonzero()[:, 0]
    luck = torch.rand_like(tiou).masked_fill(~right, -1)
    drawn = luck.argmax(1)[rows]
    spans = windows.spans[rows, drawn]
    return Pairs(rows, spans[:, None], (target[rows] - spans) * config.frames)


def repeated(batch: Batch) -> Bool[Tensor, " batch"]:
    """Whether a row's moment is that of an earlier row."""
    same = (batch.target[:, None] == batch.target).all(-1).tril(-1)
    rows, others = same.nonzero().unbind(1)
    twice = torch.zeros_like(same[0])
    twice[rows[(batch.video[rows] == batch.video[others]).flatten(1).all(1)]] = True
    return twice


def pair_losses(
    outputs: Float[Tensor, "pairs pairs 3"], pairs: Pairs, config: WindowConfig
) -> dict[str, Float[Tensor, ""]]:
    """Each query against the windows of all pairs; the offsets of its own.

    Args:
        outputs: score, and offsets in frames, of each query (row) and window (column).
        pairs: what belongs together.
        config: of the windows.
    """
    offsets = outputs[..., 1:].diagonal().T
    error = (offsets - pairs.offsets).abs().sum() / (2 * max(1, len(pairs.rows)))
    return {
        "alignment": alignment(outputs[..., 0]),
        "regression": config.regression_weight * error,
    }


def alignment(scores: Float[Tensor, "pairs pairs"]) -> Float[Tensor, ""]:
    """Logistic loss: own windows up, those of others down with the weight of one among all."""
    n = max(1, len(scores))
    up, down = F.softplus(-scores.diagonal()).sum(), F.softplus(scores)
    others = down.sum() - down.diagonal().sum()
    return ((1 + 1 / n) * up + others / n) / n**2


def moments(
    outputs: Float[Tensor, "batch windows 3"], windows: Windows, mask: Mask, frames: int
) -> Moments:
    """The windows moved by their offsets, best first; none is shorter than a clip."""
    length = mask.sum(1, keepdim=True)
    spans = (windows.spans + outputs[..., 1:] / frames) / length[..., None]
    start = torch.minimum(spans[..., 0].clamp(min=0), 1 - 1 / length)
    end = torch.maximum(spans[..., 1], start + 1 / length).clamp(max=1)
    return rank(torch.stack([start, end], dim=-1), outputs[..., 0], windows.real)


def rank(
    spans: Float[Tensor, "batch windows 2"],
    logits: Float[Tensor, "batch windows"],
    real: Bool[Tensor, "batch windows"],
) -> Moments:
    """Order by score, the best first and what is not real last."""
    logits, order = logits.masked_fill(~real, -torch.inf).sort(dim=1, descending=True, stable=True)
    return Moments(spans.gather(1, order[..., None].expand_as(spans)), logits.sigmoid())
