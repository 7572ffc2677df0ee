"""The noise of training as a picture: every training as a dot, and what can be seen through it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.evaluation.metrics import METRICS
from mgsl.evaluation.pairs import VISIBLE
from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.phrases import count
from mgsl.reporting.exhibits.noise import visibility
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import FULL, METRIC
from mgsl.reporting.read.results import Results

_ROW, _HEAD, _BELOW = 0.2, 0.75, 3.1  # inches
_INKS = {group: style.GROUPS[group] for group in visibility.GROUPS}
_PLACES = {
    "Table 1": style.MUTED,
    "Table 3": style.SERIES[0],
    "Table 4": style.SERIES[2],
    "Table 5": style.SERIES[3],
}
_APART = 0.043  # of two labels, a share of the height
_LOWEST, _HIGHEST = 0.4, 40.0  # points that are drawn
_END, _WIDE = 12.5, 32  # of the lines, and of the axis with its labels: trainings


def draw(all_results: Sequence[Results]) -> Drawing:
    """For each dataset: trainings as dots, and the smallest visible difference below.

    Args:
        all_results: on each dataset.
    """
    parts, heights = [], []
    for results in all_results:
        parts += [partial(_dots, results), partial(_limits, results)]
        heights += [_HEAD + _ROW * len(results.config.names), _BELOW]
    with_memory, without = map(published.title, visibility.PAIR)
    caption = (
        "The noise of training. Above: R@1 on the test split, on all and on rare queries, of "
        "trainings that differ only in the seed (dots), and their mean (bar). "
        + " ".join(results.caption for results in all_results)
    )
    notes = (
        f"Below: the smallest difference between “{with_memory}” and “{without}” that can be "
        "detected with that many trainings of each (half the width of its 95% interval over "
        "queries and trainings; with one training there is no verdict), and the differences on "
        "which the paper bases claims: those above a curve could be detected, those below it not."
    )
    said = " ".join(map(_statement, all_results))
    figure = figures.compose(heights, parts, width=style.WIDTH)
    title = "How much trainings vary, and which differences can be detected"
    return Drawing(figure, title, caption, said, notes)


def _statement(results: Results) -> str:
    """How far trainings of the full model lie apart, and how many effects of the paper show."""
    table = visibility.of_methods(results)
    rows = table.query("name == @FULL and group == 'all' and metric == @METRIC")
    if rows.empty:
        return f"{published.title(FULL)} was not run on {results.label}."
    row = rows.iloc[0]
    said = (
        f"{count(int(row['trainings']), 'training')} of {published.title(FULL)} on {results.label} "
        f"reach between {row['lowest']:.0f} and {row['highest']:.0f} % {METRIC}"
    )
    effects = [effect for effect in visibility.effects(results) if effect.visible]
    if not effects:
        return f"{said}."
    visible = sum(effect.seen_with is not None for effect in effects)
    return (
        f"{said}; of {len(effects)} differences that the paper prints, {visible} could be detected "
        f"with {VISIBLE[-1]} trainings of each method."
    )


def _dots(results: Results, part: SubFigure) -> None:
    part.suptitle(results.heading, x=0.01, ha="left", size=9, weight="bold")
    names = list(results.config.names)
    table = pd.concat(
        [visibility.trainings(results, name).assign(name=name) for name in names], ignore_index=True
    )
    table["percent"] = 100 * table["value"]
    panels = part.subplots(1, len(METRICS), sharey=True)
    for axes, metric in zip(panels, METRICS, strict=True):
        _draw_trainings(axes, table[table["metric"] == metric], names)
        axes.set_title(f"{metric}, %")
        axes.set_ylim(len(names) - 0.4, -0.7)
        marks.rows(axes, size=6.3)
    panels[0].set_yticks(range(len(names)), map(published.title, names))
    for across, group in ((0.76, "all"), (0.88, "rare")):
        panels[-1].annotate(
            f"● {group}", (across, 1), (0, 3), xycoords="axes fraction",
            textcoords="offset points", size=6.5, color=_INKS[group],
        )  # fmt: skip


def _draw_trainings(axes: Axes, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Every training as a dot and the mean of each run as a bar, all above rare."""
    rows: dict[str, Any] = {
        "data": table, "x": "percent", "y": "name", "order": names, "orient": "h", "ax": axes,
        "hue": "group", "hue_order": visibility.GROUPS, "palette": _INKS, "legend": False,
    }  # fmt: skip
    sns.stripplot(**rows, dodge=True, jitter=False, size=2.8, alpha=0.55)
    sns.pointplot(**rows, dodge=0.4, errorbar=None, linestyle="none", marker="|", ms=6, mew=1.4)
    axes.set(xlabel="", ylabel="")


def _limits(results: Results, part: SubFigure) -> None:
    panels = part.subplots(1, len(METRICS), sharey=True)
    for axes, metric in zip(panels, METRICS, strict=True):
        _draw_effects(axes, metric)
        for group in visibility.GROUPS:
            _draw_visible(axes, visibility.visible(results, group, metric), group)
        axes.set_yscale("log")
        axes.set_ylim(_LOWEST, _HIGHEST)
        ticks = [0.5, 1, 2, 5, 10, 20]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlim(0, _WIDE)
        axes.set_xticks([1, *VISIBLE])
        axes.xaxis.set_label_coords(0.17, -0.11)
        axes.set_xlabel("trainings of each method")
        axes.axvspan(0, 2, color=style.GRID, lw=0)
        axes.text(1, _LOWEST * 1.15, "no verdict", rotation=90, ha="center", va="bottom", size=6,
                  color=style.MUTED)  # fmt: skip
        axes.set_title(f"{metric}: smallest detectable difference")
    panels[0].set_ylabel("points")


def _draw_visible(axes: Axes, least: dict[int, float], group: str) -> None:
    if not least:
        return
    axes.plot(list(least), list(least.values()), "o-", ms=3.5, color=_INKS[group], zorder=3)
    last = max(least)
    axes.annotate(
        group, (last, least[last]), (-3, 5 if group == "all" else -5),
        textcoords="offset points", va="bottom" if group == "all" else "top", ha="right", size=7,
        color=_INKS[group], weight="bold", bbox={"fc": "white", "ec": "none", "pad": 0.4},
    )  # fmt: skip


def _draw_effects(axes: Axes, metric: str) -> None:
    """Each printed difference as a line, named on the right."""
    effects = [e for e in visibility.effects() if e.measure == metric and e.printed >= _LOWEST]
    effects.sort(key=lambda effect: effect.printed)
    span = np.log(_HIGHEST / _LOWEST)
    heights = [float(np.log(effect.printed / _LOWEST) / span) for effect in effects]
    for effect, at, label in zip(effects, heights, _spread(heights), strict=True):
        ink, value = _PLACES[effect.claim.place], effect.printed
        axes.plot([0, _END], [value, value], color=ink, lw=0.6, zorder=1)
        ends = [_END / _WIDE, (_END + 1) / _WIDE]
        axes.plot(ends, [at, label], color=ink, lw=0.5, zorder=1, transform=axes.transAxes)
        axes.text((_END + 1.3) / _WIDE, label, f"{value:.2f}  {effect.claim.statement}",
                  transform=axes.transAxes, va="center", size=5.2, color=ink)  # fmt: skip


def _spread(heights: list[float]) -> list[float]:
    """The places of labels, in order: as near to their lines as they do not overlap."""
    places: list[float] = []
    for height in heights:
        places.append(max(height, places[-1] + _APART) if places else height)
    over = places[-1] - 1 if places else 0.0
    if over > 0:  # push all down from the top
        below = 1.0
        for index in reversed(range(len(places))):
            places[index] = min(places[index], below)
            below = places[index] - _APART
    return places
