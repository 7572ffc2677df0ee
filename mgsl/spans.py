"""The geometry of time, on NumPy alone. A span is (start, end); both ends in the same unit."""

import numpy as np
from jaxtyping import Bool, Float, Int

Spans = Float[np.ndarray, "*batch 2"]


def tiou(a: Float[np.ndarray, "*a 2"], b: Float[np.ndarray, "*b 2"]) -> Float[np.ndarray, "*c"]:
    """Temporal intersection over union; leading axes broadcast.

    Two spans of no length that coincide have tIoU 0: a moment without length cannot be hit.

    Args:
        a: spans with start <= end.
        b: spans with start <= end, in the unit of `a`.

    Returns:
        The overlap, in [0, 1].
    """
    overlap = np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0])
    intersection = np.maximum(overlap, 0)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - intersection
    return intersection / np.where(union > 0, union, 1)


def nms(
    spans: Float[np.ndarray, "queries proposals 2"],
    real: Bool[np.ndarray, "queries proposals"],
    *,
    threshold: float,
    keep: int,
) -> Int[np.ndarray, "queries keep"]:
    """Greedy non-maximum suppression of many queries at once.

    Args:
        spans: proposals of each query, best first.
        real: False where a query has fewer proposals than the array has columns.
        threshold: a proposal is suppressed by a better one it overlaps by tIoU > threshold.
        keep: how many survivors to return, at least 1.

    Returns:
        Columns of the survivors, best first; -1 where a query has no further survivor.
    """
    alive = real.copy()
    rows = np.arange(len(spans))
    kept = np.full((len(spans), keep), -1)
    for rank in range(keep):
        best = alive.argmax(axis=1)  # the first that is alive, since the best come first
        found = alive[rows, best]
        kept[found, rank] = best[found]
        alive &= ~(tiou(spans, spans[rows, best][:, None]) > threshold) | ~found[:, None]
        alive[rows, best] = False
    return kept


def clip_centers(num_clips: int) -> Float[np.ndarray, " clips"]:
    """Middles of `num_clips` equal clips, as fractions of the duration."""
    return (np.arange(num_clips) + 0.5) / num_clips


def to_seconds(
    fractions: Float[np.ndarray, "queries *proposals 2"], duration_s: Float[np.ndarray, " queries"]
) -> Float[np.ndarray, "queries *proposals 2"]:
    """Spans as fractions of the duration to spans in seconds."""
    return fractions * duration_s.reshape(-1, *[1] * (fractions.ndim - 1))
