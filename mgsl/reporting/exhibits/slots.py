"""Slots: recall against the number of slots of both memories."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import NullLocator

from mgsl.evaluation.metrics import GROUPS, METRICS
from mgsl.reporting.draw import effects, figures, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.phrases import effect
from mgsl.reporting.read.kept_runs import RunStudy, heading, of_slots

MARGIN = 1.0  # points within which numbers of slots count as equally good, as among the claims
_HEIGHT = 4.1  # inches
_RAISED = {"all": -4, "rare": 0, "common": 4}  # points by which the name of a curve is moved


def draw(datasets: Sequence[str]) -> Drawing:
    """Recall of all, rare and common queries by the number of slots, and the change to the default.

    Args:
        datasets: shown first; the others that were studied follow.
    """
    study = of_slots()
    shown = study.datasets(datasets)
    if not shown:
        return effects.absent(study, datasets)
    caption = (
        "R@1 on the test split by the number of slots that each of the two memories has: above, "
        "what is reached; below, the change to the default number (dotted line). "
        f"{study.not_run(datasets)}"
    )
    notes = " ".join(
        [
            f"Above: all, rare and common queries, with 95% intervals, {study.scope}. "
            "Below: all queries; within the grey band, "
            f"{MARGIN:g} point either way, numbers of slots count as equally good.",
            *map(study.caption, shown),
        ]
    )
    parts = [partial(_part, study, dataset) for dataset in shown]
    figure = figures.compose(_HEIGHT, parts, width=style.WIDTH)
    said = " ".join(_statement(study, dataset) for dataset in shown)
    return Drawing(figure, study.title, caption.strip(), said, notes)


def _statement(study: RunStudy, dataset: str) -> str:
    """How far recall moves from the fewest to the most slots."""
    rows = study.sweep(dataset, "all", METRICS[0])
    least, most = int(rows["slots"].min()), int(rows["slots"].max())
    furthest = rows.iloc[int(rows["difference"].abs().to_numpy().argmax())]
    ends = (float(furthest[key]) for key in ("difference", "difference_low", "difference_high"))
    return (
        f"On {heading(dataset)}, between {least:,} and {most:,} slots, {METRICS[0]} differs most "
        f"from that of {study.default_slots(dataset):,} slots at {int(furthest['slots']):,}: "
        f"{effect(*ends)}."
    )


def _part(study: RunStudy, dataset: str, part: SubFigure) -> None:
    title = f"{heading(dataset)}, {study.trained(dataset)}"
    part.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
    grid = part.subplots(2, len(METRICS), sharex=True, sharey="row", height_ratios=[1.6, 1])
    for (levels, changes), metric in zip(grid.T, METRICS, strict=True):
        levels.set_title(metric)
        for group in GROUPS:
            _draw_levels(levels, study.sweep(dataset, group, metric), group)
        _draw_changes(changes, study.sweep(dataset, "all", metric))
        counts = study.sweep(dataset, "all", metric)["slots"].to_numpy()
        for axes in (levels, changes):
            axes.axvline(study.default_slots(dataset), color=style.MUTED, lw=0.7, ls=(0, (1, 2)))
            axes.set_xscale("log", base=2)
            axes.set_xticks(counts, [f"{count:,}" for count in counts])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.grid(axis="y")
        changes.set_xlabel("slots of each memory")
    grid[0, 0].set_ylabel("R@1, %")
    grid[1, 0].set_ylabel("minus the default,\npoints")


def _draw_levels(axes: Axes, rows: pd.DataFrame, group: str) -> None:
    ink = style.GROUPS[group]
    slots, values = rows["slots"].to_numpy(), rows["value"].to_numpy()
    axes.plot(slots, values, "o-", color=ink, ms=3.2, lw=1.3 if group == "all" else 1.0)
    axes.vlines(slots, rows["low"], rows["high"], color=ink, lw=0.8, alpha=0.6)
    if len(rows):
        axes.annotate(
            group, (slots[-1], values[-1]), (6, _RAISED[group]), textcoords="offset points",
            va="center", size=7, color=ink, annotation_clip=False,
        )  # fmt: skip


def _draw_changes(axes: Axes, rows: pd.DataFrame) -> None:
    axes.axhspan(-MARGIN, MARGIN, color=style.GRID, lw=0)
    axes.axhline(0, color=style.MUTED, lw=0.8)
    slots = rows["slots"].to_numpy()
    axes.plot(slots, rows["difference"], "o-", color=style.INK, ms=3.2)
    axes.vlines(slots, rows["difference_low"], rows["difference_high"], color=style.INK, lw=0.9)
