"""What each run of a study changes in recall: a figure and a table of effects with intervals."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.data import datasets as known
from mgsl.evaluation.intervals import Measured
from mgsl.evaluation.metrics import GROUPS, METRICS
from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table, measured
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import FULL
from mgsl.reporting.read.kept_runs import RunStudy, heading

INKS = {"all": style.INK, "rare": style.SERIES[1], "common": style.SERIES[0]}
_ROW, _HEAD = 0.24, 0.95  # inches
_OFFSETS = {"all": 0.0, "rare": 0.27, "common": -0.27}
_SIZES = {"all": 4.6, "rare": 3.2, "common": 3.2}


def draw(study: RunStudy, datasets: Sequence[str]) -> Drawing:
    """A row for each run: the change in recall of all, rare and common queries.

    Args:
        study: of runs of one group.
        datasets: shown first; the others that were studied follow.
    """
    shown = study.datasets(datasets)
    if not shown:
        return absent(study, datasets)
    heights = [_HEAD + _ROW * len(_sorted(study, dataset)) for dataset in shown]
    parts = [partial(_part, study, dataset) for dataset in shown]
    caption = " ".join(
        [
            f"{study.lead}: R@1 on the test split less that of {study.base}, in points, with its "
            f"95% interval, {study.scope}. Those that gain most are on top. The recommended "
            "reading was chosen on validation data, not by this figure.",
            *map(study.caption, shown),
            study.not_run(datasets),
        ]
    )
    return Drawing(figures.compose(heights, parts, width=style.WIDTH), study.title, caption.strip())


def build(study: RunStudy, datasets: Sequence[str]) -> Table:
    """The same as a table, with what every run reaches.

    Args:
        study: of runs of one group.
        datasets: shown first; the others that were studied follow.
    """
    shown = study.datasets(datasets)
    columns = [
        Columns(f"{_label(dataset)}, {metric}", ("all", *(f"Δ {g}" for g in GROUPS)), ours=True)
        for dataset in shown
        for metric in METRICS
    ]
    names = dict.fromkeys(name for dataset in shown for name in study.names(dataset))
    rows = [
        (
            _title(name),
            tuple(
                cell
                for dataset in shown
                for metric in METRICS
                for cell in _cells(study, dataset, name, metric)
            ),
        )
        for name in names
    ]
    tidy = study.rows[study.rows["metric"].isin(METRICS) & study.rows["group"].isin(GROUPS)]
    changes = [study.changes(d, n) for d, n in zip(tidy["dataset"], tidy["name"], strict=True)]
    return Table(
        caption=_caption(study, datasets, shown),
        columns=tuple(columns) or (Columns("not run", ("all",), ours=True),),
        rows=tuple(rows),
        tidy=tidy.assign(changes=changes).round(4),
        stub=study.stub,
    )


def _caption(study: RunStudy, datasets: Sequence[str], shown: Sequence[str]) -> str:
    return " ".join(
        [
            f"{study.lead}: R@1 in percent, and Δ, what a row scores more than {study.base}, in "
            "points; ± is the standard deviation over trainings. 95% intervals are "
            f"{study.scope}.",
            *map(study.caption, shown),
            study.not_run(datasets),
            f"{DASH} : not run, or {study.base} itself.",
        ]
    )


def absent(study: RunStudy, datasets: Sequence[str]) -> Drawing:
    """A figure that says that there is nothing to draw, and why."""
    return figures.absent(study.title, study.not_run(datasets))


def _title(name: str) -> str:
    return " · ".join(filter(None, [published.question(name), published.title(name)]))


def _label(dataset: str) -> str:
    simulated = " (simulated)" if known.find(dataset).simulated else ""
    return f"ours: {dataset}{simulated}"


def _cells(study: RunStudy, dataset: str, name: str, metric: str) -> list[Cell]:
    score = study.row(dataset, name, "all", metric)
    if score is None:
        return [Cell(reason=f"{name} was not run on {dataset}")] * (1 + len(GROUPS))
    cells = [measured(Measured.of(score))]
    for group in GROUPS:
        row = study.row(dataset, name, group, metric)
        if name == FULL or row is None:
            cells.append(Cell(reason=f"{study.base} itself" if name == FULL else ""))
        else:
            cells.append(measured(Measured.of(row, prefix="difference"), sign=True))
    return cells


def _sorted(study: RunStudy, dataset: str) -> list[str]:
    """The runs that change R@1, those that gain most first."""
    metric = next(iter(METRICS))
    gains: dict[str, float] = {}
    for name in study.names(dataset):
        row = study.row(dataset, name, "all", metric)
        if name != FULL and row is not None and _changes(study, dataset, name):
            gains[name] = float(row["difference"])
    return sorted(gains, key=lambda name: -gains[name])


def _changes(study: RunStudy, dataset: str, name: str) -> bool:
    """Whether a run can change R@1 at all: other rules of NMS cannot."""
    rows = [study.row(dataset, name, group, metric) for metric in METRICS for group in GROUPS]
    keys = ["difference", "difference_low", "difference_high"]
    return any(row is not None and bool(row[keys].any()) for row in rows)


def _part(study: RunStudy, dataset: str, part: SubFigure) -> None:
    part.suptitle(heading(dataset), x=0.01, ha="left", size=9, weight="bold")
    names = _sorted(study, dataset)
    panels = part.subplots(1, len(METRICS), sharey=True, sharex=True)
    for axes, metric in zip(panels, METRICS, strict=True):
        axes.axvline(0, color=style.MUTED, lw=0.8)
        for place, name in enumerate(names):
            for group in GROUPS:
                row = study.row(dataset, name, group, metric)
                if row is not None:
                    _draw_effect(axes, row, group, -place + _OFFSETS[group])
        axes.set_title(f"{metric}, difference in points", size=7, weight="normal", pad=13)
        axes.set_ylim(-len(names) + 0.4, 0.6)
        marks.rows(axes, size=6.3)
    panels[0].set_yticks([-place for place in range(len(names))], [_title(name) for name in names])
    for across, group in zip((0.0, 0.3, 0.65), ("rare", "all", "common"), strict=True):
        panels[0].annotate(
            f"● {group}" if group != "common" else f"○ {group}", (across, 1), (0, 3),
            xycoords="axes fraction", textcoords="offset points", size=6.5, color=INKS[group],
        )  # fmt: skip


def _draw_effect(axes: Axes, row: pd.Series, group: str, height: float) -> None:
    marks.interval(
        axes, Measured.of(row, prefix="difference"), height, INKS[group], size=_SIZES[group],
        width=1.3 if group == "all" else 0.8, edge=0.8, filled=group != "common",
    )  # fmt: skip
