"""What methods score, and one more than another, over queries and trainings, as tables.

The intervals are those of `mgsl.evaluation.intervals`: over queries and trainings, and of a single
training over queries alone. `sd` is the standard deviation over trainings, NaN for one;
`of_queries` and `of_trainings` are the shares of the interval's variance that queries alone and
trainings alone give; `better` is P(A > B), the share of pairs of a training of the one and a
training of the other in which the one scores more, ties half.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from mgsl.evaluation.bootstrap import paired_difference
from mgsl.evaluation.intervals import Estimate, better, estimate
from mgsl.params import EvaluationParams

Tables = Sequence[pd.DataFrame]  # one for each training: a row for each query, a column a metric
Mask = Bool[np.ndarray, " queries"]


def means(scores: Tables, masks: Mapping[str, Mask], params: EvaluationParams) -> pd.DataFrame:
    """What a method scores in each group of queries.

    Args:
        scores: what each query scored under each training (`scoring.query_scores`).
        masks: who belongs to each group (`metrics.groups`).
        params: of the intervals.

    Returns:
        Columns group, metric, value, low, high, sd, of_queries, of_trainings, trainings, queries,
        in fractions; no interval goes beyond 0 and 1.
    """
    values = stack(scores)
    tables = {}
    for group, mask in masks.items():
        table = describe(estimate([values], [mask]), scores[0].columns, params)
        table[["low", "high"]] = table[["low", "high"]].clip(0, 1)
        tables[group] = table.assign(queries=int(mask.sum()))
    return _joined(tables)


def means_by_name(
    values: Mapping[tuple[str, int], pd.DataFrame],
    masks: Mapping[str, Mask],
    params: EvaluationParams,
) -> pd.DataFrame:
    """What `means` returns for each method, with its name.

    Args:
        values: what each query scored, by (name, seed).
        masks: who belongs to each group (`metrics.groups`).
        params: of the intervals.
    """
    tables = {}
    for name in dict.fromkeys(name for name, _ in values):
        trainings = [scores for (other, _), scores in values.items() if other == name]
        tables[name] = means(trainings, masks, params)
    return pd.concat(tables, names=["name"]).reset_index(level="name")


def of_two_files(
    a: pd.DataFrame, b: pd.DataFrame, masks: Mapping[str, Mask], params: EvaluationParams
) -> pd.DataFrame:
    """Compare two files of answers, of whose trainings nothing is known, query by query.

    Args:
        a: what each query scored with the one: a row for each query, a column for each metric.
        b: the same queries with the other.
        masks: who belongs to each group (`metrics.groups`).
        params: of the bootstrap.

    Returns:
        Columns group, metric, value, low, high, p, queries: a - b in fractions, with the interval
        over queries and the two-sided p of the paired bootstrap.
    """
    tables = {}
    for group, mask in masks.items():
        difference = paired_difference(a.to_numpy()[mask], b.to_numpy()[mask], params)
        columns = {key: getattr(difference, key) for key in ("value", "low", "high", "p")}
        tables[group] = pd.DataFrame(columns, a.columns).assign(queries=int(mask.sum()))
    return _joined(tables)


def differences(
    a: Tables,
    b: Tables,
    masks: Mapping[str, Mask],
    params: EvaluationParams,
    *,
    paired: bool = False,
) -> pd.DataFrame:
    """Compare two methods on the same queries, in each group.

    Args:
        a: what each query scored under each training of the one (`scoring.query_scores`).
        b: the same queries under each training of the other; their numbers may differ.
        masks: who belongs to each group (`metrics.groups`).
        params: of the intervals.
        paired: whether both are scores of the same trainings, as of another rule of scoring.

    Returns:
        Columns group, metric, value, low, high, sd, of_queries, of_trainings, trainings, better,
        queries: a - b in fractions.

    Raises:
        ValueError: the same trainings are not equally many.
    """
    if paired and len(a) != len(b):
        raise ValueError(f"{len(a)} trainings are compared with {len(b)} as if they were the same")
    first, second, metrics = stack(a), stack(b), a[0].columns
    tables = {}
    for group, mask in masks.items():
        sides = [first - second] if paired else [first, second]
        table = describe(estimate(sides, [mask]), metrics, params)
        wins = better(_means(first, mask), _means(second, mask), paired=paired)
        tables[group] = table.assign(better=wins, queries=int(mask.sum()))
    return _joined(tables)


def contrast(
    methods: Sequence[Tables], first: Mask, second: Mask, params: EvaluationParams
) -> pd.DataFrame:
    """Compare two groups of queries that have none in common, such as the rare and the common.

    Args:
        methods: what each query scored under each training: of one method; or of two, for what the
            first scores more than the second.
        first: who belongs to the one group.
        second: who belongs to the other.
        params: of the intervals.

    Returns:
        Columns metric, value, low, high, sd, of_queries, of_trainings, trainings, better, queries:
        first - second in fractions; `better` of two methods compares this difference; the queries
        are those of the smaller group.
    """
    values, metrics = [stack(scores) for scores in methods], methods[0][0].columns
    table = describe(estimate(values, [first, second]), metrics, params)
    gaps = [_means(scores, first) - _means(scores, second) for scores in values]
    table["better"] = better(*gaps) if len(gaps) == 2 else np.nan
    return table.assign(queries=int(min(first.sum(), second.sum()))).reset_index()


def describe(estimate: Estimate, metrics: pd.Index, params: EvaluationParams) -> pd.DataFrame:
    """An estimate as a table: a row for each metric."""
    measured = estimate.measured(params)
    of_queries, of_trainings = estimate.shares()
    columns = {key: getattr(measured, key) for key in ("value", "low", "high", "sd")}
    columns |= {"of_queries": of_queries, "of_trainings": of_trainings}
    table = pd.DataFrame(columns, index=metrics.rename("metric"))
    return table.assign(trainings=measured.trainings)


def stack(tables: Tables) -> Float[np.ndarray, "trainings queries metrics"]:
    """Scores by training, query and metric."""
    return np.stack([table.to_numpy(np.float64) for table in tables])


def _means(
    values: Float[np.ndarray, "trainings queries metrics"], mask: Mask
) -> Float[np.ndarray, "trainings metrics"]:
    """The mean of each training over a group; NaN where it is empty."""
    some = values[:, mask]
    return some.mean(axis=1) if mask.any() else np.full((len(values), values.shape[2]), np.nan)


def _joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, names=["group"]).reset_index()
