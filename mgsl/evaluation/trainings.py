"""Means over trainings, kept in git; whether another machine's agree within the noise of training.

Trainings that differ in nothing but the seed scatter. Another machine's differ from the committed
ones as other seeds would, so that their means agree where they are no further apart than two means
of so many trainings are by chance (`intervals.welch`).
"""

import numpy as np
import pandas as pd
from scipy import stats

from mgsl.evaluation.intervals import welch

KEYS = ["name", "group", "metric"]
COMPARED = [*KEYS, "mean", "mean_after", "trainings", "trainings_after", "noise", "outcome"]
SAME, WITHIN, OUTSIDE, ONE = "same", "within", "outside", "one training"
CONFIDENCE = 0.95  # of each comparison: so many of those that differ by chance alone lie within
_SURE = 0.99  # of all together: so seldom does chance alone bring more outside than is allowed
_MOST = 0.5  # outside of all comparisons, however few runs there are
_DECIMALS = 6


def over_trainings(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over the trainings of each run.

    Args:
        metrics: the rows of metrics.csv, of one dataset.

    Returns:
        Columns name, group, metric, mean, sd, trainings; fractions, rounded. `sd` is the standard
        deviation (n - 1), NaN for one training.
    """
    by_run = metrics.groupby(KEYS, sort=False, as_index=False)
    table = by_run.agg(mean=("value", "mean"), sd=("value", "std"), trainings=("seed", "nunique"))
    return table.round(_DECIMALS)


def compare(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Compare two tables of `over_trainings`, measure by measure.

    Args:
        before: the committed one.
        after: the one made anew.

    Returns:
        A row for each measure of both that has a value: KEYS, mean, mean_after, trainings,
        trainings_after, noise (how far apart the means may be, NaN if unknown) and outcome: SAME,
        WITHIN or OUTSIDE the noise, or ONE where there is one training and so no noise to compare
        with.
    """
    table = before.merge(after, on=KEYS, suffixes=("", "_after")).dropna(
        subset=["mean", "mean_after"]
    )
    columns = ("sd", "trainings", "sd_after", "trainings_after")
    spreads = zip(*(table[name].tolist() for name in columns), strict=True)
    table["noise"] = [noise(*spread) for spread in spreads]
    apart = (table["mean"] - table["mean_after"]).abs()
    rounding = 10.0**-_DECIMALS
    same = (apart < rounding / 2) & (table["trainings"] == table["trainings_after"])
    table["outcome"] = np.select(
        [same, table["noise"].isna(), apart <= table["noise"] + rounding],
        [SAME, ONE, WITHIN],
        OUTSIDE,
    )
    return table[COMPARED]


def noise(sd: float, trainings: int, sd_after: float, trainings_after: int) -> float:
    """How far apart two means of trainings lie by chance alone; NaN if one is of one training.

    Args:
        sd: standard deviation over the first trainings.
        trainings: how many they are.
        sd_after: the same of the second.
        trainings_after: how many they are.
    """
    if min(trainings, trainings_after) < 2:
        return float("nan")
    first, second = np.array([sd**2 / trainings]), np.array([sd_after**2 / trainings_after])
    half = welch((first, trainings - 1), (second, trainings_after - 1), CONFIDENCE)
    return float(half[0])


def allowed(runs: int) -> float:
    """The share of comparisons that chance alone may bring outside the noise.

    The measures of a run rise and fall together, at the worst all of them. Then each run lies
    outside with the probability 1 - CONFIDENCE, and how many do is binomial.

    Args:
        runs: how many were compared; at least 1.
    """
    return float(min(_MOST, stats.binom.ppf(_SURE, runs, 1 - CONFIDENCE) / runs))
