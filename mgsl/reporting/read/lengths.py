"""Whether trainings are finished: what twice their length would have added, on validation."""

from collections.abc import Callable, Iterable

import pandas as pd

from mgsl.evaluation.metrics import VALIDATION
from mgsl.reporting.read import kept

MARK = "†"  # beside the name of what is not trained to its end
FINISHED = 1.0  # points that twice the length may add to a finished training, on the mean
FIGURE = VALIDATION[0]


def read() -> pd.DataFrame | None:
    """A row for each training, at its length and at twice it; None where this was not studied.

    Returns:
        Columns dataset, name, times (1 or 2), seed, epochs, kept, and `metrics.VALIDATION`.
    """
    rows = kept.table("lengths", "rows")
    return None if rows.empty else rows


def added(run: pd.DataFrame) -> float:
    """What twice the length adds to a run by `FIGURE`, in points.

    Args:
        run: its rows.
    """
    means = run.groupby("times")[FIGURE].mean()
    return float(round(100 * (means[2] - means[1]), 6))


def unfinished(dataset: str) -> dict[str, float]:
    """What twice the length adds to each run that is not finished, in points."""
    if (rows := read()) is None:
        return {}
    runs = rows[rows["dataset"] == dataset].groupby("name", sort=False)
    points = {str(name): added(run) for name, run in runs}
    return {name: more for name, more in points.items() if more > FINISHED}


def sentence(dataset: str, names: Iterable[str], titles: Callable[[str], str]) -> str:
    """Which of some runs are not trained to their end on a dataset, each with what is lacking.

    Args:
        dataset: on which they were trained.
        names: of the runs.
        titles: what a run is called.

    Returns:
        One sentence; empty if of these runs all whose lengths were studied are finished.
    """
    rows, runs = read(), list(names)
    studied = set() if rows is None else set(rows.loc[rows["dataset"] == dataset, "name"])
    if studied.isdisjoint(runs):
        return f"Whether these trainings on {dataset} have converged was not measured."
    added = unfinished(dataset)
    lacking = [f"{titles(name)} (+{added[name]:.1f})" for name in runs if name in added]
    how = "in brackets, the points on validation that twice the length adds"
    return f"{MARK} not converged on {dataset}; {how}: {', '.join(lacking)}." if lacking else ""


def mark(name: str, datasets: Iterable[str]) -> str:
    """What stands behind the name of a run that is not finished on one of the datasets."""
    return f" {MARK}" if any(name in unfinished(dataset) for dataset in datasets) else ""
