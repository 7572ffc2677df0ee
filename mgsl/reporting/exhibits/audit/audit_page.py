"""The audit: what the paper's printed numbers say about themselves, with the evidence."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.tables import TextTable
from mgsl.reporting.exhibits.audit import arithmetic, provenance
from mgsl.reporting.exhibits.audit.arithmetic import OURS, title
from mgsl.reporting.exhibits.audit.findings import Finding, records
from mgsl.reporting.read import published
from mgsl.reporting.read.kept_studies import Studies
from mgsl.reporting.read.published import BENCHMARKS

COLUMNS = ("Subject", "Place", "Finding", "Evidence", "Source", "Checked")
# What sets a row of Table 1 apart, the weightiest first, and its colour.
ASPECTS = {
    "test set": ("another test set", style.SERIES[1]),
    "annotations": ("other annotations", style.SERIES[4]),
    "features": ("other features", style.SERIES[0]),
    "origin": ("run by others", style.SERIES[3]),
}
_SURE_ENOUGH = ("code", "derived", "secondary")


def findings(studies: str) -> list[Finding]:
    """Every finding, subject by subject.

    Args:
        studies: the folder that `python -m mgsl study` wrote.

    Raises:
        UserError: a study is missing.
    """
    tables = Studies(studies)
    return [
        *arithmetic.findings(),
        *provenance.size_findings(),
        *provenance.examples(tables),
        *provenance.provenance(),
        *provenance.releases(tables),
    ]


def build(studies: str) -> TextTable:
    """The findings as a table.

    Args:
        studies: the folder that `python -m mgsl study` wrote.
    """
    rows = [
        (f.topic, f.place, f.finding, f.evidence, f.source, f.checked) for f in findings(studies)
    ]
    caption = (
        "Audit of the paper’s numbers: each finding with its evidence, its source, and how it was "
        "checked."
    )
    notes = (
        "What is computed here follows from the paper’s tables, from public annotations, or from "
        "the configurations that authors released; for the rest, the last column says how certain "
        "it is. A row of the paper with other features or another test set is not wrong, but its "
        "numbers cannot be compared directly with those of other rows."
    )
    widths = (1.1, 2.4, 2.7, 1.8, 1.0)
    return TextTable(caption, COLUMNS, tuple(rows), widths, notes=notes)


def statement() -> str:
    """How many cells of Table 1 stand apart, and in what unit the sizes of Table 2 are."""
    remarks, table = published.provenance(), published.table_1()
    remarks = remarks[remarks["aspect"].isin(list(ASPECTS))]
    apart = len(remarks[["method", "benchmark"]].drop_duplicates())
    cells = len({key[:2] for key in table if key[0] != OURS})
    fits = provenance.sizes().groupby("method", sort=False)["fits"].agg(set)
    mib, millions = (sum(unit in some for some in fits) for unit in ("MiB", "millions"))
    neither = sum(some == {"neither"} for some in fits)
    return (
        f"{apart} of the {cells} entries of Table 1 for other methods, one per method and "
        "benchmark, use other features, another test set or other annotations than their column "
        f"says, or were not run by the method’s authors; of {len(fits)} model sizes in Table 2 "
        f"checked against public configurations, {mib} would be in MiB, {millions} in millions of "
        f"parameters and {neither} in neither."
    )


def draw() -> Drawing:
    """What sets the rows of Table 1 apart, and what the sizes of Table 2 are."""
    caption = (
        "Left: entries of Table 1 that use other features, another test set or other annotations "
        "than their column says, or were not run by the method’s authors. Right: the model sizes "
        "of Table 2 and of public configurations."
    )
    notes = (
        "“?”: recalled from memory, not checked again. Dot: no such difference is known. Dash: not "
        "in the paper. Right: the model sizes printed in Table 2, and those of public "
        "configurations as MiB of float32 weights and as millions of parameters."
    )
    figure = figures.compose(3.9, [_both], width=style.WIDTH)
    return Drawing(figure, "What the paper’s numbers rest on", caption, statement(), notes)


def _both(part: SubFigure) -> None:
    left, right = part.subplots(1, 2, width_ratios=(1.55, 1))
    _rows(left)
    _sizes(right)


def _rows(axes: Axes) -> None:
    remarks = published.provenance()
    table = published.table_1()
    names = [m.printed for m in published.methods() if m.printed and m.printed != OURS]
    for place, name in enumerate(names):
        for column, benchmark in enumerate(BENCHMARKS):
            printed = any(key[:2] == (name, benchmark) for key in table)
            facts = remarks[(remarks["method"] == name) & (remarks["benchmark"] == benchmark)]
            _cell(axes, column, place, facts, printed)
    axes.set_xlim(-0.5, len(BENCHMARKS) - 0.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    style.bare(axes)
    axes.set_yticks(range(len(names)), map(title, names), color=style.INK)
    labels = [f"{name}\ncolumn says {features}" for name, features in BENCHMARKS.values()]
    axes.set_xticks(range(len(BENCHMARKS)), labels, color=style.INK)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_title("Entries of Table 1 that are not comparable", pad=8)
    for place, (words, ink) in enumerate(ASPECTS.values()):
        axes.annotate(
            words, (0.5 * (place % 2), -0.03 - 0.045 * (place // 2)), xycoords="axes fraction",
            size=6.5, color=ink, va="top", weight="bold",
        )  # fmt: skip


def _cell(axes: Axes, column: int, place: int, facts: pd.DataFrame, printed: bool) -> None:
    """The weightiest facts of one cell in words, in the colour of the first."""
    facts = facts[facts["aspect"].isin(list(ASPECTS))]
    if facts.empty:
        sign = "·" if printed else "–"
        axes.text(column, place, sign, ha="center", va="center", color=style.MUTED, size=9)
        return
    rank = facts["aspect"].map(list(ASPECTS).index)
    facts = facts.assign(rank=rank).sort_values("rank", kind="stable")
    ink = ASPECTS[facts.iloc[0]["aspect"]][1]
    sure = facts.iloc[0]["sure"] in _SURE_ENOUGH
    words = ", ".join(facts["short"]) + " ?" * (not sure)
    axes.barh(place, 0.96, 0.82, left=column - 0.48, color=ink, alpha=0.16, lw=0)
    axes.text(column, place, words, ha="center", va="center", color=style.INK, size=5.8)


def _sizes(axes: Axes) -> None:
    table = provenance.sizes()
    for place, row in enumerate(records(table)):
        axes.plot([row.millions, row.mib], [place, place], color=style.GRID, lw=4, zorder=1)
        axes.plot(row.printed, place, "|", ms=11, mew=1.6, color=style.INK, zorder=3)
        for kind, value, marker in (("millions", row.millions, "o"), ("MiB", row.mib, "s")):
            ink = style.SERIES[2] if kind == "MiB" else style.SERIES[5]
            marks.mark(
                axes, value, place, ink, marker=marker, size=4.5, edge=1.0,
                filled=row.fits == kind, zorder=4,
            )  # fmt: skip
    names = [f"{title(row.method)}\n{row.configuration}" for row in records(table)]
    axes.set_yticks(range(len(table)), names, size=5.6, color=style.INK)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(table) - 0.5, -0.8)
    axes.set_xscale("log")
    ticks = [10, 20, 50, 100, 200, 500]
    axes.set_xticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.set_xlim(9, 600)
    axes.grid(axis="x")
    axes.set_title("Sizes of Table 2")
    axes.set_xlabel(
        "|  paper     ○  millions of parameters\n□  MiB     filled: agrees with the paper",
        size=6.5,
    )
