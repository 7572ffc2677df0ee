"""The long tail: recall against how often training has a query's rarest content word.

A local-linear regression on log(1 + frequency) with a Gaussian kernel. The band of one training is
the percentile bootstrap over queries, with the draws that every interval of the reports has. That
of several is over queries and trainings, by the formula of `mgsl.evaluation.intervals`: A is the
variance of the resamples of the mean over trainings, B that of the trainings' own curves, and C
what the resamples of single trainings vary more than those of their mean, over S - 1.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import seaborn as sns
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.evaluation.bootstrap import resampled_means
from mgsl.evaluation.intervals import half_width
from mgsl.params import EvaluationParams
from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.marks import Curve
from mgsl.reporting.read import published
from mgsl.reporting.read.comparisons import Comparisons
from mgsl.reporting.read.results import Results

METRIC = "R@1, IoU=0.5"
WITH, WITHOUT = "mgsl_net", "attention_only"  # alike but for the memory
BANDWIDTH = 0.6  # of the kernel, in natural logarithms: a factor of 1.8 in frequency
_POINTS = 61  # of a curve
_INKS = {WITHOUT: style.INK}
_MEMORY, _METHODS, _HEAD = 2.5, 1.45, 0.3  # inches
_ACROSS = 4  # small multiples beside one another
_TICKS = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
_FEW_TICKS = (0, 10, 100, 1000, 10_000)


def smooth(
    x: Float[np.ndarray, " queries"],
    methods: Sequence[Float[np.ndarray, "_ queries"]],
    at: Curve,
    params: EvaluationParams,
    *,
    bandwidth: float = BANDWIDTH,
) -> tuple[Curve, Curve, Curve]:
    """A local-linear fit, and the ends of its pointwise interval.

    A fit is made of means over queries, so its resamples are those of the means.

    Args:
        x: where each query lies.
        methods: what it scored under each training of a method; of two, the first less the second.
        at: where the curve is drawn.
        params: of the intervals.
        bandwidth: standard deviation of the kernel, in the unit of x.

    Returns:
        The fit and its two ends.
    """
    means = [scores.mean(axis=0) for scores in methods]
    y = means[0] - means[1] if len(means) == 2 else means[0]
    columns = [y, *means, *(one for scores in methods for one in scores)]
    fits, draws = _resampled(x, np.stack(columns), at, params, bandwidth)
    if min(map(len, methods)) == 1:
        tail = (1 - params.confidence) / 2
        low, high = np.quantile(draws[0], [tail, 1 - tail], axis=0)
        return fits[0], low, high
    variances, place = draws.var(axis=1), 1 + len(methods)
    trainings, both = [], []
    for whole, scores in zip(variances[1:], methods, strict=False):
        number, mine = len(scores), slice(place, place + len(scores))
        trainings.append((fits[mine].var(axis=0, ddof=1) / number, number - 1))
        both.append(np.maximum(variances[mine].mean(axis=0) - whole, 0) / (number - 1))
        place += number
    half = half_width([(variances[0], len(x) - 1)], trainings, both, params.confidence)
    return fits[0], fits[0] - half, fits[0] + half


def _resampled(
    x: Float[np.ndarray, " queries"],
    scores: Float[np.ndarray, "curves queries"],
    at: Curve,
    params: EvaluationParams,
    bandwidth: float,
) -> tuple[Float[np.ndarray, "curves points"], Float[np.ndarray, "curves resamples points"]]:
    """Several fits over the same places, and those of the resamples of the queries."""
    steps = x[:, None] - at
    kernel = np.exp(-0.5 * (steps / bandwidth) ** 2)
    weights, points = [kernel, kernel * steps, kernel * steps**2], len(at)
    columns = [part * y[:, None] for y in scores for part in weights[:2]]
    moments = np.concatenate([*weights, *columns], axis=1)
    means, draws = moments.mean(axis=0)[None], resampled_means(moments, params)
    places = [3 * points + 2 * points * row for row in range(len(scores))]
    fits = [
        [_fit(np.hstack([m[:, : 3 * points], m[:, p : p + 2 * points]]), points) for p in places]
        for m in (means, draws)
    ]
    return np.concatenate(fits[0]), np.stack(fits[1])


def _fit(
    moments: Float[np.ndarray, "resamples moments"], points: int
) -> Float[np.ndarray, "resamples points"]:
    """The intercept of each local line from its weighted moments; the mean where x is one value."""
    s0, s1, s2, t0, t1 = (moments[:, i * points : (i + 1) * points] for i in range(5))
    spread = s0 * s2 - s1**2
    safe = spread > 1e-9 * np.maximum(s0, 1e-300) ** 2
    line = (s2 * t0 - s1 * t1) / np.where(safe, spread, 1)
    return np.where(safe, line, t0 / np.maximum(s0, 1e-300))


def draw(datasets: Sequence[str]) -> Drawing:
    """With and without memory, their difference, and each method for itself.

    Args:
        datasets: names of evaluated datasets.
    """
    runs = [Comparisons(Results(dataset)) for dataset in datasets]
    parts, heights = [], []
    for mine in runs:
        shown = _shown(mine)
        rows = -(-len(shown) // _ACROSS)
        parts += [partial(_memory, mine), partial(_methods, mine, shown)]
        heights += [_MEMORY, _HEAD + _METHODS * rows]
    caption = (
        f"{METRIC} against the training frequency of a query’s rarest noun, verb or adjective: a "
        f"local-linear fit on the logarithm, kernel width {BANDWIDTH:g} (a factor of "
        f"{np.exp(BANDWIDTH):.1f}), with its pointwise 95% band, over queries and trainings (of "
        "one training over queries alone). Above: the "
        "recommended reading with and without its memory, and the difference, query by query; the "
        "marks below are the queries. Below: each method, with the recommended reading in grey. "
        "The dotted line is the threshold of “rare”. " + " ".join(m.source.caption for m in runs)
    )
    figure = figures.compose(heights, parts, width=style.WIDTH)
    return Drawing(figure, "The long tail: recall against training frequency", caption)


def _shown(runs: Comparisons) -> list[str]:
    """The methods that have a panel of their own: all but the one that stands in every panel."""
    return [name for name in runs.source.names if name != WITH]


def _places(runs: Comparisons) -> tuple[Float[np.ndarray, " queries"], Curve, Any]:
    """Where the queries lie, where curves are drawn, and which queries have a content word."""
    frequencies = [query.frequency for query in runs.source.test]
    has = np.array([frequency is not None for frequency in frequencies])
    x = np.log1p(np.array([f for f in frequencies if f is not None], dtype=np.float64))
    return x, np.linspace(x.min(), x.max(), _POINTS), has


def _curve(runs: Comparisons, name: str, less: str = "") -> tuple[Curve, Curve, Curve, Curve]:
    """Places, fit and ends, in percent: of one run, or of what it scores more than another."""
    x, at, has = _places(runs)
    methods = [_by_training(runs, one)[:, has] for one in (name, less) if one]
    fit, low, high = smooth(x, methods, at, runs.params)
    return at, 100 * fit, 100 * low, 100 * high


def _by_training(runs: Comparisons, name: str) -> Float[np.ndarray, "trainings queries"]:
    """What each query scored under each training."""
    return np.stack([table[METRIC].to_numpy() for table in runs.scores(name)])


def _memory(runs: Comparisons, part: SubFigure) -> None:
    part.suptitle(runs.source.heading, x=0.01, ha="left", size=9, weight="bold")
    levels, gains = part.subplots(1, 2, width_ratios=[1.15, 1])
    names = [name for name in (WITH, WITHOUT) if runs.has(name)]
    ends = {}
    for name in names:
        at, fit, low, high = _curve(runs, name)
        marks.band(levels, at, fit, low, high, _ink(name))
        ends[name] = fit[-1]
    _label_ends(levels, at, ends)
    _axis(levels, runs)
    levels.set_ylim(0, None)
    levels.set_title("With and without memory", size=7.5)
    levels.set_ylabel(f"{METRIC}, %")
    _rug(levels, runs)
    gains.set_title("What the memory adds, paired", size=7.5)
    if len(names) < 2:
        style.bare(gains)
        lacking = published.title(WITHOUT if WITH in names else WITH)
        gains.text(0.5, 0.5, f"“{lacking}” was not run", ha="center", va="center",
                   transform=gains.transAxes, color=style.MUTED)  # fmt: skip
        return
    marks.band(gains, *_curve(runs, WITH, WITHOUT), _ink(WITH))
    gains.axhline(0, color=style.MUTED, lw=0.8)
    _axis(gains, runs)
    gains.set_ylabel("difference, points")


def _methods(runs: Comparisons, shown: list[str], part: SubFigure) -> None:
    if not shown:
        return
    rows = -(-len(shown) // _ACROSS)
    grid = part.subplots(rows, _ACROSS, sharex=True, sharey=True, squeeze=False)
    reference = _curve(runs, WITH) if runs.has(WITH) else None
    highest = 0.0
    for place, (axes, name) in enumerate(zip(grid.flat, shown, strict=False)):
        if reference:
            axes.plot(reference[0], reference[1], color=style.FAINT, lw=1.1)
        at, fit, low, high = _curve(runs, name)
        marks.band(axes, at, fit, low, high, style.color(name))
        highest = max(highest, high.max(), reference[1].max() if reference else 0.0)
        title = published.title(name).partition(":")[0]
        axes.set_title(title, size=7, color=style.color(name))
        _axis(axes, runs, label=place >= len(shown) - _ACROSS, sparse=True)
    grid[0, 0].set_ylim(0, 1.04 * highest)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{METRIC}, %", size=6.5)


def _ink(name: str) -> str:
    return _INKS.get(name, style.color(name))


def _label_ends(axes: Axes, at: Curve, ends: dict[str, float]) -> None:
    """Name each curve above or below its right end."""
    for name, height in ends.items():
        upper = height == max(ends.values())
        axes.annotate(
            {WITH: "with memory", WITHOUT: "without memory"}[name], (at[-1], height),
            (-4, 24 if upper else -20), textcoords="offset points", ha="right",
            va="bottom" if upper else "top", color=_ink(name), size=7,
        )  # fmt: skip


def _axis(axes: Axes, runs: Comparisons, *, label: bool = True, sparse: bool = False) -> None:
    """Frequencies in words, on their logarithm; the threshold of "rare" as a line."""
    _, at, _ = _places(runs)
    wanted = _FEW_TICKS if sparse else _TICKS
    ticks = [tick for tick in wanted if at[0] - 0.01 <= np.log1p(tick) <= at[-1]]
    axes.set_xticks(np.log1p(ticks), [f"{tick:,}" for tick in ticks])
    axes.set_xlim(at[0] - 0.05, at[-1] + 0.05)
    threshold = runs.source.preparation.preparation.rare.threshold
    axes.axvline(np.log1p(threshold), color=style.MUTED, lw=0.7, ls=(0, (1, 2)))
    axes.grid(axis="y")
    axes.tick_params(labelbottom=label)
    if label:
        axes.set_xlabel("times in training", size=6.5 if sparse else 7.5)


def _rug(axes: Axes, runs: Comparisons) -> None:
    """A mark for every query, the darker the more of them."""
    x, _, _ = _places(runs)
    sns.rugplot(
        x=x, ax=axes, height=0.04, expand_margins=False, color=style.INK, lw=0.4, alpha=0.15
    )
