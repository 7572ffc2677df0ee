"""What one method scores less another, over the same queries and the same seeds.

The scores of a query are first averaged over the seeds; then queries are drawn. So an interval says
what the choice of queries leaves open, given these trainings; what the choice of seeds adds stands
apart: `std`, the standard deviation (n - 1) of the seeds' own differences, NaN for one seed, and
`agree`, the share of seeds whose difference has the sign of the mean.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from mgsl.evaluation.bootstrap import Difference, paired_difference, unpaired_difference
from mgsl.params import EvaluationParams


def differences(
    a: Sequence[pd.DataFrame],
    b: Sequence[pd.DataFrame],
    masks: Mapping[str, Bool[np.ndarray, " queries"]],
    params: EvaluationParams,
) -> pd.DataFrame:
    """Compare two methods query by query, in each group of queries.

    Args:
        a: what each query scored with the one method: a table for each seed, one row for each query
            and one column for each metric (`scoring.query_scores`).
        b: the same queries and seeds with the other.
        masks: who belongs to each group (`metrics.groups`).
        params: of the bootstrap.

    Returns:
        Columns group, metric, value, low, high, p, std, agree, seeds, queries: a - b in fractions.

    Raises:
        ValueError: the methods have not the same number of seeds.
    """
    first, second, metrics = *_stacked(a, b), a[0].columns
    tables = {
        group: _table(
            paired_difference(first[:, mask].mean(axis=0), second[:, mask].mean(axis=0), params),
            _means(first - second, mask),
            metrics,
        ).assign(queries=int(mask.sum()))
        for group, mask in masks.items()
    }
    return pd.concat(tables, names=["group"]).reset_index()


def contrast(
    scores: Sequence[pd.DataFrame],
    first: Bool[np.ndarray, " queries"],
    second: Bool[np.ndarray, " queries"],
    params: EvaluationParams,
) -> pd.DataFrame:
    """Compare two groups of queries that have none in common, such as the rare and the common.

    Args:
        scores: a table for each seed, one row for each query and one column for each metric: what
            a method scored, or what one scored less what another did.
        first: who belongs to the one group.
        second: who belongs to the other.
        params: of the bootstrap.

    Returns:
        Columns metric, value, low, high, p, std, agree, seeds, queries: first - second in
        fractions; the queries are those of the smaller group.
    """
    values, _ = _stacked(scores, scores)
    found = unpaired_difference(
        values[:, first].mean(axis=0), values[:, second].mean(axis=0), params
    )
    by_seed = _means(values, first) - _means(values, second)
    table = _table(found, by_seed, scores[0].columns)
    return table.assign(queries=int(min(first.sum(), second.sum()))).reset_index()


def _stacked(
    a: Sequence[pd.DataFrame], b: Sequence[pd.DataFrame]
) -> tuple[Float[np.ndarray, "seeds queries metrics"], Float[np.ndarray, "seeds queries metrics"]]:
    if len(a) != len(b):
        raise ValueError(f"{len(a)} seeds are compared with {len(b)}")
    first, second = (np.stack([table.to_numpy(np.float64) for table in part]) for part in (a, b))
    return first, second


def _means(
    values: Float[np.ndarray, "seeds queries metrics"], mask: Bool[np.ndarray, " queries"]
) -> Float[np.ndarray, "seeds metrics"]:
    """The mean of each seed over a group; NaN where it is empty."""
    some = values[:, mask]
    return some.mean(axis=1) if mask.any() else np.full((len(values), values.shape[2]), np.nan)


def _table(
    found: Difference, by_seed: Float[np.ndarray, "seeds metrics"], metrics: pd.Index
) -> pd.DataFrame:
    seeds = len(by_seed)
    spread = by_seed.std(axis=0, ddof=1) if seeds > 1 else np.full(len(metrics), np.nan)
    return pd.DataFrame(
        {
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            "std": spread,
            "agree": (np.sign(by_seed) == np.sign(found.value)).mean(axis=0),
            "seeds": seeds,
        },
        index=metrics,
    )
