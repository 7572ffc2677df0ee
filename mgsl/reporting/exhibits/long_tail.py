"""The long tail: recall against how often training has a query's rarest content word.

The curve is that of `mgsl.evaluation.smoothing`, on log(1 + frequency).
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.evaluation.smoothing import Curve, smooth
from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.phrases import effect
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import FULL, METRIC, WITHOUT
from mgsl.reporting.read.results import Results

Curves = Callable[..., tuple[Curve, Curve, Curve, Curve]]  # `_curve` of one dataset

BANDWIDTH = 0.6  # of the kernel, in natural logarithms: a factor of 1.8 in frequency
_POINTS = 61  # of a curve
_INKS = {WITHOUT: style.INK}
_LABELS = {FULL: "with memory", WITHOUT: "without memory"}
_MEMORY, _METHODS, _HEAD = 2.5, 1.45, 0.3  # inches
_ACROSS = 4  # small multiples beside one another
_TICKS = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
_FEW_TICKS = (0, 10, 100, 1000, 10_000)


def draw(datasets: Sequence[str]) -> Drawing:
    """With and without memory, their difference, and each method for itself.

    Args:
        datasets: names of evaluated datasets.
    """
    all_results = [Results(dataset) for dataset in datasets]
    parts, heights = [], []
    said = []
    for results in all_results:
        shown = _shown(results)
        rows = -(-len(shown) // _ACROSS)
        curve = cache(partial(_curve, results))  # fitting one takes seconds
        parts += [partial(_memory, results, curve), partial(_methods, results, shown, curve)]
        heights += [_MEMORY, _HEAD + _METHODS * rows]
        said.append(_statement(results, curve))
    caption = (
        f"{METRIC} against the training frequency of a query’s rarest noun, verb or adjective. "
        + " ".join(results.caption for results in all_results)
    )
    notes = (
        "A local-linear fit on the logarithm of the frequency, kernel width "
        f"{BANDWIDTH:g} (a factor of {np.exp(BANDWIDTH):.1f}), with a pointwise 95% band over "
        "queries and trainings (over queries alone if there is one training). Above: the repaired "
        "reading with and without its memory, and their difference, paired query by query; the "
        "ticks mark the queries. Below: each method, with the repaired reading in grey. The dotted "
        "line is the threshold of “rare”."
    )
    figure = figures.compose(heights, parts, width=style.WIDTH)
    title = "The long tail: recall against training frequency"
    return Drawing(figure, title, caption, " ".join(said), notes)


def _statement(results: Results, curve: Curves) -> str:
    """Recall at both ends of the tail, and what the memory adds there."""
    if not results.runs.has(FULL):
        return f"{published.title(FULL)} was not run on {results.label}."
    at, fit, _, _ = curve(FULL)
    first, last = (f"{round(float(np.expm1(place))):,}" for place in (at[0], at[-1]))
    said = (
        f"On {results.label}, {METRIC} of {published.title(FULL)} is {fit[0]:.0f} % for queries "
        f"whose rarest word occurs {first} times in training and {fit[-1]:.0f} % where it occurs "
        f"{last} times"
    )
    if not results.runs.has(WITHOUT):
        return f"{said}."
    _, gain, low, high = curve(FULL, WITHOUT)
    ends = [effect(gain[i], low[i], high[i]) for i in (0, -1)]
    return (
        f"{said}; the memory changes it by {ends[0]} at the rare and {ends[1]} at the common end."
    )


def _shown(results: Results) -> list[str]:
    """The methods that have a panel of their own: all but the one that stands in every panel."""
    return [name for name in results.names if name != FULL]


def _places(results: Results) -> tuple[Float[np.ndarray, " queries"], Curve, Any]:
    """Where the queries lie, where curves are drawn, and which queries have a content word."""
    frequencies = [query.frequency for query in results.test]
    has = np.array([frequency is not None for frequency in frequencies])
    x = np.log1p(np.array([f for f in frequencies if f is not None], dtype=np.float64))
    return x, np.linspace(x.min(), x.max(), _POINTS), has


def _curve(results: Results, name: str, less: str = "") -> tuple[Curve, Curve, Curve, Curve]:
    """Places, fit and ends, in percent: of one run, or of what it scores more than another."""
    x, at, has = _places(results)
    methods = [_by_training(results, one)[:, has] for one in (name, less) if one]
    fit, low, high = smooth(x, methods, at, results.runs.params, bandwidth=BANDWIDTH)
    return at, 100 * fit, 100 * low, 100 * high


def _by_training(results: Results, name: str) -> Float[np.ndarray, "trainings queries"]:
    """What each query scored under each training."""
    return np.stack([table[METRIC].to_numpy() for table in results.runs.scores(name)])


def _memory(results: Results, curve: Curves, part: SubFigure) -> None:
    part.suptitle(results.heading, x=0.01, ha="left", size=9, weight="bold")
    levels, gains = part.subplots(1, 2, width_ratios=[1.15, 1])
    names = [name for name in (FULL, WITHOUT) if results.runs.has(name)]
    for name in names:
        marks.band(levels, *curve(name), _ink(name), _LABELS[name])
    if names:
        levels.legend(loc="lower right", frameon=False, fontsize=7, labelcolor="linecolor")
    else:
        levels.text(0.5, 0.5, "neither was run", ha="center", va="center",
                    transform=levels.transAxes, color=style.MUTED)  # fmt: skip
    _axis(levels, results)
    levels.set_ylim(0, min(100, levels.get_ylim()[1]))
    levels.set_title("With and without memory", size=7.5)
    levels.set_ylabel(f"{METRIC}, %")
    _rug(levels, results)
    gains.set_title("What the memory adds, paired", size=7.5)
    if len(names) < 2:
        style.bare(gains)
        lacking = published.title(WITHOUT if FULL in names else FULL)
        gains.text(0.5, 0.5, f"“{lacking}” was not run", ha="center", va="center",
                   transform=gains.transAxes, color=style.MUTED)  # fmt: skip
        return
    marks.band(gains, *curve(FULL, WITHOUT), _ink(FULL))
    gains.axhline(0, color=style.MUTED, lw=0.8)
    _axis(gains, results)
    gains.set_ylabel("difference, points")


def _methods(results: Results, shown: list[str], curve: Curves, part: SubFigure) -> None:
    if not shown:
        return
    rows = -(-len(shown) // _ACROSS)
    grid = part.subplots(rows, _ACROSS, sharex=True, sharey=True, squeeze=False)
    reference = curve(FULL) if results.runs.has(FULL) else None
    highest = 0.0
    for place, (axes, name) in enumerate(zip(grid.flat, shown, strict=False)):
        if reference:
            axes.plot(reference[0], reference[1], color=style.FAINT, lw=1.1)
        at, fit, low, high = curve(name)
        marks.band(axes, at, fit, low, high, style.color(name))
        highest = max(highest, high.max(), reference[1].max() if reference else 0.0)
        title = published.title(name).partition(":")[0]
        axes.set_title(title, size=7, color=style.color(name))
        _axis(axes, results, label=place >= len(shown) - _ACROSS, sparse=True)
    grid[0, 0].set_ylim(0, min(100, 1.04 * highest))
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{METRIC}, %", size=6.5)


def _ink(name: str) -> str:
    return _INKS.get(name, style.color(name))


def _axis(axes: Axes, results: Results, *, label: bool = True, sparse: bool = False) -> None:
    """Frequencies in words, on their logarithm; the threshold of "rare" as a line."""
    _, at, _ = _places(results)
    candidates = _FEW_TICKS if sparse else _TICKS
    ticks = [tick for tick in candidates if at[0] - 0.01 <= np.log1p(tick) <= at[-1]]
    axes.set_xticks(np.log1p(ticks), [f"{tick:,}" for tick in ticks])
    axes.set_xlim(at[0] - 0.05, at[-1] + 0.05)
    threshold = results.preparation.preparation.rare.threshold
    axes.axvline(np.log1p(threshold), color=style.MUTED, lw=0.7, ls=(0, (1, 2)))
    axes.grid(axis="y")
    axes.tick_params(labelbottom=label)
    if label:
        axes.set_xlabel("times in training", size=6.5 if sparse else 7.5)


def _rug(axes: Axes, results: Results) -> None:
    """A mark wherever there are queries, the darker the more of them."""
    x, _, _ = _places(results)
    places, counts = np.unique(x, return_counts=True)
    one_over_another = 1 - (1 - 0.15) ** counts
    foot = axes.get_xaxis_transform()
    axes.vlines(places, 0, 0.04, transform=foot, color=style.INK, lw=0.4, alpha=one_over_another)
