"""Whether trainings are finished: what twice their length would have added, on validation."""

from collections.abc import Iterable

import pandas as pd

from mgsl.evaluation.metrics import VALIDATION
from mgsl.reporting.read import kept, published

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


def sentence(dataset: str, names: Iterable[str]) -> str:
    """How far some runs are from being trained to their end on a dataset.

    Args:
        dataset: on which they were trained.
        names: of the runs.

    Returns:
        One sentence, two where the lengths of some were studied elsewhere alone: the least and the
        most that these runs lack, of those marked. Empty if all whose lengths were studied are
        finished. The exhibit `training_curve` has each.
    """
    rows, runs = read(), list(names)
    anywhere = set() if rows is None else set(rows["name"])
    here = set() if rows is None else set(rows.loc[rows["dataset"] == dataset, "name"])
    if here.isdisjoint(runs):
        return f"Whether these trainings on {dataset} have converged was not measured."
    ranked = sorted((more, name) for name, more in unfinished(dataset).items() if name in runs)
    least_and_most = dict.fromkeys([*ranked[:1], *ranked[-1:]])
    ends = [f"{more:.1f} ({published.title(name)})" for more, name in least_and_most]
    unknown = [published.title(name) for name in runs if name in anywhere - here]
    sentences = [
        f"{MARK} not converged on {dataset}: twice the length adds {' to '.join(ends)} points on "
        "validation."
        if ends
        else "",
        f"Not measured on {dataset}: {', '.join(unknown)}." if unknown else "",
    ]
    return " ".join(filter(None, sentences))


def title(name: str, datasets: Iterable[str]) -> str:
    """What a run is called, marked if it is not finished on one of the datasets."""
    return published.title(name) + mark(name, datasets)


def mark(name: str, datasets: Iterable[str]) -> str:
    """What stands behind the name of a run that is not finished on one of the datasets."""
    return f" {MARK}" if any(name in unfinished(dataset) for dataset in datasets) else ""
