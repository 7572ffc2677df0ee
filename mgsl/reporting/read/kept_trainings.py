"""What one run scores more than another, as kept studies tell it: claims and noise rest on it.

studies/dvc.yaml makes them; without them, what is drawn rests on the runs at hand.
"""

import pandas as pd

from mgsl.evaluation.metrics import METRICS
from mgsl.reporting.read import kept

LEAST = 10  # trainings of each configuration; with fewer the study is not used
TABLES = "tables"
STUDY = f"study {TABLES}"
_TURNED = {"low": "high", "high": "low", "a": "b", "b": "a"}
_SIGNED = ["value", "low", "high"]


def find(dataset: str, a: str, b: str, group: str, metric: str) -> pd.Series | None:
    """What `a` scores more than `b` by the study of Tables 3-5: `pair`, of many trainings.

    Returns:
        As `pair`; None where the study has fewer than `LEAST` trainings of them, too.
    """
    row = pair(TABLES, dataset, a, b, group, metric)
    return None if row is None or row["trainings"] < LEAST else row


def pair(study: str, dataset: str, a: str, b: str, group: str, metric: str) -> pd.Series | None:
    """What `a` scores more than `b`, or alone where `b` is empty, in fractions.

    Args:
        study: that keeps pairs.
        dataset: on which both were run.
        a: name of a run.
        b: name of another, or "".
        group: of queries, or `pairs.CONTRAST`.
        metric: one of `pairs.METRICS`.

    Returns:
        A row of the study's pairs; None where it lacks one.
    """
    rows = _read(study, "pairs")
    comparisons = rows[
        (rows["dataset"] == dataset) & (rows["group"] == group) & (rows["metric"] == metric)
    ]
    for first, second in ((a, b), (b, a)):
        row = comparisons[(comparisons["a"] == first) & (comparisons["b"] == second)]
        if len(row) and pd.notna(row["value"].iloc[0]):
            return row.iloc[0] if first == a else turned(row.iloc[0])
    return None


def trainings(dataset: str, name: str) -> pd.DataFrame | None:
    """What each training of a configuration scores (`pairs.of_trainings`); None as in `find`."""
    if find(dataset, name, "", "all", METRICS[0]) is None:
        return None
    rows = _read(TABLES, "trainings")
    return rows.query("dataset == @dataset and name == @name")


def turned(row: pd.Series) -> pd.Series:
    """The same pair, the second less the first."""
    pair = row.rename(_TURNED)
    pair[_SIGNED] = -pair[_SIGNED]
    pair["better"] = 1 - pair["better"]
    return pair


def _read(study: str, kind: str) -> pd.DataFrame:
    rows = kept.table(study, kind)
    if rows.empty:
        return pd.DataFrame(columns=["dataset", "a", "b", "name", "group", "metric", "trainings"])
    return rows.fillna({"b": ""})
