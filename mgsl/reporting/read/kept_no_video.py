"""What methods that see no video reach on each benchmark, and people (`python -m mgsl study`)."""

from typing import Any

import pandas as pd

from mgsl.reporting.read.kept_studies import Studies

BLIND = {"prior": "prior", "action_prior": "action prior"}


def value(table: pd.DataFrame, benchmark: str, name: str, group: str, metric: str) -> Any:
    """A row of the study, its columns value, low and high in percent; None where there is none."""
    rows = table.query(
        "benchmark == @benchmark and name == @name and group == @group and metric == @metric"
    )
    return None if rows.empty else rows.iloc[0]


def means(studies: Studies) -> pd.DataFrame:
    """Means over seeds, in percent; the ends are the means of the seeds' ends, over queries."""
    keys = ["benchmark", "name", "group", "metric"]
    numbers = ["value", "low", "high"]
    means = studies.table("no_video").groupby(keys, sort=False, as_index=False)[numbers].mean()
    means[numbers] *= 100
    return means
