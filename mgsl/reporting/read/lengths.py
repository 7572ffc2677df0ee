"""Whether trainings are finished: what twice their length would have added, on validation."""

from collections.abc import Iterable

import pandas as pd

from mgsl import paths
from mgsl.data import datasets as known
from mgsl.reporting.draw.tables import Cell, Columns, Table, signed
from mgsl.reporting.read import published

MARK = "†"  # beside the name of what is not trained to its end
FINISHED = 1.0  # points that twice the length may add to a finished training, on the mean
FIGURE = "val_R@1, IoU=0.5"
_FIGURES = {
    FIGURE: "IoU=0.5",
    "val_R@1, IoU=0.7": "IoU=0.7",
    "val_rare_R@1, IoU=0.5": "rare, IoU=0.5",
}


def build() -> Table:
    """One row for each run: R@1 on validation at its length, and what twice the length adds."""
    rows = _read()
    body = []
    for (dataset, name), run in rows.groupby(["dataset", "name"], sort=False):
        once, twice = (run[run["times"] == times] for times in (1, 2))
        cells = [Cell(str(once["epochs"].iloc[0]))]
        for figure in _FIGURES:
            cells += [_mean(once[figure]), _gain(once[figure], twice[figure])]
        cells.append(Cell("no" if _added(run) > FINISHED else "yes"))
        body.append((f"{published.title(str(name))}, {dataset}", tuple(cells)))
    if rows.empty:
        caption = "What twice the length adds was not measured: run `python -m mgsl study lengths`."
        return Table(caption, (), (), rows, "Run")
    titles = ", ".join(known.find(str(d)).title for d in rows["dataset"].unique())
    return Table(
        caption=(
            f"R@1 in percent on validation, mean ± SD over {rows['seed'].nunique()} trainings, and "
            "what twice as many epochs add to the mean. A training is finished if that is no more "
            f"than a point at IoU=0.5. {titles}: of the epoch that a training keeps, which is "
            "itself chosen on validation, so that longer trainings have more to choose from."
        ),
        columns=(
            Columns("", ("epochs",), ours=True),
            *(Columns(t, ("R@1", "twice as long"), ours=True) for t in _FIGURES.values()),
            Columns("", ("finished",), ours=True),
        ),
        rows=tuple(body),
        tidy=rows,
        stub="Run",
    )


def unfinished(dataset: str) -> dict[str, float]:
    """What twice the length adds to each run that is not finished, in points."""
    if not (paths.STUDIES / "lengths.csv").is_file():
        return {}
    rows = _read()
    runs = rows[rows["dataset"] == dataset].groupby("name", sort=False)
    added = {str(name): _added(run) for name, run in runs}
    return {name: points for name, points in added.items() if points > FINISHED}


def mark(name: str, datasets: Iterable[str]) -> str:
    """What stands behind the name of a run that is not finished on one of the datasets."""
    return f" {MARK}" if any(name in unfinished(dataset) for dataset in datasets) else ""


def _read() -> pd.DataFrame:
    path = paths.STUDIES / "lengths.csv"
    if not path.is_file():
        columns = ["dataset", "name", "times", "epochs", "seed", "kept", *_FIGURES]
        return pd.DataFrame(columns=columns)
    return pd.read_csv(path)


def _added(run: pd.DataFrame) -> float:
    means = run.groupby("times")[FIGURE].mean()
    return float(round(100 * (means[2] - means[1]), 6))


def _mean(values: pd.Series) -> Cell:
    deviation = f"± {100 * values.std():.1f}" if len(values) > 1 else ""
    return Cell(f"{100 * values.mean():.1f}", deviation)


def _gain(once: pd.Series, twice: pd.Series) -> Cell:
    return Cell(signed(100 * (twice.mean() - once.mean()), 1))
