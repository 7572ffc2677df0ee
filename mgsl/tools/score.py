"""Scores of anybody's prediction file, or what it scores more than another one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mgsl import paths
from mgsl.data.datasets import find
from mgsl.errors import UserError
from mgsl.evaluation.comparing import of_two_files
from mgsl.evaluation.metrics import groups, metrics_table
from mgsl.evaluation.released import released_ids
from mgsl.evaluation.scoring import read_test, rule, scores_of
from mgsl.params import EvaluationParams, ScoreParams, Targets
from mgsl.prepared import again
from mgsl.queries import Query, read_queries
from mgsl.tools.submitted.submission import read_submission


@dataclass(frozen=True)
class Scores:
    """What was scored, and how.

    `table` has the columns group, metric, value, low, high and queries, and p where two files are
    compared; fractions. `truth` says what the targets are; `dataset` is summary.json of the
    dataset.
    """

    table: pd.DataFrame
    files: Sequence[Path]
    notes: Sequence[str]
    params: EvaluationParams
    truth: str
    dataset: dict[str, Any]

    @property
    def rule(self) -> str:
        """How the table was counted, in one sentence."""
        return rule(self.params, truth=self.truth)


def with_options(
    params: EvaluationParams, *, nms: str | None, strict: bool | None
) -> EvaluationParams:
    """The parameters of the metric, as a command line changes them.

    Args:
        params: those of params.yaml.
        nms: none, per_metric or a threshold within (0, 1); None: as params.yaml has it.
        strict: whether a hit is tIoU > m; None: as params.yaml has it.

    Raises:
        UserError: there is no such rule for NMS.
    """
    changes: dict[str, Any] = {} if strict is None else {"strict": strict}
    if nms in ("none", "per_metric"):
        changes["nms"] = nms
    elif nms is not None:
        changes |= {"nms": "fixed", "nms_threshold": _threshold(nms)}
    return params.model_copy(update=changes)


def score(
    dataset: str,
    files: Sequence[Path],
    params: EvaluationParams,
    options: ScoreParams,
) -> Scores:
    """Score a prediction file, or compare it with a second one, query by query.

    Args:
        dataset: a prepared dataset, whose test queries the files answer.
        files: one or two, in any form of `submitted.answer_files`.
        params: of the metrics and of the bootstrap.
        options: what the targets are, and what becomes of queries without an answer.

    Returns:
        The scores of one file; of two, the first less the second, with the paired interval over
        queries and the two-sided p.

    Raises:
        UserError: there is no such dataset, it is not prepared, or a file does not answer it.
    """
    find(dataset)
    prepared = paths.prepared(dataset)
    queries, summary = read_test(prepared)
    released = released_ids(read_queries(prepared / "queries.jsonl"), summary.get("benchmark"))
    notes, values = [], []
    if options.targets == "published":
        queries = with_published_targets(queries, dataset)
    for path in files:
        submission = read_submission(path, queries, released, options.missing)
        notes += [f"Note: {path}: {note}." for note in submission.notes]
        notes += [f"Warning: {path}: {submission.warning}."] if submission.warning else []
        values.append(scores_of(submission.predictions, queries, params))
        if not submission.predictions.real.any():
            values[-1][:] = 0.0  # no R@n applies to a file without windows, but it misses them all
    masks = groups(queries, summary["bins"])
    table = (
        of_two_files(values[0], values[1], masks, params)
        if len(values) == 2
        else metrics_table(values[0], masks, params)
    )
    truth = _truth(options.targets, queries, summary)
    return Scores(table, files, notes, params, truth, summary)


def with_published_targets(queries: Sequence[Query], dataset: str) -> list[Query]:
    """Test queries with their moments as published, also where these end after the video.

    Args:
        queries: the test queries of the prepared dataset, whose moments are cut at its end.
        dataset: its name.

    Raises:
        UserError: the published files are missing, or lack one of the queries.
    """
    published = {
        a.qid: a for a in find(dataset).annotations(paths.raw(dataset)) if a.split == "test"
    }
    if lacking := [query.qid for query in queries if query.qid not in published]:
        raise UserError(
            f"{paths.raw(dataset)} has no query {lacking[0]}, which the prepared dataset has: "
            f"{again(paths.prepared(dataset))}"
        )
    return [
        replace(query, start_s=published[query.qid].start_s, end_s=published[query.qid].end_s)
        for query in queries
    ]


def as_text(scores: Scores) -> str:
    """Groups as rows, metrics as columns, percent; below, intervals, and p of a comparison."""
    table = scores.table
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
    return "\n".join([*_caption(scores, compared), "", *filter(None, lines)])


def as_json(scores: Scores) -> dict[str, Any]:
    """The same for programs: fractions; None where a metric does not apply."""
    keys = [key for key in ("value", "low", "high", "p") if key in scores.table]
    table: dict[str, Any] = {}
    for row in scores.table.to_dict("records"):
        group = table.setdefault(row["group"], {"queries": row["queries"], "metrics": {}})
        numbers = {key: None if pd.isna(row[key]) else row[key] for key in keys}
        group["metrics"][row["metric"]] = numbers
    return {
        "dataset": scores.dataset["dataset"],
        "split": "test",
        "features": scores.dataset["features"],
        "simulated": scores.dataset["simulated"],
        "notes": list(scores.notes),
        "rule": scores.rule,
        "evaluation": scores.params.model_dump(mode="json"),
        "groups": table,
    }


def _caption(scores: Scores, compared: bool) -> list[str]:
    dataset, unit = scores.dataset, "in percent"
    lines = [f"Features: {dataset['features']} ({_kind(dataset)}).", scores.rule]
    if compared:
        unit = "the first file less the second, in percentage points"
        lines.append("{}, less {}.".format(*scores.files))
        lines.append("Both answer the same queries: interval and p (two-sided) are paired.")
    title = f"{dataset['title']} ({dataset['dataset']}), test split, {unit}"
    return [title, *lines, *scores.notes]


def _truth(targets: Targets, queries: Sequence[Query], summary: dict[str, Any]) -> str:
    """What the targets are, and how many of them the choice concerns."""
    if targets == "published":
        beyond = sum(query.end_s > query.duration_s for query in queries)
        return f"targets as published ({beyond:,} of {len(queries):,} end after their video)"
    cut = summary.get("splits", {}).get("test", {}).get("clamped")
    number = "" if cut is None else f" ({cut:,} of {len(queries):,} are)"
    return f"targets cut at the end of their video{number}"


def _threshold(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise UserError(
            f"--nms {text}: expected none, per_metric, or a threshold within 0 and 1, such as 0.5"
        )
    return number


def _kind(dataset: dict[str, Any]) -> str:
    return "SIMULATED data" if dataset["simulated"] else "real data"


def _percent(fraction: float, *, signed: bool) -> str:
    if pd.isna(fraction):
        return "-"
    return f"{100 * fraction:+.2f}" if signed else f"{100 * fraction:.2f}"


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"[{100 * low:.1f}, {100 * high:.1f}]"
