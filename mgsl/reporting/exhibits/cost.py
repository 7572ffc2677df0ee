"""What it took: processor time of the trainings of both pipelines."""

import pandas as pd

from mgsl import paths
from mgsl.data import datasets as known
from mgsl.errors import missing
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table
from mgsl.reporting.read import published

_HEADS = ("min a training", "trainings")
_ALL = "All, hours"
_PIPELINES = {"main": "the main pipeline", "studies": "the studies"}


def build() -> Table:
    """A row for each method and ablation, two columns for each dataset; the last row has the sums.

    Raises:
        UserError: nothing was collected.
    """
    if not paths.COST.is_file():
        raise missing(paths.COST, "restore it by git, or run `python -m mgsl cost --keep`")
    rows = pd.read_csv(paths.COST)
    runs: dict[tuple[str, str], tuple[int, float]] = {}  # how many, and what all took in seconds
    for row in rows.to_dict("records"):
        number, total_s = runs.get((row["name"], row["dataset"]), (0, 0.0))
        more = row["trainings"]
        runs[row["name"], row["dataset"]] = (number + more, total_s + more * row["processor_s"])
    datasets = [name for name in known.DATASETS if name in set(rows["dataset"])]
    order = {method.name: place for place, method in enumerate(published.methods())}
    names = sorted(set(rows["name"]), key=lambda name: (order.get(name, len(order)), name))
    body = [
        (published.title(name), tuple(c for d in datasets for c in _cells(runs.get((name, d)))))
        for name in names
    ]
    of = {d: [run for (_, dataset), run in runs.items() if dataset == d] for d in datasets}
    numbers = [sum(number for number, _ in of[d]) for d in datasets]
    hours = [sum(total_s for _, total_s in of[d]) / 3600 for d in datasets]
    sums = [text for h, n in zip(hours, numbers, strict=True) for text in (f"{h:.1f}", f"{n}")]
    columns = tuple(Columns(f"ours: {dataset}", _HEADS, ours=True) for dataset in datasets)
    pipelines = [
        f"{part['trainings'].sum():,} of {_PIPELINES[str(name)]} "
        f"{(part['trainings'] * part['processor_s']).sum() / 3600:.1f}"
        for name, part in rows.groupby("pipeline")
    ]
    machines = dict.fromkeys(rows["processor"] + ", torch " + rows["torch"])
    return Table(
        caption=(
            "Processor time of trainings, the mean of each run, and how many were noted; one "
            f"thread each, on {'; '.join(machines)}."
        ),
        columns=columns,
        rows=(*body, (_ALL, tuple(map(Cell, sums)))),
        tidy=rows,
        statement=(
            f"{sum(numbers):,} trainings took {sum(hours):.1f} hours of one processor, "
            f"{sum(hours) / sum(numbers) * 60:.1f} minutes each: {', '.join(pipelines)}."
        ),
        notes=(
            "Trainings that were interrupted and resumed are left out, and so is what is not "
            "training: preparing, scoring, drawing. Where several are trained at once each takes "
            "longer than alone."
        ),
        stub="Run",
    )


def _cells(run: tuple[int, float] | None) -> tuple[Cell, Cell]:
    if run is None:
        return Cell(DASH), Cell(DASH)
    number, total_s = run
    return Cell(f"{total_s / number / 60:.1f}"), Cell(f"{number}")
