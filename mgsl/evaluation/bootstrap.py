"""How sure a mean over queries is: percentile bootstrap intervals, queries drawn with replacement.

The draws depend on the seed and on the number of queries alone. So every method and every metric
sees the same draws of a group of queries, and differences between methods are paired.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mgsl.params import EvaluationParams

_CHUNK = 2**20  # draws held in memory at once


@dataclass(frozen=True)
class Difference:
    """One mean less another, for each column.

    `p` is two-sided: twice the smaller share of resamples on either side of zero, each share with
    one resample more on either side, so that it is never 0.
    """

    value: Float[np.ndarray, " columns"]
    low: Float[np.ndarray, " columns"]
    high: Float[np.ndarray, " columns"]
    p: Float[np.ndarray, " columns"]


def interval(
    values: Float[np.ndarray, "queries columns"], params: EvaluationParams
) -> tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]]:
    """Lower and upper ends of the interval around the mean of each column.

    Args:
        values: what each query scored, one column for each metric.
        params: the number of resamples, the confidence and the seed.

    Returns:
        Two ends for each column; NaN where there are no queries or the column holds NaN.
    """
    return _percentiles(resampled_means(values, params), params.confidence)


def paired_difference(
    a: Float[np.ndarray, "queries columns"],
    b: Float[np.ndarray, "queries columns"],
    params: EvaluationParams,
) -> Difference:
    """Compare two methods on the same queries.

    Args:
        a: what each query scored with the one method, one column for each metric.
        b: the same queries in the same order with the other.
        params: the number of resamples, the confidence and the seed.

    Returns:
        a - b; NaN where there are no queries or a column holds NaN.
    """
    return _difference(*_means(a - b, params), params.confidence)


def unpaired_difference(
    a: Float[np.ndarray, "queries columns"],
    b: Float[np.ndarray, "others columns"],
    params: EvaluationParams,
) -> Difference:
    """Compare two groups of queries that have none in common; each is drawn for itself.

    Args:
        a: what each query of the one group scored, one column for each metric.
        b: the same of the other group.
        params: the number of resamples, the confidence and the seed; the other group's is one more.

    Returns:
        a - b; NaN where a group is empty or a column holds NaN.
    """
    value, means = _means(a, params)
    seed = params.bootstrap_seed + 1
    other, others = _means(b, params.model_copy(update={"bootstrap_seed": seed}))
    return _difference(value - other, means - others, params.confidence)


def resampled_means(
    values: Float[np.ndarray, "queries columns"], params: EvaluationParams
) -> Float[np.ndarray, "resamples columns"]:
    """Means over as many queries as there are, drawn with replacement, again and again.

    A resample is how often each query was drawn, so its means are one product with `values`.

    Args:
        values: what each query scored, one column for each metric.
        params: the number of resamples and the seed.

    Returns:
        One row for each resample; NaN where there are no queries or a column holds NaN.
    """
    num_queries, resamples = len(values), params.resamples
    means = np.full((resamples, values.shape[1]), np.nan)
    if num_queries == 0:
        return means
    rng = np.random.default_rng(params.bootstrap_seed)
    rows = max(1, _CHUNK // num_queries)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = rng.integers(num_queries, size=(size, num_queries))
        drawn += num_queries * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        means[start : start + size] = counts @ values / num_queries
    return means


def _percentiles(
    means: Float[np.ndarray, "resamples columns"], confidence: float
) -> tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high


def _means(
    values: Float[np.ndarray, "queries columns"], params: EvaluationParams
) -> tuple[Float[np.ndarray, " columns"], Float[np.ndarray, "resamples columns"]]:
    """The mean of each column, NaN where there are no queries, and those of its resamples."""
    mean = values.mean(axis=0) if len(values) else np.full(values.shape[1], np.nan)
    return mean, resampled_means(values, params)


def _difference(
    value: Float[np.ndarray, " columns"],
    means: Float[np.ndarray, "resamples columns"],
    confidence: float,
) -> Difference:
    low, high = _percentiles(means, confidence)
    side = np.minimum((means <= 0).sum(axis=0), (means >= 0).sum(axis=0))
    p = np.minimum(2 * (side + 1) / (len(means) + 1), 1)
    return Difference(value, low, high, np.where(np.isnan(value), np.nan, p))
