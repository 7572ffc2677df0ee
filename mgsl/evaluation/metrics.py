"""What is counted: R@n, IoU=m and mIoU, for every query, and their means over groups of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from mgsl.evaluation.bootstrap import interval
from mgsl.evaluation.predictions import Predictions
from mgsl.params import EvaluationParams
from mgsl.queries import Query
from mgsl.spans import nms, tiou, to_clips, whole_clips

METRICS = ("R@1, IoU=0.5", "R@1, IoU=0.7")  # what runs are compared by: no rule of NMS changes them
GROUPS = ("all", "rare", "common")  # of queries
# Columns of a training's log: what its length and its learning rate are judged by.
VALIDATION = (*(f"val_{metric}" for metric in METRICS), f"val_rare_{METRICS[0]}")
NMS_MARGIN = 0.05  # Q20, `per_metric`: how far the NMS threshold lies below the metric's


def hits(
    tiou: Float[np.ndarray, "queries ranks"], *, n: int, m: float, strict: bool
) -> Bool[np.ndarray, " queries"]:
    """Whether a query has a hit among its first n moments: R@n, IoU=m is the share that has one.

    Args:
        tiou: overlap with the target, best-ranked moment first, in [0, 1]; 0 past the last moment.
        n: how many moments count, at least 1.
        m: the threshold, in (0, 1).
        strict: a hit is tIoU > m if True, and tIoU >= m if False.
    """
    best = tiou[:, :n].max(axis=1, initial=0)
    return best > m if strict else best >= m


def metric_names(params: EvaluationParams) -> list[str]:
    """The metrics in the order of the paper's tables, then mIoU."""
    return [f"R@{n}, IoU={m:g}" for n in params.recall_at for m in params.iou] + ["mIoU"]


def per_query(
    predictions: Predictions,
    targets_s: Float[np.ndarray, "queries 2"],
    params: EvaluationParams,
) -> dict[str, Float[np.ndarray, " queries"]]:
    """What each query scores by each metric: 1 for a hit, 0 for none; for mIoU, its first's tIoU.

    R@n looks at the n best proposals that NMS leaves (Q20), or at fewer where fewer are left; R@1
    does not depend on NMS. Where no query has n proposals before NMS, as with a method that answers
    once, R@n does not apply and is NaN for every query.

    Args:
        predictions: proposals in the order of the queries.
        targets_s: the annotated spans, in seconds.
        params: the metrics, the rule for a hit and the rule for NMS.
    """
    overlap = np.where(predictions.real, tiou(predictions.spans_s, targets_s[:, None]), 0)
    ranked = {m: _after_nms(predictions, overlap, m, params) for m in params.iou}
    most = int(predictions.real.sum(axis=1).max(initial=0))
    columns = [
        hits(ranked[m], n=n, m=m, strict=params.strict).astype(np.float64)
        if n <= most
        else np.full(len(overlap), np.nan)
        for n in params.recall_at
        for m in params.iou
    ]
    return dict(zip(metric_names(params), [*columns, overlap[:, 0]], strict=True))


def _after_nms(
    predictions: Predictions,
    overlap: Float[np.ndarray, "queries proposals"],
    m: float,
    params: EvaluationParams,
) -> Float[np.ndarray, "queries ranks"]:
    """Overlap with the target of the proposals that NMS leaves for the threshold m."""
    keep = max(params.recall_at)
    if params.nms == "none" or keep == 1:
        return overlap[:, :keep]
    threshold = max(0.0, round(m - NMS_MARGIN, 9))
    if params.nms == "fixed":
        threshold = params.nms_threshold
    kept = nms(predictions.spans_s, predictions.real, threshold=threshold, keep=keep)
    return np.where(kept >= 0, np.take_along_axis(overlap, kept, axis=1), 0)


def targets(queries: Sequence[Query]) -> Float[np.ndarray, "queries 2"]:
    """The annotated spans, in seconds."""
    return np.array([(query.start_s, query.end_s) for query in queries], np.float64).reshape(-1, 2)


def on_grid(
    predictions: Predictions,
    truth: Float[np.ndarray, "queries 2"],
    queries: Sequence[Query],
    num_clips: int,
) -> tuple[Predictions, Float[np.ndarray, "queries 2"]]:
    """Proposals from and to the nearest clip, targets rounded down; both ends included (Q21)."""
    durations = np.array([query.duration_s for query in queries])
    proposed = np.rint(to_clips(predictions.spans_s, durations, num_clips))
    meant = np.floor(to_clips(truth, durations, num_clips))
    return (
        replace(predictions, spans_s=whole_clips(proposed, num_clips)),
        whole_clips(meant, num_clips),
    )


def groups(
    queries: Sequence[Query], bin_labels: Sequence[str]
) -> dict[str, Bool[np.ndarray, " queries"]]:
    """Who belongs to each group: all, rare, common, then the frequency bins, the rarest first.

    Args:
        queries: what was asked.
        bin_labels: a label for each value of `Query.bin`.
    """
    rare = np.array([query.rare for query in queries], bool)
    bins = np.array([query.bin for query in queries], int)
    return {
        "all": np.ones(len(queries), bool),
        "rare": rare,
        "common": ~rare,
        **{label: bins == index for index, label in enumerate(bin_labels)},
    }


def metrics_table(
    values: pd.DataFrame,
    masks: Mapping[str, Bool[np.ndarray, " queries"]],
    params: EvaluationParams,
) -> pd.DataFrame:
    """Means over each group of queries, with their intervals.

    A group without queries, and a metric that does not apply, have NaN.

    Args:
        values: one row for each query, one column for each metric (`per_query`); the names of the
            column levels become columns of the table.
        masks: who belongs to each group (`groups`).
        params: of the bootstrap.

    Returns:
        One row for each group and column of `values`, in that order: group, the column levels,
        value, low, high (fractions), and the group's number of queries.
    """
    tables = {}
    for group, mask in masks.items():
        part = values.to_numpy(np.float64)[mask]
        low, high = interval(part, params)
        value = part.mean(axis=0) if len(part) else low
        tables[group] = pd.DataFrame(
            {"value": value, "low": low, "high": high, "queries": len(part)}, index=values.columns
        )
    return pd.concat(tables, names=["group"]).reset_index()
