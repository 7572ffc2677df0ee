"""The geometry of time, on NumPy alone. A span is (start, end); both ends in the same unit."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int


def tiou(
    a: Float[np.ndarray, "*#batch 2"], b: Float[np.ndarray, "*#batch 2"]
) -> Float[np.ndarray, "*#batch"]:
    """Temporal intersection over union; leading axes broadcast.

    Rounded to nine decimals: spans that overlap by one half on paper overlap by 0.5 here, not by
    0.49999999999999994, and meet a threshold of 0.5 whatever the unit of time. Two spans of no
    length that coincide have tIoU 0: a moment without length cannot be hit.

    Args:
        a: spans with start <= end.
        b: spans with start <= end, in the unit of `a`.

    Returns:
        The overlap, in [0, 1].
    """
    common = np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0])
    intersection = np.maximum(common, 0)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - intersection
    return np.asarray(np.round(intersection / np.where(union > 0, union, 1), 9))


def nms(
    spans: Float[np.ndarray, "queries proposals 2"],
    real: Bool[np.ndarray, "queries proposals"],
    *,
    threshold: float,
    keep: int,
) -> Int[np.ndarray, "queries {keep}"]:
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
        remains = alive[rows, best]
        kept[remains, rank] = best[remains]
        if rank + 1 < keep:
            alive &= tiou(spans, spans[rows, best][:, None]) <= threshold
            alive[rows, best] = False  # a span of no length does not overlap itself
    return kept


def leaders(
    spans: Float[np.ndarray, "queries proposals 2"], *, thresholds: Sequence[float], keep: int
) -> Bool[np.ndarray, "queries proposals"]:
    """The proposals that decide whatever NMS at one of the thresholds leaves first.

    NMS among them alone leaves the same first `keep` as NMS among all: what a proposal suppresses,
    and what suppresses it, does not change when others that are suppressed are absent.

    Args:
        spans: proposals of each query, best first.
        thresholds: each as `nms` takes it; 1 suppresses nothing.
        keep: how many survivors matter, at least 1.
    """
    mask = np.zeros(spans.shape[:2], bool)
    everything = np.ones_like(mask)
    for threshold in thresholds:
        kept = nms(spans, everything, threshold=threshold, keep=keep)
        rows, ranks = np.nonzero(kept >= 0)
        mask[rows, kept[rows, ranks]] = True
    return mask


def to_clips(
    spans_s: Float[np.ndarray, "queries *proposals 2"],
    duration_s: Float[np.ndarray, " queries"],
    num_clips: int,
) -> Float[np.ndarray, "queries *proposals 2"]:
    """Spans in seconds to places among the clips of their video, from 0 to `num_clips`.

    Args:
        spans_s: spans.
        duration_s: how long the video of each query is, in seconds.
        num_clips: into how many clips it is cut.
    """
    return spans_s * num_clips / duration_s.reshape(-1, *[1] * (spans_s.ndim - 1))


def whole_clips(
    indices: Float[np.ndarray, "*batch 2"], num_clips: int
) -> Float[np.ndarray, "*batch 2"]:
    """The spans that cover the clips of these indices, the first and the last among them."""
    return indices.clip(0, num_clips - 1) + np.array([0, 1])


def to_seconds(
    fractions: Float[np.ndarray, "queries *proposals 2"], duration_s: Float[np.ndarray, " queries"]
) -> Float[np.ndarray, "queries *proposals 2"]:
    """Spans as fractions of the duration to spans in seconds.

    Args:
        fractions: spans, in [0, 1].
        duration_s: how long the video of each query is, in seconds.
    """
    factor = duration_s.reshape(-1, *[1] * (fractions.ndim - 1))
    seconds: Float[np.ndarray, "queries *proposals 2"] = fractions * factor
    return seconds
