"""Scores of a prediction file, or what it scores more than another one: for people, and as JSON."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mgsl.evaluation.scoring import rule
from mgsl.params import EvaluationParams


def as_text(table: pd.DataFrame, dataset: Mapping[str, Any], params: EvaluationParams) -> str:
    """Groups as rows, metrics as columns, percent; intervals below, and p where two are compared.

    Args:
        table: what `scoring.score_file` returned, or `scoring.score` or `scoring.compare`.
        dataset: the dataset's summary.json.
        params: by what it was scored.
    """
    metrics = list(dict.fromkeys(table["metric"]))
    rows = [["group", "queries", *metrics]]
    compared = "p" in table
    for group, part in table.groupby("group", sort=False):
        cells = part.set_index("metric").loc[metrics]
        values = [_percent(value, signed=compared) for value in cells["value"]]
        rows.append([str(group), f"{cells['queries'].iloc[0]:,}", *values])
        ends = zip(cells["low"], cells["high"], strict=True)
        rows.append(["", "", *(_interval(low, high) for low, high in ends)])
        if compared:
            rows.append(["", "", *("" if pd.isna(p) else f"p {p:.3f}" for p in cells["p"])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]
    return "\n".join([*_caption(dataset, params, compared), "", *filter(None, lines)])


def as_json(
    table: pd.DataFrame, dataset: Mapping[str, Any], params: EvaluationParams
) -> dict[str, Any]:
    """The same for programs: fractions; None where a metric does not apply.

    The arguments are those of `as_text`.
    """
    keys = [key for key in ("value", "low", "high", "p") if key in table]
    groups: dict[str, Any] = {}
    for row in table.to_dict("records"):
        group = groups.setdefault(row["group"], {"queries": row["queries"], "metrics": {}})
        numbers = {key: None if pd.isna(row[key]) else row[key] for key in keys}
        group["metrics"][row["metric"]] = numbers
    return {
        "dataset": dataset["dataset"],
        "split": "test",
        "features": dataset["features"],
        "simulated": dataset["simulated"],
        "rule": rule(params),
        "evaluation": params.model_dump(mode="json"),
        "groups": groups,
    }


def _caption(dataset: Mapping[str, Any], params: EvaluationParams, compared: bool) -> list[str]:
    unit = "in percent"
    lines = [f"Features: {dataset['features']} ({_kind(dataset)}).", rule(params)]
    if compared:
        unit = "the first file less the second, in percentage points"
        lines.append("Both answer the same queries: interval and p (two-sided) are paired.")
    return [f"{dataset['title']} ({dataset['dataset']}), test split, {unit}", *lines]


def _kind(dataset: Mapping[str, Any]) -> str:
    return "SIMULATED data" if dataset["simulated"] else "real data"


def _percent(fraction: float, *, signed: bool) -> str:
    if pd.isna(fraction):
        return "-"
    return f"{100 * fraction:+.2f}" if signed else f"{100 * fraction:.2f}"


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"[{100 * low:.1f}, {100 * high:.1f}]"
