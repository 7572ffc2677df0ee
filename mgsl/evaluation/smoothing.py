"""A curve through scores: what queries score by where they lie, such as by a word's frequency.

A local-linear regression with a Gaussian kernel. The band of one training is the percentile
bootstrap over queries, with the draws that every interval of the reports has. That of several is
over queries and trainings, by the formula of `mgsl.evaluation.intervals`: A is the variance of the
resamples of the mean over trainings, B that of the trainings' own curves, and C what the resamples
of single trainings vary more than those of their mean, over S - 1.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mgsl.evaluation.bootstrap import resampled_means
from mgsl.evaluation.intervals import half_width
from mgsl.params import EvaluationParams

Curve = Float[np.ndarray, " points"]


def smooth(
    x: Float[np.ndarray, " queries"],
    methods: Sequence[Float[np.ndarray, "_ queries"]],
    at: Curve,
    params: EvaluationParams,
    *,
    bandwidth: float,
) -> tuple[Curve, Curve, Curve]:
    """A local-linear fit, and the ends of its pointwise interval.

    A fit is made of means over queries, so its resamples are those of the means.

    Args:
        x: where each query lies.
        methods: what it scored under each training of a method; of two, the first less the second.
        at: where the curve is drawn.
        params: of the intervals.
        bandwidth: standard deviation of the kernel, in the unit of x.

    Returns:
        The fit and its two ends.
    """
    means = [scores.mean(axis=0) for scores in methods]
    y = means[0] - means[1] if len(means) == 2 else means[0]
    columns = [y, *means, *(one for scores in methods for one in scores)]
    fits, draws = _resampled(x, np.stack(columns), at, params, bandwidth)
    if min(map(len, methods)) == 1:
        tail = (1 - params.confidence) / 2
        low, high = np.quantile(draws[0], [tail, 1 - tail], axis=0)
        return fits[0], low, high
    variances, place = draws.var(axis=1), 1 + len(methods)
    trainings, both = [], []
    for whole, scores in zip(variances[1:], methods, strict=False):
        number, curves = len(scores), slice(place, place + len(scores))
        trainings.append((fits[curves].var(axis=0, ddof=1) / number, number - 1))
        both.append(np.maximum(variances[curves].mean(axis=0) - whole, 0) / (number - 1))
        place += number
    half = half_width([(variances[0], len(x) - 1)], trainings, both, params.confidence)
    return fits[0], fits[0] - half, fits[0] + half


def _resampled(
    x: Float[np.ndarray, " queries"],
    scores: Float[np.ndarray, "curves queries"],
    at: Curve,
    params: EvaluationParams,
    bandwidth: float,
) -> tuple[Float[np.ndarray, "curves points"], Float[np.ndarray, "curves resamples points"]]:
    """Several fits over the same places, and those of the resamples of the queries."""
    steps = x[:, None] - at
    kernel = np.exp(-0.5 * (steps / bandwidth) ** 2)
    weights, points = [kernel, kernel * steps, kernel * steps**2], len(at)
    columns = [part * y[:, None] for y in scores for part in weights[:2]]
    moments = np.concatenate([*weights, *columns], axis=1)
    means, draws = moments.mean(axis=0)[None], resampled_means(moments, params)
    places = [3 * points + 2 * points * row for row in range(len(scores))]
    fits = [
        [_fit(np.hstack([m[:, : 3 * points], m[:, p : p + 2 * points]]), points) for p in places]
        for m in (means, draws)
    ]
    return np.concatenate(fits[0]), np.stack(fits[1])


def _fit(
    moments: Float[np.ndarray, "resamples moments"], points: int
) -> Float[np.ndarray, "resamples points"]:
    """The intercept of each local line from its weighted moments; the mean where x is one value."""
    s0, s1, s2, t0, t1 = (moments[:, i * points : (i + 1) * points] for i in range(5))
    spread = s0 * s2 - s1**2
    safe = spread > 1e-9 * np.maximum(s0, 1e-300) ** 2
    line = (s2 * t0 - s1 * t1) / np.where(safe, spread, 1)
    return np.where(safe, line, t0 / np.maximum(s0, 1e-300))
