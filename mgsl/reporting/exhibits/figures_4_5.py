"""Figures 4 and 5: how frequent the rarest words of each benchmark are, and what rarity costs.

The graphics of the paper's Figures 4 and 5 could not be read; of its numbers only those that Figure
1b gives for ActivityNet Captions are known, and the others are dashes.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.reporting.draw import bins, figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.draw.tables import DASH
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import METRIC
from mgsl.reporting.read.kept_no_video import BLIND, means, value
from mgsl.reporting.read.kept_studies import STAMP, Studies
from mgsl.reporting.read.published import BENCHMARKS
from mgsl.reporting.read.results import Results

SPLITS = ("train", "val", "test")
_PRINTED = {"2DTAN": "2D-TAN", "DRN": "DRN", "MGSL-Net": "MGSL-Net"}
_SHARES, _ROW, _HEAD = 2.3, 0.24, 0.8  # inches


class RecallRow(NamedTuple):
    """A row below: of which of the datasets that a benchmark was run on, None for no run of ours.

    Without a name it is the heading over the rows of that dataset.
    """

    title: str
    name: str
    ink: str
    marker: str = "o"
    run: int | None = None


def draw(datasets: Sequence[str], folder: str) -> Drawing:
    """Above, the distribution of each benchmark; below, recall of rare and of common queries.

    Args:
        datasets: names of evaluated datasets; those that are no benchmark's are not shown.
        folder: of the studies.
    """
    studies = Studies(folder)
    all_results = [results for results in map(Results, datasets) if results.benchmark]
    rows = _rows(all_results)
    figure = figures.compose(
        [_SHARES, _HEAD + _ROW * len(rows)],
        [partial(_distributions, studies), partial(_recalls, means(studies), all_results, rows)],
        width=style.WIDTH,
    )
    title = "Figures 4 and 5. Rarity on all benchmarks"
    caption = (
        "Figures 4 and 5. Above: share of pairs by the training frequency of their rarest noun, "
        f"verb or adjective, for each split. Below: {METRIC} on rare and common queries. "
        f"Distributions and priors: {STAMP}. "
        + " ".join(results.caption for results in all_results)
    ).strip()
    return Drawing(figure, title, caption, _statement(studies), _notes(all_results))


def _statement(studies: Studies) -> str:
    """How much of each benchmark's test split is rare, and what the paper prints for one."""
    table = studies.table("figures_4_5")
    first = table["bin"].iloc[0]
    rows = table[(table["split"] == "test") & (table["bin"] == first)]
    shares = {row["benchmark"]: 100 * row["share"] for _, row in rows.iterrows()}
    here = listed(f"{shares[b]:.0f} % on {BENCHMARKS[b][0]}" for b in BENCHMARKS if b in shares)
    return (
        f"In the published annotations, the share of rare test pairs is {here}; the paper prints "
        f"{published.bin_shares()[0]:.0f} % for ActivityNet Captions."
    )


def shown(datasets: Sequence[str]) -> str:
    """Which evaluated datasets stand in the figure, and which do not, in a sentence.

    Args:
        datasets: names of evaluated datasets.
    """
    all_results = [Results(dataset) for dataset in datasets]
    some = [results.label for results in all_results if results.benchmark]
    others = [results.label for results in all_results if not results.benchmark]
    return (
        f"Datasets of this report whose recall is shown: {', '.join(some) or 'none'}."
        + f" Not shown, as they are no benchmark of the paper: {', '.join(others)}." * bool(others)
    )


def _distributions(studies: Studies, part: SubFigure) -> None:
    table = studies.table("figures_4_5")
    for axes, benchmark in zip(part.subplots(1, len(BENCHMARKS)), BENCHMARKS, strict=True):
        rows = table[(table["benchmark"] == benchmark) & (table["pairs"] > 0)]
        _draw_distribution(axes, rows)
        if benchmark == "activitynet":
            _draw_printed(axes)
        else:
            axes.set_yticklabels([])
        axes.set_title(f"{BENCHMARKS[benchmark][0]}\n{studies.pairs(benchmark):,} test pairs")


def _draw_distribution(axes: Axes, rows: pd.DataFrame) -> None:
    shares = {
        split: dict(zip(part["bin"], 100 * part["share"], strict=True))
        for split in SPLITS
        if len(part := rows[rows["split"] == split])
    }
    bins.draw_bins(axes, shares)
    axes.set_xlim(0, 76)


def _draw_printed(axes: Axes) -> None:
    printed = published.bin_shares()
    for place, share in enumerate(printed):
        axes.plot([share, share], [place - 0.42, place + 0.42], color=style.PAPER, lw=2)
        axes.text(
            75, place, f"paper\n{share:.2f}", va="center", ha="right", size=6,
            color=style.PAPER, weight="bold",
        )  # fmt: skip
    axes.set_ylabel("training frequency of rarest word")


def _recalls(
    blind: pd.DataFrame, all_results: Sequence[Results], rows: list[RecallRow], part: SubFigure
) -> None:
    part.suptitle(
        f"{METRIC}, %: queries with a rare word (filled) and without (open)",
        x=0.01, ha="left", size=8.5, weight="bold",
    )  # fmt: skip
    panels = part.subplots(1, len(BENCHMARKS), sharex=True, sharey=True)
    for axes, benchmark in zip(panels, BENCHMARKS, strict=True):
        runs = [results for results in all_results if results.benchmark == benchmark]
        for place, row in enumerate(rows):
            results = runs[row.run] if row.run is not None and row.run < len(runs) else None
            if row.run is None:
                ends = (_study if row.name in BLIND else _printed)(blind, benchmark, row.name)
                _draw_ends(axes, -place, ends, row.ink, row.marker)
            elif results and not row.name:
                axes.text(0, -place - 0.2, f"ours: {results.label}", size=6.3, weight="bold")
            elif results:
                _draw_ends(axes, -place, _ours(results, row.name), row.ink, row.marker)
        axes.axhline(0.5 - len(_PRINTED), color=style.FAINT, lw=0.6)
        axes.set_ylim(-len(rows) + 0.4, 0.6)
        axes.set_xlim(0, 125)  # room for the numbers
        axes.set_xticks(range(0, 101, 25))
        marks.rows(axes, size=6.3)
    for axes in panels:  # after all, for they share their limits
        axes.spines["bottom"].set_bounds(0, 100)
    panels[0].set_yticks(-np.arange(len(rows)), [row.title for row in rows])


def _rows(all_results: Sequence[Results]) -> list[RecallRow]:
    """What is printed, what sees no video, then the runs on each benchmark's first dataset, ..."""
    rows = [
        RecallRow(f"{title}, paper", name, style.MUTED, "D") for name, title in _PRINTED.items()
    ]
    rows += [RecallRow(title, name, style.color(name)) for name, title in BLIND.items()]
    several = [[results for results in all_results if results.benchmark == b] for b in BENCHMARKS]
    for run, beside in enumerate(itertools.zip_longest(*several)):
        names = dict.fromkeys(name for results in filter(None, beside) for name in results.names)
        rows.append(RecallRow("", "", style.INK, run=run))
        rows += [
            RecallRow(published.title(name), name, style.color(name), run=run)
            for name in names
            if name not in BLIND  # they stand above, on the same pairs
        ]
    return rows


def _draw_ends(axes: Axes, place: int, ends: Sequence[float] | None, ink: str, marker: str) -> None:
    if ends is None:
        axes.text(2, place, DASH, va="center", size=7, color=style.MUTED)
        return
    marks.dumbbell(axes, place, ends, ink, marker)


def _printed(_: pd.DataFrame, benchmark: str, name: str) -> tuple[float, float] | None:
    return published.rare_and_common()[name] if benchmark == "activitynet" else None


def _ours(results: Results, name: str) -> tuple[float, float] | None:
    return _ends([results.result(name, group, METRIC) for group in ("rare", "common")], 100.0)


def _study(table: pd.DataFrame, benchmark: str, name: str) -> tuple[float, float] | None:
    return _ends([value(table, benchmark, name, g, METRIC) for g in ("rare", "common")], 1.0)


def _ends(rows: list[Any], scale: float) -> tuple[float, float] | None:
    if any(row is None for row in rows):
        return None
    rare, common = (scale * float(row["value"]) for row in rows)
    return rare, common


def _notes(all_results: list[Results]) -> str:
    others = filter(None, (results.notes for results in all_results))
    return " ".join(
        [
            f"{published.NO_DRAWINGS} Black lines on ActivityNet: the shares that Figure 1b "
            "prints, which no reading gives (Q22). Diamonds: what the paper prints; a dash where "
            "its graphics could not be read. The prior and the action prior see no video and no "
            "features. A method that was not run is not listed.",
            *others,
        ]
    )
