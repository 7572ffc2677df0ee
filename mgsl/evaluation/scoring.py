"""From the predictions of a dataset's runs to tables, and how they were counted, in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mgsl.configs import EvaluateConfig
from mgsl.errors import UserError
from mgsl.evaluation.comparing import means_by_name
from mgsl.evaluation.metrics import (
    GROUPS,
    METRICS,
    NMS_MARGIN,
    groups,
    metrics_table,
    on_grid,
    per_query,
    targets,
)
from mgsl.evaluation.predictions import Predictions, read_predictions
from mgsl.params import EvaluationParams
from mgsl.prepared import read_summary
from mgsl.queries import Query, read_queries

_DECIMALS = 6  # of the fractions in metrics.csv: no file differs by how a sum was rounded
_TOGETHER = {"value": "mean", "low": "mean_low", "high": "mean_high"}
_MEANS = (*_TOGETHER.values(), "sd", "trainings")  # the same in each row of a method


def read_test(prepared: Path) -> tuple[list[Query], dict[str, Any]]:
    """The test queries of a prepared dataset, and its summary.json.

    Raises:
        UserError: the dataset is not prepared, or has no test queries.
    """
    queries = read_queries(prepared / "queries.jsonl")
    summary = read_summary(prepared)
    test = [query for query in queries if query.split == "test"]
    if not test:
        raise UserError(f"{prepared / 'queries.jsonl'} has no test queries: prepare it again")
    return test, summary


def query_scores(queries: Sequence[Query], path: Path, params: EvaluationParams) -> pd.DataFrame:
    """What each query scores by each metric, answered by one training: a row for each query.

    Args:
        queries: what was asked: the test split.
        path: the prediction file of the training.
        params: of the metrics.

    Raises:
        UserError: the file does not answer these queries (`read_predictions`).
    """
    return scores_of(read_predictions(path, queries), queries, params)


def scores_of(
    predictions: Predictions, queries: Sequence[Query], params: EvaluationParams
) -> pd.DataFrame:
    """What each query scores by each metric: a row for each query, in their order."""
    truth = targets(queries)
    if params.grid:
        predictions, truth = on_grid(predictions, truth, queries, params.grid)
    scores = per_query(predictions, truth, params)
    return pd.DataFrame(scores).rename_axis(columns="metric")


def evaluate(
    prepared: Path, runs: Mapping[tuple[str, int], Path], config: EvaluateConfig
) -> pd.DataFrame:
    """Score every run of a dataset: the rows of metrics.csv.

    All runs see the same bootstrap draws, so they can be compared as pairs. Beside what a run
    scores stands what all trainings of its method say together.

    Args:
        prepared: the folder of the prepared dataset.
        runs: the test predictions of each (name, seed); at least one.
        config: the dataset's name, and how it is scored.

    Returns:
        Columns dataset, name, seed, group, metric, value, low, high (over queries), queries, and of
        all runs of the name: mean, mean_low, mean_high (over queries and trainings), sd, trainings.
        Fractions, rounded; runs in the order given, groups and metrics in that of `score`.

    Raises:
        UserError: the dataset is not prepared, or a file does not answer its test queries.
    """
    queries, summary = read_test(prepared)
    values = {
        run: query_scores(queries, path, config.scoring_of(run[0])) for run, path in runs.items()
    }
    masks = groups(queries, summary["bins"])
    table = metrics_table(
        pd.concat(values, axis="columns", names=["name", "seed"]), masks, config.evaluation
    )
    by_run = table.groupby(["name", "seed"])
    table = pd.concat([by_run.get_group(run) for run in runs], ignore_index=True)
    table.insert(0, "dataset", config.dataset)
    together = means_by_name(values, masks, config.evaluation).rename(columns=_TOGETHER)
    keys = ["name", "group", "metric"]
    table = table.merge(together[[*keys, *_MEANS]], on=keys, how="left")
    columns = ["dataset", "name", "seed", "group", "metric", "value", "low", "high", "queries"]
    return table[[*columns, *_MEANS]].round(_DECIMALS)


def summary(metrics: pd.DataFrame) -> pd.DataFrame:
    """What the trainings of each method say together.

    Args:
        metrics: the rows of metrics.csv, of one dataset or several.

    Returns:
        Columns dataset, name, group, metric, value, low, high, sd, trainings, queries: the mean
        over trainings, its interval over queries and trainings (of one training over queries
        alone), the standard deviation over trainings (n - 1), NaN for one.
    """
    keys = ["dataset", "name", "group", "metric"]
    rows = metrics.drop_duplicates(keys).drop(columns=["value", "low", "high"])
    rows = rows.rename(columns={new: old for old, new in _TOGETHER.items()})
    columns = [*keys, "value", "low", "high", "sd", "trainings", "queries"]
    return rows[columns].reset_index(drop=True)


def headline(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Few numbers for `dvc metrics`: {name: {group: {metric: percent}}}, means over seeds.

    Only R@1 at IoU 0.5 and 0.7 of all, rare and common; what has no value is left out.

    Args:
        table: what `summary` returned, of one dataset.
    """
    rows = table.dropna(subset="value")
    rows = rows[rows["metric"].isin(METRICS) & rows["group"].isin(GROUPS)]
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    for name, group, metric, value in rows[["name", "group", "metric", "value"]].to_numpy():
        numbers.setdefault(name, {}).setdefault(group, {})[metric] = round(100 * value, 2)
    return numbers


def rule(
    params: EvaluationParams,
    others: Mapping[str, EvaluationParams] | None = None,
    *,
    trainings: int = 1,
    truth: str = "",
) -> str:
    """How a table was counted, in one sentence.

    Args:
        params: the common rules.
        others: by title, the rules of methods that have their own rule for NMS.
        trainings: on how many of each method its numbers rest.
        truth: what the targets are, where a table says it.
    """
    hit = "tIoU > m" if params.strict else "tIoU >= m"
    suppression = _suppression(params)
    if others:
        own = "; ".join(f"{title} {_suppression(theirs)}" for title, theirs in others.items())
        suppression += f" ({own})"
    draws = f"{params.resamples} resamples, seed {params.bootstrap_seed}"
    interval = f"bootstrap interval over queries ({draws})"
    if trainings > 1:
        interval = f"interval over queries and {trainings} trainings"
    unit = f"whole clips of {params.grid}, ends included" if params.grid else "seconds"
    how = ", ".join(filter(None, [f"{hit} in {unit}", truth, suppression]))
    return f"A hit is {how}; [low, high] is the {params.confidence:.0%} {interval}."


def _suppression(params: EvaluationParams) -> str:
    return {
        "per_metric": f"after NMS at m - {NMS_MARGIN:g}",
        "fixed": f"after NMS at {params.nms_threshold:g}",
        "none": "without NMS",
    }[params.nms]
