"""The training curve: what every run's loss, validation recall and memory did, epoch by epoch."""

import re
from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import MaxNLocator

from mgsl.evaluation.metrics import VALIDATION
from mgsl.reporting.draw import figures, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.numbers import signed
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.draw.tables import Cell, Columns, Table
from mgsl.reporting.read import kept_runs, lengths, published
from mgsl.reporting.read.results import Results

# Each panel: its title, and the pattern of its columns, whose group is what a line is called.
# {iou}: what the kept epoch was chosen by.
_PANELS = (
    ("Loss by term, its largest: 1", r"loss_(.+)"),
    ("Validation R@1, %, by IoU", r"val_R@1, IoU=(.+)"),
    ("Validation R@1, %, by rarity", r"val_(rare|common)_R@1, IoU={iou}"),
    ("Slot cosine", r"(video|query)_slot_cosine"),
    ("Slots' effective rank", r"(video|query)_slot_rank"),
    ("Read entropy", r"(video|query)_read_entropy"),
    ("Write entropy", r"(video|query)_write_entropy"),
)
_TITLE = "Training curves and memory diagnostics"
_ACROSS, _ROW, _HEAD = 4, 1.25, 0.3  # panels beside one another; inches


def draw(datasets: Sequence[str]) -> Drawing:
    """Panels for each run that was trained in epochs, seeds over one another.

    Args:
        datasets: names of trained datasets.
    """
    all_results = [Results(dataset) for dataset in datasets]
    rows = [(results, name) for results in all_results for name in _trained(results)]
    if not rows:
        return figures.absent(_TITLE, "No run is trained in epochs: there is no curve.")
    shared = {s.dataset: _limits(s) for s in all_results}
    parts = [partial(_part, results, name, shared[results.dataset]) for results, name in rows]
    heights = [_HEAD + _ROW * -(-len(_found(*row)) // _ACROSS) for row in rows]
    figure = figures.compose(heights, parts, width=style.WIDTH)
    iou = _iou(all_results[0])
    caption = (
        "Training curves, one line per seed: terms of the loss, R@1 on validation, and the state "
        "of the memories. " + " ".join(results.caption for results in all_results)
    )
    notes = (
        "Loss terms are means over an epoch, each divided by its largest value, since methods "
        f"weight and scale them differently. R@1 by rarity is at IoU={iou}. For the video memory "
        "and the query memory, where there is one: the mean cosine between slots (1: all are "
        "equal), the effective rank of the slots, and the entropy of reading and writing as a "
        "share of its maximum (1: all slots are used equally)."
    )
    said = statement()
    return Drawing(figure, "Training curves and memory diagnostics", caption, said, notes)


def statement() -> str:
    """How many runs have converged on each dataset, and which gains most by twice the length."""
    rows = lengths.read()
    if rows is None:
        return "Whether trainings have converged was not measured."
    return " ".join(_of_dataset(str(d), runs) for d, runs in rows.groupby("dataset", sort=False))


def _of_dataset(dataset: str, rows: pd.DataFrame) -> str:
    runs, unfinished = set(rows["name"]), lengths.unfinished(dataset)
    finished = [published.title(name) for name in sorted(runs - set(unfinished))]
    which = f" ({listed(finished)})" if finished and unfinished else ""
    said = f"On {kept_runs.label(dataset)} {len(finished)} of {len(runs)} runs converged{which}"
    if not unfinished:
        return f"{said}."
    most = max(unfinished.values())
    names = listed(published.title(name) for name, more in unfinished.items() if more == most)
    return f"{said}; twice the length adds most to {names}, {signed(most, 1)} points on validation."


def build() -> Table:
    """One row for each run: R@1 on validation at its length, and what twice the length adds."""
    rows = lengths.read()
    if rows is None:
        caption = "Convergence was not measured (see studies/params.yaml)."
        columns = ["dataset", "name", "times", "epochs", "seed", "kept", *VALIDATION]
        return Table(caption, (), (), pd.DataFrame(columns=columns), "Run")
    body = []
    for (dataset, name), run in rows.groupby(["dataset", "name"], sort=False):
        once, twice = (run[run["times"] == times] for times in (1, 2))
        cells = [Cell(str(once["epochs"].iloc[0]))]
        for measure in VALIDATION:
            cells += [_mean(once[measure]), _gain(once[measure], twice[measure])]
        cells.append(Cell("no" if lengths.added(run) > lengths.FINISHED else "yes"))
        title = f"{published.title(str(name))}, {kept_runs.label(str(dataset))}"
        body.append((title, tuple(cells)))
    return Table(
        caption=(
            f"R@1 in percent on validation, mean ± SD over {rows['seed'].nunique()} trainings, and "
            "what training for twice as many epochs adds to the mean."
        ),
        notes=(
            "A run has converged if that adds at most one point at IoU=0.5. "
            "Scores are those of the epoch that a training keeps, which is itself chosen on "
            "validation, so longer trainings have more epochs to choose from."
        ),
        columns=(
            Columns("", ("epochs",), ours=True),
            *(Columns(_measured(m), ("R@1", "twice as long"), ours=True) for m in VALIDATION),
            Columns("", ("converged",), ours=True),
        ),
        rows=tuple(body),
        tidy=rows,
        stub="Run",
    )


def _measured(column: str) -> str:
    """What a column of the study says of R@1: val_rare_R@1, IoU=0.5 is "rare, IoU=0.5"."""
    group, _, metric = column.removeprefix("val_").rpartition("R@1, ")
    return f"{group.removesuffix('_')}, {metric}" if group else metric


def _mean(values: pd.Series) -> Cell:
    deviation = f"± {100 * values.std():.1f}" if len(values) > 1 else ""
    return Cell(f"{100 * values.mean():.1f}", deviation)


def _gain(once: pd.Series, twice: pd.Series) -> Cell:
    return Cell(signed(100 * (twice.mean() - once.mean()), 1))


def _trained(results: Results) -> list[str]:
    """The runs that have a loss."""
    seed = results.config.seeds[0]
    return [name for name in results.names if "loss" in results.curve(name, seed)]


def _part(
    results: Results, name: str, limits: dict[str, tuple[float, float]], part: SubFigure
) -> None:
    curves = [results.curve(name, seed) for seed in results.config.seeds]
    part.suptitle(
        f"{published.title(name)}, {results.heading}", x=0.01, ha="left", size=8, weight="bold"
    )
    panels = _found(results, name)
    grid = part.subplots(-(-len(panels) // _ACROSS), _ACROSS, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (title, pattern) in zip(grid.flat, panels, strict=False):
        lines = _lines(curves[0], pattern)
        axes.set_title(title, size=7, weight="normal")
        for place, (column, label) in enumerate(lines.items()):
            for curve in curves:
                axes.plot(curve["epoch"], _scaled(curve, column), color=_ink(label, place), lw=1.1)
        axes.set_ylim(limits.get(pattern, (0, None)))
        last = [float(_scaled(curves[0], column).dropna().iloc[-1]) for column in lines]
        _label(axes, float(curves[0]["epoch"].iloc[-1]), last, list(lines.values()))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y")
    for axes in grid[-1]:
        axes.set_xlabel("epoch", size=6.5)


def _found(results: Results, name: str) -> list[tuple[str, str]]:
    """The panels for which a run has something to show."""
    curve = results.curve(name, results.config.seeds[0])
    return [panel for panel in _panels(results) if _lines(curve, panel[1])]


def _lines(curve: pd.DataFrame, pattern: str) -> dict[str, str]:
    """The columns that a pattern finds, and what their lines are called; not those always 0."""
    matches = {
        str(column): re.fullmatch(pattern, str(column)) for column in curve if curve[column].any()
    }
    return {column: match[1] for column, match in matches.items() if match}


def _scaled(curve: pd.DataFrame, column: str) -> pd.Series:
    """Shares of queries in percent, terms of the loss as shares of the largest that they were.

    A term may be almost nothing in the first epochs, where another stage is trained.
    """
    if column.startswith("loss_"):
        return curve[column] / (curve[column].abs().max() or 1.0)
    return curve[column] * (100 if column.startswith("val_") else 1)


def _iou(results: Results) -> float:
    return results.run(results.names[0]).training.select_iou


def _panels(results: Results) -> list[tuple[str, str]]:
    return [(title, pattern.replace("{iou}", str(_iou(results)))) for title, pattern in _PANELS]


def _limits(results: Results) -> dict[str, tuple[float, float]]:
    """The range of each panel but the loss over all runs of a dataset, so that its rows compare."""
    curves = [results.curve(n, seed) for n in _trained(results) for seed in results.config.seeds]
    limits = {}
    for _, pattern in _panels(results)[1:]:
        values = [_scaled(curve, column) for curve in curves for column in _lines(curve, pattern)]
        if values:
            low = min(0.0, min(float(v.min()) for v in values))
            high = max(float(v.max()) for v in values)
            top = high + 0.1 * (high - low or 1)
            most = 100.0 if pattern.startswith("val_") else top
            limits[pattern] = (low - 0.04 * (high - low), min(top, most))
    return limits


def _ink(label: str, place: int) -> str:
    """The colour of a line: that of its group of queries, or the next without a meaning."""
    return style.GROUPS.get(label) or style.SERIES[place % len(style.SERIES)]


def _label(axes: Axes, x: float, values: list[float], words: list[str]) -> None:
    """Name each line at its end, pushed apart where ends are close."""
    bottom, top = axes.get_ylim()
    gap = 0.105 * (top - bottom)
    order = sorted(range(len(values)), key=values.__getitem__)
    heights: list[float] = []
    for index in order:
        floor = heights[-1] + gap if heights else bottom
        heights.append(max(values[index], floor))
    excess = max(0.0, heights[-1] - (top - gap / 2))
    for place in reversed(range(len(heights))):
        ceiling = heights[place + 1] - gap if place + 1 < len(heights) else top - gap / 2
        heights[place] = min(heights[place], ceiling) if excess else heights[place]
    for index, height in zip(order, heights, strict=True):
        axes.annotate(
            words[index], (x, height), (3, 0), textcoords="offset points", va="center",
            size=6, color=_ink(words[index], index), annotation_clip=False,
        )  # fmt: skip
