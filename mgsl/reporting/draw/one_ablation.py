"""One ablation that was tried in a notebook: what can be changed, and what came of the changes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import MaxNLocator

from mgsl import params, paths
from mgsl.evaluation.intervals import Measured
from mgsl.reporting.draw import figures, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.numbers import interval, measured, signed
from mgsl.reporting.draw.tables import Cell, Columns, Table
from mgsl.reporting.read import published
from mgsl.tools.ablation.choices import Choices, as_text
from mgsl.tools.ablation.experiment import Experiment
from mgsl.tools.ablation.outcome import AGAINST, CHANGED, DIFFERENCE, Tried

QUERIES = 10  # that gain most, and that lose most
_PANELS = {  # columns of a training log, and what they are called; {iou}: what chose the epoch
    "loss": "Loss",
    "val_R@1, IoU={iou}": "Validation R@1, IoU={iou}, %",
    "video_slot_cosine": "Slot cosine, video",
    "query_slot_cosine": "Slot cosine, query",
    "video_slot_rank": "Effective rank, video",
    "query_slot_rank": "Effective rank, query",
    "video_read_entropy": "Read entropy, video",
    "query_read_entropy": "Read entropy, query",
}
_INKS = {CHANGED: style.SERIES[0], AGAINST: style.MUTED}
_ACROSS, _ROW, _HEAD = 4, 1.4, 0.35  # panels beside one another; inches


def choices(dataset: str, method: str) -> Table:
    """What an ablation may change: each key with its value, what it may be, and its question.

    Args:
        dataset: a key of `data` in params.yaml.
        method: a key of `models`.
    """
    every = Choices(params.load(paths.PARAMS), dataset, method).all()
    rows = [
        (as_text(choice.value), choice.may_be, _others(choice.tried), ", ".join(choice.questions))
        for choice in every
    ]
    names = ("value", "allowed", "also tried in params.yaml", "question")
    return Table(
        caption=(
            f"What can be changed in {published.title(method)} on {dataset}. The last word of a "
            "key is enough if no other key ends in it. Questions: docs/open_questions.md."
        ),
        columns=(Columns("", names, ours=True),),
        rows=tuple(
            (choice.key, tuple(map(Cell, row))) for choice, row in zip(every, rows, strict=True)
        ),
        tidy=pd.DataFrame(rows, columns=list(names), index=[choice.key for choice in every]),
        stub="Key",
    )


def scores(tried: Tried) -> Table:
    """All, rare and common queries: both sides, and their difference with its interval."""
    table = {(row["group"], row["metric"], row["side"]): row for _, row in tried.table.iterrows()}
    metrics = list(dict.fromkeys(tried.table["metric"]))
    rows = []
    for group in dict.fromkeys(tried.table["group"]):
        cells = [
            measured(Measured.of(table[group, metric, side], scale=100.0), sign=side == DIFFERENCE)
            for metric in metrics
            for side in (CHANGED, AGAINST, DIFFERENCE)
        ]
        rows.append((f"{group}, {table[group, metrics[0], CHANGED]['queries']}", cells))
    return Table(
        caption=(
            f"{_heading(tried)}: percent on the test queries, and the difference in points, paired "
            f"query by query. {_data(tried)} ± is the standard deviation over trainings; the "
            "95% interval stands below in small type."
        ),
        columns=tuple(
            Columns(metric, ("changed", "against", "difference"), ours=True) for metric in metrics
        ),
        rows=tuple((name, tuple(cells)) for name, cells in rows),
        tidy=tried.table,
        stub="Queries",
    )


def draw(tried: Tried) -> Drawing:
    """Loss, validation and the memories over the training, a line for each training."""
    title = f"Training curves: {tried.experiment.title}"
    if not tried.in_epochs:
        return figures.absent(title, "Neither side is trained in epochs, so there is no curve.")
    iou = tried.experiment.changed.config.training.select_iou
    panels = {
        column.format(iou=iou): words.format(iou=iou)
        for column, words in _PANELS.items()
        if any(column.format(iou=iou) in c for curves in tried.curves.values() for c in curves)
    }
    height = _HEAD + _ROW * -(-len(panels) // _ACROSS)
    figure = figures.compose(height, [partial(_panels, tried, panels)], width=style.WIDTH)
    caption = (
        f"{_heading(tried)}. Blue: with the changes; grey: {_other(tried)}; one line per "
        f"training. {_data(tried)} Slot cosine: 1 if all slots are equal."
    )
    return Drawing(figure, title, caption)


def memory(tried: Tried) -> Table:
    """The memories after the last epoch; a sentence where neither side has one."""
    if tried.memory.empty:
        return Table("Neither side has a memory to inspect.", (), (), tried.memory)
    rows = [
        (str(measure), tuple(Cell() if pd.isna(value) else Cell(f"{value:.3f}") for value in row))
        for measure, *row in tried.memory.itertuples()
    ]
    return Table(
        caption=(
            "The memories after the last epoch, means over trainings. Slot cosine: 1 if all slots "
            "are equal; rank: how many directions they span; entropy: 1 if all slots are used "
            "equally. If a memory holds useful content, validation R@1 drops when its slots are "
            "damaged."
        ),
        columns=(Columns("ours", ("changed", "against"), ours=True),),
        rows=tuple(rows),
        tidy=tried.memory.rename_axis("measure").reset_index(),
        stub="Measure",
    )


def won(tried: Tried) -> Table:
    """The queries that gain most by the changes."""
    rows = tried.by_query()
    return _queries(tried, rows[rows["gain"] > 0].head(QUERIES), "gain most from the changes")


def lost(tried: Tried) -> Table:
    """The queries that lose most by the changes."""
    rows = tried.by_query().iloc[::-1]
    return _queries(tried, rows[rows["gain"] < 0].head(QUERIES), "lose most from the changes")


def permanent(experiment: Experiment) -> str:
    """How the ablation becomes one of the pipeline, in two lines."""
    return (
        "To train it in the pipeline and have it in the reports, run in the root of the repository:"
        f"\n{experiment.command()}"
    )


def _queries(tried: Tried, rows: pd.DataFrame, which: str) -> Table:
    if rows.empty:
        return Table(f"There are no queries that {which}.", (), (), rows)
    body = []
    for row in rows.to_dict("records"):
        query = tried.queries[int(row["query"])]
        kind = "rare" if query.rare else "common"
        name = f"“{query.sentence}” ({query.qid}, {kind}, {_frequency(query.frequency)})"
        answers = (_seconds(row[f"{side}_start_s"], row[f"{side}_end_s"]) for side in tried.sides)
        overlaps = (f"{row[side]:.2f}" for side in tried.sides)
        both = (Cell(span, overlap) for span, overlap in zip(answers, overlaps, strict=True))
        moment = Cell(_seconds(query.start_s, query.end_s))
        body.append((name, (moment, *both, Cell(signed(row["gain"])))))
    return Table(
        caption=(
            f"The {len(body)} test queries that {which}. The best-ranked moment of each side's "
            "first training, in seconds, with its tIoU with the annotated moment, averaged over "
            f"trainings. {_data(tried)}"
        ),
        columns=(Columns("ours", ("annotated", "changed", "against", "gain"), ours=True),),
        rows=tuple(body),
        tidy=rows,
        stub="Query",
    )


def _panels(tried: Tried, panels: dict[str, str], part: SubFigure) -> None:
    grid = part.subplots(-(-len(panels) // _ACROSS), _ACROSS, squeeze=False)
    for axes, (column, title) in zip(grid.flat, panels.items(), strict=False):
        for side in (AGAINST, CHANGED):  # the changes on top
            _lines(axes, tried.curves[side], column, _INKS[side])
        axes.set_title(title, size=7, weight="normal")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y")
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("epoch", size=6.5)


def _lines(axes: Axes, curves: Sequence[pd.DataFrame], column: str, ink: str) -> None:
    scale = 100 if column.startswith("val_") else 1
    for curve in curves:
        if column in curve:
            dot = "o" if len(curve) == 1 else ""
            axes.plot(curve["epoch"], scale * curve[column], color=ink, lw=1.2, marker=dot, ms=3)


def _others(tried: Any) -> str:
    """Values of the ablations in params.yaml, each with the first that has it."""
    names: dict[str, str] = {}
    for name, value in tried.items():
        names.setdefault(as_text(value), name)
    return ", ".join(f"{value} ({name})" for value, name in names.items())


def _heading(tried: Tried) -> str:
    method = published.title(tried.experiment.changed.config.method)
    return f"{method} with {tried.experiment.title}, against {_other(tried)}"


def _other(tried: Tried) -> str:
    return published.title(tried.experiment.against.config.name)


def _data(tried: Tried) -> str:
    """What must be said wherever numbers of a dataset stand."""
    about = tried.summary
    kind = "SIMULATED data" if about["simulated"] else "real data"
    number = f"{tried.trainings} trainings of each side" if tried.trainings > 1 else "one training"
    return (
        f"{about['title']} ({about['dataset']}): {kind}; features: {about['features']}; "
        f"{len(tried.queries):,} test queries; {number}, {_length(tried)}."
    )


def _length(tried: Tried) -> str:
    """How long both sides were trained."""
    if not tried.in_epochs:
        return "fitted once"
    configs = (side.config for side in tried.sides.values())
    lengths = [(c.epochs, "epoch") if c.epochs else (c.steps or 0, "step") for c in configs]
    return " and ".join(dict.fromkeys(f"{n:,} {unit}{'s' * (n != 1)}" for n, unit in lengths))


def _frequency(frequency: int | None) -> str:
    return "no content word" if frequency is None else f"{frequency} in training"


def _seconds(start_s: float, end_s: float) -> str:
    return f"{interval(start_s, end_s)} s"
