"""Figures 4 and 5: how frequent the rarest words of each benchmark are, and what rarity costs.

The graphics of the paper's Figures 4 and 5 could not be read; of its numbers only those that Figure
1b gives for ActivityNet Captions are known, and the others are dashes.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.reporting import figures, published, style
from mgsl.reporting.figures import Drawing
from mgsl.reporting.no_video import BLIND, means, value
from mgsl.reporting.published import BENCHMARKS
from mgsl.reporting.sources import Source
from mgsl.reporting.studies import STAMP, Studies
from mgsl.reporting.tables import DASH

METRIC = "R@1, IoU=0.5"
SPLITS = ("train", "val", "test")
_INKS = dict(zip(SPLITS, (style.FAINT, style.MUTED, style.SERIES[0]), strict=True))
_PRINTED = {"2DTAN": "2D-TAN", "DRN": "DRN", "MGSL-Net": "MGSL-Net"}
_SHARES, _ROW, _HEAD = 2.3, 0.24, 0.8  # inches


def draw(datasets: Sequence[str], folder: str) -> Drawing:
    """Above, the distribution of each benchmark; below, recall of rare and of common queries.

    Args:
        datasets: names of evaluated datasets; those that are no benchmark's are not shown.
        folder: of the studies.
    """
    studies = Studies(folder)
    sources = [source for source in map(Source, datasets) if source.benchmark]
    runs = [(source, name) for source in sources for name in source.names]
    most = max(sum(s.benchmark == b for s, _ in runs) for b in BENCHMARKS) if runs else 0
    rows = most + len(BLIND) + len(_PRINTED)
    figure = figures.compose(
        [_SHARES, _HEAD + _ROW * rows],
        [partial(_distributions, studies), partial(_recalls, means(studies), runs, rows)],
        width=style.WIDTH,
    )
    return Drawing(figure, "Figures 4 and 5. Rarity on all benchmarks", _caption(studies, sources))


def shown(datasets: Sequence[str]) -> str:
    """Which evaluated datasets stand in the figure, and which do not, in a sentence.

    Args:
        datasets: names of evaluated datasets.
    """
    sources = [Source(dataset) for dataset in datasets]
    some = [source.label for source in sources if source.benchmark]
    others = [source.label for source in sources if not source.benchmark]
    return (
        f"Of the datasets that were run, {', '.join(some) or 'none'} "
        f"{'stand' if len(some) > 1 else 'stands'} below."
        + f" {', '.join(others)}: no benchmark of the paper, so not shown."
        * bool(others)
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
    splits = [split for split in SPLITS if split in set(rows["split"])]
    labels = list(dict.fromkeys(rows["bin"]))
    places = np.arange(len(labels))[::-1]
    height = 0.8 / len(splits)
    for number, split in enumerate(splits):
        shares = 100 * rows.loc[rows["split"] == split, "share"].to_numpy()
        heights = places + (len(splits) / 2 - number - 0.5) * height
        axes.barh(heights, shares, height=0.88 * height, color=_INKS[split])
        for index, (place, share) in enumerate(zip(heights, shares, strict=True)):
            name = f" {split}" if index == 0 else ""
            axes.annotate(
                f"{share:.1f}{name}", (share, place), (2, 0), textcoords="offset points",
                va="center", size=5.8, color=style.INK if split == "test" else style.MUTED,
            )  # fmt: skip
    axes.set_yticks(places, labels)
    axes.set_xlim(0, 76)
    axes.set_xlabel("share of pairs, %")
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)


def _draw_printed(axes: Axes) -> None:
    printed = published.bin_shares()
    for index, share in enumerate(printed):
        place = len(printed) - 1 - index
        axes.plot([share, share], [place - 0.42, place + 0.42], color=style.MOMENT, lw=2)
        axes.text(
            75, place, f"printed\n{share:.2f}", va="center", ha="right", size=6,
            color=style.MOMENT, weight="bold",
        )  # fmt: skip
    axes.set_ylabel("training frequency of rarest word")


def _recalls(
    blind: pd.DataFrame, runs: list[tuple[Source, str]], rows: int, part: SubFigure
) -> None:
    part.suptitle(
        f"{METRIC}, %: queries with a rare word (filled) and without (open)",
        x=0.01, ha="left", size=8.5, weight="bold",
    )  # fmt: skip
    for axes, benchmark in zip(part.subplots(1, len(BENCHMARKS)), BENCHMARKS, strict=True):
        mine = [(source, name) for source, name in runs if source.benchmark == benchmark]
        found = [
            *((title, _printed(benchmark, name), style.MUTED) for name, title in _PRINTED.items()),
            *(
                (f"{published.title(name)}, {source.label}", _ours(source, name), style.color(name))
                for source, name in mine
            ),
            *(
                (title, _study(blind, benchmark, name), style.color(name))
                for name, title in BLIND.items()
            ),
        ]
        for place, (_, ends, ink) in enumerate(found):
            _draw_ends(axes, -place, ends, ink, "D" if place < len(_PRINTED) else "o")
        axes.set_yticks(-np.arange(len(found)), [title for title, *_ in found], size=6.3)
        axes.axhline(0.5 - len(_PRINTED), color=style.FAINT, lw=0.6)
        axes.set_ylim(-rows + 0.4, 0.6)
        axes.set_xlim(0, 85)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0, labelcolor=style.INK)
        axes.spines["left"].set_visible(False)


def _draw_ends(axes: Axes, place: int, ends: Sequence[float] | None, ink: str, marker: str) -> None:
    if ends is None:
        axes.text(2, place, DASH, va="center", size=7, color=style.MUTED)
        return
    style.dumbbell(axes, place, ends, ink, marker)


def _printed(benchmark: str, name: str) -> tuple[float, float] | None:
    return published.rare_and_common()[name] if benchmark == "activitynet" else None


def _ours(source: Source, name: str) -> tuple[float, float] | None:
    return _ends([source.result(name, group, METRIC) for group in ("rare", "common")], 100.0)


def _study(table: pd.DataFrame, benchmark: str, name: str) -> tuple[float, float] | None:
    return _ends([value(table, benchmark, name, g, METRIC) for g in ("rare", "common")], 1.0)


def _ends(rows: list[Any], scale: float) -> tuple[float, float] | None:
    if any(row is None for row in rows):
        return None
    rare, common = (scale * float(row["value"]) for row in rows)
    return rare, common


def _caption(studies: Studies, sources: list[Source]) -> str:
    return (
        "Figures 4 and 5. Above: share of pairs by the training frequency of their rarest noun, "
        "verb or adjective, for each split; on ActivityNet beside the shares that Figure 1b "
        f"prints, which no reading gives (Q22). Below: {METRIC} of rare and of common queries. "
        "Diamonds: what the paper prints; a dash where its graphics could not be read. The prior "
        "and the action prior see no video and no features. A method that was not run is not "
        f"listed. Distributions and priors: {STAMP}. "
        + " ".join(source.caption for source in sources)
    )
