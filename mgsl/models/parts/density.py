"""Where moments lie in their videos: a Gaussian kernel density, and answers drawn from it.

After M. Otani et al. "Uncovering Hidden Challenges in Query-Based Video Moment Retrieval". BMVC
2020, and mayu-ot/hidden-challenges-MR, commit e0c4546. Spans are fractions of the duration. The
kernel has the covariance of the data, so that it is all one whether a moment is told by its start
and end or, as there, by its start and length.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Float32, Int
from pydantic import Field

from mgsl.fields import Frozen, Positive, Share
from mgsl.queries import Query
from mgsl.spans import nms

_ALIKE = 1e-6  # moments that differ by less lie on one line
_CHUNK = 1024  # queries answered at once


class DensityConfig(Frozen):
    """The kernel's width, and how moments are drawn from the density.

    `bandwidth` is the width as a share of the data's standard deviation, or Scott's rule; of fewer
    than `min_moments` no density is estimated.
    """

    bandwidth: Literal["scott"] | Annotated[float, Field(gt=0)]
    min_moments: Positive
    pool: Positive
    samples: Positive
    nms_threshold: Share
    keep: Positive


@dataclass(frozen=True)
class Pool:
    """Draws from one density, the densest first, clipped to the video; `heights` falls."""

    spans: Float32[np.ndarray, "draws 2"]
    heights: Float32[np.ndarray, " draws"]

    def __post_init__(self) -> None:
        if self.spans.shape != (*self.heights.shape, 2):
            raise ValueError(f"spans {self.spans.shape} do not fit heights {self.heights.shape}")


def spans(queries: Sequence[Query]) -> Float[np.ndarray, "queries 2"]:
    """The moments of queries, as fractions of the duration."""
    rows = [(q.start_s / q.duration_s, q.end_s / q.duration_s) for q in queries]
    return np.array(rows, np.float64).reshape(-1, 2)


def draw_pool(
    moments: Float[np.ndarray, "moments 2"], config: DensityConfig, *, seed: int
) -> Pool | None:
    """Estimate the density of some moments and draw from it.

    Args:
        moments: as fractions of the duration.
        config: the width, and how many are drawn.
        seed: of the draws.

    Returns:
        The draws that have a length inside the video, with the density where they fell before they
        were clipped; None where there are too few moments, or all lie on one line.
    """
    from scipy.stats import gaussian_kde  # slow to import, and other methods do without

    if len(moments) < max(config.min_moments, 3):
        return None
    if np.linalg.matrix_rank(moments - moments.mean(axis=0), tol=_ALIKE) < 2:
        return None
    density = gaussian_kde(moments.T, bw_method=config.bandwidth)
    rng = np.random.default_rng(seed)
    drawn = np.empty((0, 2))
    while len(drawn) < config.pool:
        fresh = density.resample(config.pool, seed=rng).T
        inside = fresh.clip(0, 1)
        drawn = np.concatenate([drawn, fresh[inside[:, 0] < inside[:, 1]]])
    drawn = drawn[: config.pool]
    heights = density(drawn.T)
    order = np.argsort(-heights, kind="stable")
    return Pool(drawn[order].clip(0, 1).astype(np.float32), heights[order].astype(np.float32))


def answer(
    queries: Sequence[Query],
    pools: Sequence[Pool],
    pool_of: Int[np.ndarray, " queries"],
    config: DensityConfig,
    *,
    seed: int,
) -> tuple[Float[np.ndarray, "queries keep 2"], Float[np.ndarray, "queries keep"]]:
    """Draw for each query from its pool, and keep what greedy NMS leaves, the densest first.

    A query of which fewer than `config.keep` draws are left draws anew, twice as many, up to the
    size of the pool; then its last answer is repeated.

    Args:
        queries: what is asked. The id of a query decides its draws.
        pools: of all densities.
        pool_of: which pool each query draws from.
        config: how many are drawn and kept.
        seed: of the draws.

    Returns:
        Spans as fractions of the duration, and their densities.
    """
    answered = np.empty((len(queries), config.keep, 2))
    heights = np.empty((len(queries), config.keep))
    spans_of = np.stack([pool.spans for pool in pools]).astype(np.float64)
    heights_of = np.stack([pool.heights for pool in pools])
    for start in range(0, len(queries), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(queries)))
        num = config.samples
        while len(rows):
            qids = [queries[row].qid for row in rows.tolist()]
            draws = np.stack([_draw(qid, num, config.pool, seed) for qid in qids])
            candidates = spans_of[pool_of[rows, None], draws]
            kept = nms(
                candidates, np.ones(draws.shape, bool),
                threshold=config.nms_threshold, keep=config.keep,
            )  # fmt: skip
            picks = np.take_along_axis(draws, np.maximum.accumulate(kept, axis=1), axis=1)
            answered[rows] = spans_of[pool_of[rows, None], picks]
            heights[rows] = heights_of[pool_of[rows, None], picks]
            num *= 2
            rows = rows[(kept[:, -1] < 0) & (num <= config.pool)]
    return answered, heights


def _draw(qid: str, num: int, size: int, seed: int) -> Int[np.ndarray, " {num}"]:
    """Which draws of a pool a query gets, the densest first."""
    rng = np.random.default_rng([seed, zlib.crc32(qid.encode())])
    return np.sort(rng.integers(size, size=num))
