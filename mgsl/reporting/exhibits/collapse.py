"""Why slots become one vector: what each term of a write has in common, step by step."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from mgsl.reporting.draw import figures, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.read import published
from mgsl.reporting.read.kept_runs import heading
from mgsl.reporting.read.kept_studies import Studies

_PANELS = {
    "slots": "Slots: in common",
    "keys": "Write keys: in common",
    "values": "Values: in common",
    "added": "Added to slots: in common",
    "evenness": "Evenness of writing",
    "rank": "Effective rank of slots",
    "horizon": "Half forgotten after steps",
}
_LOG = ("horizon",)
_INKS = (
    "#D55E00",
    "#E69F00",
    "#CC79A7",
    "#999999",
    "#0072B2",
    "#1a1a1a",
)  # in the order of the study
_ROW, _HEAD = 1.75, 0.5  # inches


def draw(datasets: Sequence[str], folder: str) -> Drawing:
    """One row of panels for each dataset and memory, one line for each configuration.

    Args:
        datasets: that the study has watched; others are left out.
        folder: where the study wrote its numbers.

    Raises:
        UserError: the study is missing.
    """
    table = Studies(folder).table("collapse")
    seeds = sorted(table["seed"].unique())
    means = table.groupby(["dataset", "memory", "name", "step"], sort=False).mean(numeric_only=True)
    shown = [name for name in datasets if name in set(table["dataset"])]
    rows = [(d, m) for d in shown for m in ("video", "query")]
    names = list(dict.fromkeys(table["name"]))
    parts = [partial(_legend, names), *(partial(_row, means, row, names) for row in rows)]
    figure = figures.compose([_HEAD, *[_ROW] * len(rows)], parts, width=style.WIDTH)
    caption = (
        "The first steps of training, seen from the memories; step 0 is before training. In "
        "common: the share of the vectors’ energy that is their mean, 1 if all are the same. "
        "Evenness: 1 if every slot is written with the same weight. Steps until half is "
        "forgotten: of the mean slot. Means over streams and over seeds "
        f"{', '.join(map(str, seeds))}. "
        f"Datasets: {', '.join(shown)}, training queries; `embedded` and `*_planted` are SIMULATED."
    )
    return Drawing(figure, "Why the slots of a written memory become one vector", caption)


def tell(datasets: Sequence[str], folder: str) -> str:
    """What the last step that was watched says, in a paragraph of figures.

    Args:
        datasets: that the study has watched; others are left out.
        folder: where the study wrote its numbers.
    """
    table = Studies(folder).table("collapse")
    last = table[table["step"] == table["step"].max()]
    parts = []
    for dataset in datasets:
        rows = last[last["dataset"] == dataset].groupby("name", sort=False).mean(numeric_only=True)
        parts += [
            f"{published.title(str(name))} on {dataset}: {row['slots']:.0%} of the slots’ energy "
            f"in common, {row['values']:.0%} of the values’, {row['added']:.0%} of what is "
            f"added; rank {row['rank']:.1f}; half forgotten in {row['horizon']:.0f} steps."
            for name, row in rows.iterrows()
        ]
    return f"After {last['step'].max()} steps. " + " ".join(parts)


def _legend(names: Sequence[str], part: SubFigure) -> None:
    lines = [Line2D([], [], color=ink, lw=1.6) for ink in _INKS[: len(names)]]
    titles = [published.title(name) for name in names]
    part.legend(lines, titles, loc="center", ncols=3, frameon=False, fontsize=6.5)


def _row(means: pd.DataFrame, row: tuple[str, str], names: Sequence[str], part: SubFigure) -> None:
    curves = means.xs(row, level=("dataset", "memory"))
    part.suptitle(
        f"{row[1].capitalize()} memory, {heading(row[0])}", x=0.01, ha="left", size=8, weight="bold"
    )
    for axes, (term, title) in zip(part.subplots(1, len(_PANELS)), _PANELS.items(), strict=True):
        _panel(axes, curves[term], names)
        axes.set_title("\n".join(_halves(title)), size=6, weight="normal", color=style.MUTED)
        if term in _LOG:
            axes.set_yscale("log")
            axes.set_ylim(3, 400)
            axes.set_yticks([5, 20, 100], ["5", "20", "100"])
            axes.yaxis.set_minor_formatter(NullFormatter())
        elif term == "rank":
            axes.set_ylim(0, None)
        else:
            axes.set_ylim(-0.03, 1.03)


def _panel(axes: Axes, values: pd.Series, names: Sequence[str]) -> None:
    for name, ink in zip(names, _INKS, strict=False):
        line = values.loc[name]
        axes.plot(line.index, line.to_numpy(), color=ink, lw=1.2)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([0, 10, 100], ["0", "10", "100"], size=6)
    axes.tick_params(axis="y", labelsize=6)
    axes.set_xlabel("step", size=6)


def _halves(title: str) -> tuple[str, str]:
    words = title.split()
    middle = (len(words) + 1) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])
