"""What a detector of segments is made of: anchors, offsets, suppression, sampling, pooling.

A segment is a start and an end in clips, fractions allowed.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

Segments = Float[Tensor, "batch segments 2"]
PerSegment = Float[Tensor, "batch segments"]
Marks = Bool[Tensor, "batch segments"]
LEAST = 1e-3  # of a length


def centered_anchors(num_clips: int, lengths: Sequence[int]) -> Float[Tensor, "segments 2"]:
    """Anchors of all lengths around the middle of each clip, clip by clip; some leave the video."""
    middles = torch.arange(num_clips)[:, None] + 0.5
    half = torch.tensor(lengths) / 2
    return torch.stack([middles - half, middles + half], dim=-1).flatten(0, 1)


def offsets(of: Segments, to: Float[Tensor, "batch #segments 2"]) -> Segments:
    """From segments to others: the way of the middle in own lengths, the logarithm of the ratio."""
    length, other = of[..., 1] - of[..., 0], to[..., 1] - to[..., 0]
    way = (to.sum(-1) - of.sum(-1)) / 2
    return torch.stack([way / length, (other / length).log()], dim=-1)


def moved(segments: Segments, by: Segments, count: Int[Tensor, " batch"]) -> Segments:
    """Segments moved by offsets, cut off at the ends of videos of so many clips; some is left."""
    length = segments[..., 1] - segments[..., 0]
    middle = segments.mean(-1) + by[..., 0] * length
    most = count[:, None].to(middle.dtype)
    half = torch.minimum(length * by[..., 1].exp() / 2, most)  # no number is too large
    start = torch.minimum((middle - half).clamp(min=0), most - LEAST)
    end = torch.minimum(torch.maximum(middle + half, start + LEAST), most)
    return torch.stack([start, end], dim=-1)


def suppress(
    segments: Segments, scores: PerSegment, real: Marks, *, threshold: float, keep: int
) -> tuple[Int[Tensor, "batch {keep}"], Bool[Tensor, "batch {keep}"]]:
    """Greedy non-maximum suppression: the columns that are kept, best first, and which are real.

    A segment is dropped if a better one overlaps it by tIoU > threshold.
    """
    start, end = segments.unbind(-1)
    length = end - start
    scores = scores.masked_fill(~real, -torch.inf)
    columns, alive = [], []
    for _ in range(keep):
        score, column = scores.max(1, keepdim=True)
        common = torch.minimum(end, end.gather(1, column))
        common = (common - torch.maximum(start, start.gather(1, column))).clamp(min=0)
        union = length + length.gather(1, column) - common
        scores = scores.masked_fill(common > threshold * union, -torch.inf)
        scores = scores.scatter(1, column, -torch.inf)
        columns.append(column)
        alive.append(score > -torch.inf)
    return torch.cat(columns, dim=1), torch.cat(alive, dim=1)


def sample(positive: Marks, negative: Marks, number: int) -> tuple[Marks, Marks]:
    """Draw at most half of a number from the positives, and fill it up with negatives."""
    luck = torch.rand(positive.shape, device=positive.device)
    first = positive & (_places(luck, positive) < number // 2)
    room = number - first.sum(1, keepdim=True)
    return first, negative & (_places(luck, negative) < room)


def _places(luck: PerSegment, among: Marks) -> Int[Tensor, "batch segments"]:
    """Where each of some comes if all of them are ordered by luck."""
    return luck.masked_fill(~among, 2).argsort(1).argsort(1)


def segment_maxima(
    clips: Float[Tensor, "batch clips dim"], segments: Segments
) -> Float[Tensor, "batch segments dim"]:
    """The maximum over the clips that each segment touches, at least one, by a table of doublings.

    Level k of the table holds the maximum over the 2^k clips from each one on: two of these cover
    any segment, so the cost does not grow with lengths. The table is log2(clips) times the clips.
    """
    count = clips.shape[1]
    first = segments[..., 0].detach().floor().long().clamp(0, count - 1)
    end = segments[..., 1].detach().ceil().long().clamp(max=count)
    length = (end - first).clamp(min=1)
    levels, widths = [clips], [1]
    while 2 * widths[-1] <= count:  # what is rolled in at the end belongs to no segment
        levels.append(torch.maximum(levels[-1], levels[-1].roll(-widths[-1], 1)))
        widths.append(2 * widths[-1])
    level = (length[..., None] >= torch.tensor(widths, device=clips.device)).sum(-1) - 1
    start = level * count + first
    table = torch.cat(levels, dim=1)
    left, right = (
        table.gather(1, place[..., None].expand(-1, -1, table.shape[-1]))
        for place in (start, start + length - 2**level)
    )
    return torch.maximum(left, right)


def anchor_labels(tiou: PerSegment, above: float, below: float) -> tuple[Marks, Marks]:
    """Positive: overlaps enough, or as well as any; negative: hardly. -1 is neither."""
    positive = (tiou >= above) | (tiou == tiou.amax(1, keepdim=True))
    return positive, (tiou < below) & (tiou >= 0) & ~positive


def head_losses(
    logits: Float[Tensor, "batch segments 2"],
    by: Segments,
    to: Segments,
    drawn: tuple[Marks, Marks],
    *,
    beta: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Cross entropy of background and foreground; smooth L1 of the foreground's offsets.

    Both are sums divided by how many segments of a query are drawn, and means over queries.
    """
    positive, negative = drawn
    counted = positive | negative
    number = counted.sum(1).clamp(min=1)
    apart = logits[..., 1] - logits[..., 0]
    cost = torch.where(counted, F.softplus(torch.where(positive, -apart, apart)), 0)
    error = F.smooth_l1_loss(by, to, reduction="none", beta=beta).sum(-1)
    error = torch.where(positive, error, 0)
    return (cost.sum(1) / number).mean(), (error.sum(1) / number).mean()
