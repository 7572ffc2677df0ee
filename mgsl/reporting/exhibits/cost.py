"""What it took: processor time of the trainings of both pipelines."""

import json

import pandas as pd

from mgsl import paths
from mgsl.data import datasets as known
from mgsl.errors import missing
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table
from mgsl.reporting.read import published

_HEADS = ("min a training", "trainings")
_ALL = "All, hours"


def build() -> Table:
    """A row for each method and ablation, two columns for each dataset; the last row has the sums.

    Raises:
        UserError: nothing was collected.
    """
    if not paths.COST.is_file():
        raise missing(paths.COST, "restore it by git, or run `python -m mgsl cost --keep`")
    rows = pd.read_csv(paths.COST)
    rows["total_s"] = rows["trainings"] * rows["processor_s"]
    runs = rows.groupby(["name", "dataset"])[["trainings", "total_s"]].sum()
    datasets = [name for name in known.DATASETS if name in set(rows["dataset"])]
    order = {method.name: place for place, method in enumerate(published.methods())}
    names = sorted(set(rows["name"]), key=lambda name: (order.get(name, len(order)), name))
    body = [
        (published.title(name), tuple(c for d in datasets for c in _cells(runs, name, d)))
        for name in names
    ]
    hours = [runs.xs(dataset, level="dataset")["total_s"].sum() / 3600 for dataset in datasets]
    numbers = [int(runs.xs(d, level="dataset")["trainings"].sum()) for d in datasets]
    sums = [text for h, n in zip(hours, numbers, strict=True) for text in (f"{h:.1f}", f"{n}")]
    columns = tuple(Columns(f"ours: {dataset}", _HEADS, ours=True) for dataset in datasets)
    about = json.loads(paths.COST.with_suffix(".json").read_text(encoding="utf-8"))
    return Table(
        caption=(
            "Processor time of trainings, the mean of each run, and how many were noted; of "
            f"{about['processor']}, one thread each, torch {about['torch']}."
        ),
        columns=columns,
        rows=(*body, (_ALL, tuple(map(Cell, sums)))),
        tidy=rows.drop(columns="total_s"),
        statement=(
            f"{sum(numbers):,} trainings took {sum(hours):.1f} hours of one processor, "
            f"{sum(hours) / sum(numbers) * 60:.1f} minutes each."
        ),
        notes=(
            "Trainings that were interrupted and resumed are left out, and so is what is not "
            "training: preparing, scoring, drawing. Where several are trained at once each takes "
            "longer than alone."
        ),
        stub="Run",
    )


def _cells(runs: pd.DataFrame, name: str, dataset: str) -> tuple[Cell, Cell]:
    if (name, dataset) not in runs.index:
        return Cell(DASH), Cell(DASH)
    run = runs.loc[(name, dataset)]
    return Cell(f"{run['total_s'] / run['trainings'] / 60:.1f}"), Cell(f"{int(run['trainings'])}")
