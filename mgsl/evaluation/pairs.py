"""One method against another, rare against common, and what more trainings would let one see.

The rows of a pair are what claims are judged by and what the noise of training is measured by: from
runs at hand, and from those of a study, whose numbers are kept when its runs are not.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mgsl.evaluation.comparing import Mask, Tables, contrast, differences, means, stack
from mgsl.evaluation.intervals import estimate
from mgsl.evaluation.metrics import GROUPS, METRICS
from mgsl.params import EvaluationParams

CONTRAST = "rare less common"
VISIBLE = (3, 5, 10)  # trainings of each side whose smallest visible difference is told
NUMBERS = (
    *("value", "low", "high", "sd", "of_queries", "of_trainings", "better", "trainings", "queries"),
    *(f"visible_{number}" for number in VISIBLE),
)


def of_pair(
    a: Tables, b: Tables | None, masks: Mapping[str, Mask], params: EvaluationParams
) -> pd.DataFrame:
    """What one method scores more than another, or what it scores alone.

    Args:
        a: what each query scored under each training of the one (`scoring.query_scores`).
        b: the same of the other; None: the one alone.
        masks: who belongs to each of `GROUPS`.
        params: of the intervals.

    Returns:
        Columns group, metric and `NUMBERS`, in fractions: a row for each of `GROUPS` and for
        `CONTRAST`, and for each of `METRICS`. visible_N is half of the interval that N trainings
        of each side would have: the smallest difference that they let one see.
    """
    metrics = [metric for metric in METRICS if metric in a[0].columns]
    sides = [[table[metrics] for table in tables] for tables in (a, b) if tables is not None]
    groups = {name: masks[name] for name in GROUPS}
    table = (
        differences(sides[0], sides[1], groups, params)
        if b is not None
        else means(sides[0], groups, params)
    )
    gap = contrast(sides, masks["rare"], masks["common"], params).assign(group=CONTRAST)
    table = pd.concat([table, gap], ignore_index=True)
    parts = [[mask] for mask in groups.values()] + [[masks["rare"], masks["common"]]]
    values = [stack(side) for side in sides]
    estimates = [estimate(values, part) for part in parts]
    for number in VISIBLE:
        table[f"visible_{number}"] = np.concatenate(
            [
                one.visible(number, params.confidence)
                if one.trainings > 1
                else np.full(len(metrics), np.nan)
                for one in estimates
            ]
        )
    return table.reindex(columns=["group", "metric", *NUMBERS])


def of_trainings(scores: Tables, seeds: Sequence[int], masks: Mapping[str, Mask]) -> pd.DataFrame:
    """What each training scores: columns seed, group, metric, value; fractions.

    Args:
        scores: what each query scored under each training.
        seeds: of the trainings.
        masks: who belongs to each of `GROUPS`.
    """
    rows = [
        (seed, group, metric, table.loc[masks[group], metric].mean())
        for seed, table in zip(seeds, scores, strict=True)
        for group in GROUPS
        for metric in METRICS
        if metric in table
    ]
    return pd.DataFrame(rows, columns=["seed", "group", "metric", "value"])
