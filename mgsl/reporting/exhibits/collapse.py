"""Why slots become one vector: what each term of a write has in common, step by step."""

import itertools
from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from mgsl import paths
from mgsl.errors import missing
from mgsl.reporting.draw import figures, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.draw.tables import Cell, Columns, Table
from mgsl.reporting.read import kept, published
from mgsl.reporting.read.compared import FULL, LITERAL
from mgsl.reporting.read.kept_records import seeds_in_words
from mgsl.reporting.read.kept_runs import heading

_PANELS = {
    "slots": "Slots: in common",
    "keys": "Write keys: in common",
    "values": "Values: in common",
    "added": "Added to slots: in common",
    "evenness": "Evenness of writing",
    "rank": "Effective rank of slots",
    "horizon": "Half forgotten after steps",
}
_LAST = {  # of the last step: the head of its column, how it is written, and its scale
    "slots": ("slots, % in common", "{:.0f}", 100),
    "values": ("values, %", "{:.0f}", 100),
    "added": ("added, %", "{:.0f}", 100),
    "rank": ("effective rank", "{:.1f}", 1),
    "horizon": ("half forgotten after steps", "{:.0f}", 1),
}
_LOG = ("horizon",)
_ROW, _HEAD = 1.75, 0.5  # inches


def draw(datasets: Sequence[str]) -> Drawing:
    """One row of panels for each dataset and memory, one line for each configuration.

    Args:
        datasets: that the study has watched; others are left out.

    Raises:
        UserError: the study is missing.
    """
    table = _read()
    seeds = sorted(table["seed"].unique().tolist())
    means = table.groupby(["dataset", "memory", "name", "step"], sort=False).mean(numeric_only=True)
    shown = [name for name in datasets if name in set(table["dataset"])]
    rows = [(d, m) for d in shown for m in ("video", "query")]
    names = list(dict.fromkeys(table["name"]))
    parts = [partial(_legend, names), *(partial(_row, means, row, names) for row in rows)]
    figure = figures.compose([_HEAD, *[_ROW] * len(rows)], parts, width=style.WIDTH)
    caption = (
        "The state of the memories over the first training steps; step 0 is before training. "
        f"{', '.join(map(heading, shown))}: training queries, {seeds_in_words(seeds)}."
    )
    notes = (
        "In common: the share of the vectors’ energy that lies in their mean; 1 if all are the "
        "same. Evenness: 1 if every slot is written with the same weight. Half forgotten: after "
        "how many steps, for the mean slot. All values are means over streams and seeds."
    )
    title = "Why all slots of a memory become one vector"
    return Drawing(figure, title, caption, _statement(_last(table, shown)), notes)


def build(datasets: Sequence[str]) -> Table:
    """What the last step that was watched says: a row for each configuration.

    Args:
        datasets: that the study has watched; others are left out.
    """
    table = _read()
    shown = [name for name in datasets if name in set(table["dataset"])]
    last = _last(table, shown)
    names = list(dict.fromkeys(last["name"]))
    by_run = last.set_index(["dataset", "name"])
    rows = [
        (
            published.title(name),
            tuple(
                Cell(form.format(by_run.loc[(dataset, name), column] * scale))
                for dataset in shown
                for column, (_, form, scale) in _LAST.items()
            ),
        )
        for name in names
    ]
    heads = tuple(head for head, _, _ in _LAST.values())
    seeds = seeds_in_words(sorted(table["seed"].unique().tolist()))
    columns = [Columns(f"ours: {heading(d)}, {seeds}", heads, ours=True) for d in shown]
    caption = (
        f"The memories after {table['step'].max()} training steps: means of the video memory and "
        "the query memory."
    )
    return Table(caption, tuple(columns), tuple(rows), last, "Configuration")


def _read() -> pd.DataFrame:
    """The rows of the study.

    Raises:
        UserError: it was not made.
    """
    rows = kept.table("collapse", "rows")
    if rows.empty:
        raise missing(
            paths.STUDIES / "collapse", "restore it by git, or run `dvc repro studies/dvc.yaml`"
        )
    return rows


def _last(table: pd.DataFrame, datasets: Sequence[str]) -> pd.DataFrame:
    """The last step: means over both memories and the seeds."""
    last = table[(table["step"] == table["step"].max()) & table["dataset"].isin(list(datasets))]
    means = last.groupby(["dataset", "name"], sort=False).mean(numeric_only=True)
    return means.reset_index().drop(columns=["seed"]).round(4)


def _statement(last: pd.DataFrame) -> str:
    """How much the slots have in common at the end, as the equations stand and repaired."""
    sentences = []
    for dataset, rows in last.groupby("dataset", sort=False):
        slots = dict(zip(rows["name"], rows["slots"], strict=True))
        shares = [
            f"{float(slots[name]):.0%} in {published.title(name)}"
            for name in (LITERAL, FULL)
            if name in slots
        ]
        if shares:
            step = int(rows["step"].iloc[0])
            sentences.append(
                f"After {step} training steps on {heading(str(dataset))}, the share of the slots’ "
                f"energy that is one common vector is {listed(shares)}."
            )
    return " ".join(sentences)


def _inks(names: Sequence[str]) -> dict[str, str]:
    """The colour of each configuration: its own, or the next of those without a meaning."""
    others = [name for name in names if name not in style.METHODS]
    inks = dict(zip(others, itertools.cycle(style.SERIES), strict=False))
    return {name: style.METHODS.get(name) or inks[name] for name in names}


def _legend(names: Sequence[str], part: SubFigure) -> None:
    lines = [Line2D([], [], color=ink, lw=1.6) for ink in _inks(names).values()]
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
    for name, ink in _inks(names).items():
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
