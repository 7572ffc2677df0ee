"""What each run of a study changes in recall: a figure and a table of effects with intervals."""

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.evaluation.intervals import Measured
from mgsl.evaluation.metrics import GROUPS, METRICS
from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.numbers import decimals, measured
from mgsl.reporting.draw.phrases import effect, listed
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table
from mgsl.reporting.read import lengths, published
from mgsl.reporting.read.compared import METRIC
from mgsl.reporting.read.kept_runs import RunStudy, heading, label

_ONCE = ", of one training each, which another seed may order otherwise"
_BY_CHANCE = 0.025  # of 95% intervals around no effect, those that lie above it, or below
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
    caption = (
        f"{study.lead}: R@1 on the test split minus that of {study.base}, in points, with 95% "
        f"intervals {study.scope}. The largest gains are on top. {study.not_run(datasets)}"
    )
    notes = " ".join(
        [
            "What is recommended was chosen on validation data, not by this figure.",
            *map(study.caption, shown),
        ]
    )
    figure = figures.compose(heights, parts, width=style.WIDTH)
    return Drawing(figure, study.title, caption.strip(), statement(study, shown), notes)


def statement(study: RunStudy, datasets: Sequence[str], group: str = "all") -> str:
    """How many runs gain and how many lose on each dataset, and the furthest either way.

    Args:
        study: of runs of one group.
        datasets: spoken of.
        group: of queries.
    """
    return " ".join(
        counted(dataset, changes, study.base, group)
        for dataset in datasets
        if (changes := _differences(study, dataset, group))
    )


def counted(
    dataset: str, changes: Mapping[str, Measured[float]], base: str, group: str = "all"
) -> str:
    """How many runs gain and how many lose on a dataset, and the furthest either way.

    Args:
        dataset: on which they were run.
        changes: what each scores more than the base in `METRIC`, in points; at least one.
        base: what it is called.
        group: of queries.
    """
    queries = "" if group == "all" else f" of {group} queries"
    names = sorted(changes, key=lambda name: -changes[name].value)
    gain = sum(change.low > 0 for change in changes.values())
    lose = sum(change.high < 0 for change in changes.values())
    ends = [(name, changes[name]) for name in dict.fromkeys((names[0], names[-1]))]
    furthest = listed(f"{published.title(n)} {effect(c.value, c.low, c.high)}" for n, c in ends)
    several = any(change.trainings > 1 for change in changes.values())
    chance = f" (by chance alone about {_BY_CHANCE * len(names):.1f} each way)"
    return (
        f"On {label(dataset)}{'' if several else _ONCE}, {gain} of {len(names)} rows score higher "
        f"than {base} in {METRIC}{queries} and {lose} lower, by their whole interval"
        f"{chance if several else ''}; highest and lowest: {furthest}."
    )


def build(study: RunStudy, datasets: Sequence[str]) -> Table:
    """The same as a table, with what every run reaches.

    Args:
        study: of runs of one group.
        datasets: shown first; the others that were studied follow.
    """
    shown = study.datasets(datasets)
    columns = [
        Columns(
            f"{_label(study, dataset)}, {metric}",
            ("all", *(f"Δ {g}" for g in GROUPS)),
            ours=True,
            best=("all",),
        )
        for dataset in shown
        for metric in METRICS
    ]
    names = dict.fromkeys(name for dataset in shown for name in study.names(dataset))
    rows = [
        (
            _title(name, shown),
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
        caption=(
            f"{study.lead}: R@1 in percent, and Δ, the difference from {study.base} in points "
            f"(positive: the row is better). {study.not_run(datasets)}"
        ).strip(),
        notes=_notes(study, shown),
        columns=tuple(columns) or (Columns("not run", ("all",), ours=True),),
        rows=tuple(rows),
        tidy=tidy.assign(changes=changes).round(4),
        stub=study.stub,
    )


def _notes(study: RunStudy, shown: Sequence[str]) -> str:
    return " ".join(
        [
            f"± is the standard deviation over trainings. 95% intervals are {study.scope}.",
            *map(study.caption, shown),
            f"{DASH} : not run, or {study.base} itself.",
        ]
    )


def absent(study: RunStudy, datasets: Sequence[str]) -> Drawing:
    """A figure that says that there is nothing to draw, and why."""
    return figures.absent(study.title, study.not_run(datasets))


def _title(name: str, datasets: Sequence[str]) -> str:
    """Its question, if it answers one, and its name, marked where it is not trained to its end."""
    return " · ".join(filter(None, [published.question(name), lengths.title(name, datasets)]))


def _differences(study: RunStudy, dataset: str, group: str) -> dict[str, Measured[float]]:
    rows = {name: study.row(dataset, name, group, METRIC) for name in _sorted(study, dataset)}
    return {
        name: Measured.of(row, prefix="difference") for name, row in rows.items() if row is not None
    }


def _label(study: RunStudy, dataset: str) -> str:
    return f"ours: {label(dataset)}, {study.trained(dataset)}"


def _cells(study: RunStudy, dataset: str, name: str, metric: str) -> list[Cell]:
    score = study.row(dataset, name, "all", metric)
    if score is None:
        return [Cell(reason=f"{name} was not run on {dataset}")] * (1 + len(GROUPS))
    cells = [measured(Measured.of(score), digits=decimals(score["queries"]))]
    for group in GROUPS:
        row = study.row(dataset, name, group, metric)
        if name in study.bases or row is None:
            cells.append(Cell(reason=f"{study.base} itself" if name in study.bases else ""))
        else:
            number = Measured.of(row, prefix="difference")
            cells.append(measured(number, sign=True, digits=decimals(row["queries"])))
    return cells


def _sorted(study: RunStudy, dataset: str) -> list[str]:
    """The runs that change R@1, those that gain most first."""
    metric = next(iter(METRICS))
    gains: dict[str, float] = {}
    for name in study.names(dataset):
        row = study.row(dataset, name, "all", metric)
        if name not in study.bases and row is not None and _changes(study, dataset, name):
            gains[name] = float(row["difference"])
    return sorted(gains, key=lambda name: -gains[name])


def _changes(study: RunStudy, dataset: str, name: str) -> bool:
    """Whether a run can change R@1 at all: other rules of NMS cannot."""
    rows = [study.row(dataset, name, group, metric) for metric in METRICS for group in GROUPS]
    keys = ["difference", "difference_low", "difference_high"]
    return any(row is not None and bool(row[keys].any()) for row in rows)


def _part(study: RunStudy, dataset: str, part: SubFigure) -> None:
    title = f"{heading(dataset)}, {study.trained(dataset)}"
    part.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
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
    panels[0].set_yticks(
        [-place for place in range(len(names))], [_title(name, [dataset]) for name in names]
    )
    for across, group in zip((0.0, 0.3, 0.65), ("rare", "all", "common"), strict=True):
        panels[0].annotate(
            f"● {group}" if group != "common" else f"○ {group}", (across, 1), (0, 3),
            xycoords="axes fraction", textcoords="offset points", size=6.5,
            color=style.GROUPS[group],
        )  # fmt: skip


def _draw_effect(axes: Axes, row: pd.Series, group: str, height: float) -> None:
    marks.interval(
        axes, Measured.of(row, prefix="difference"), height, style.GROUPS[group],
        size=_SIZES[group], width=1.3 if group == "all" else 0.8, edge=0.8,
        filled=group != "common",
    )  # fmt: skip
