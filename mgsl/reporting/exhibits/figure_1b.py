"""Figure 1b: how frequent a pair's rarest word is, and what rarity costs each method."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.evaluation.intervals import Measured
from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import METRIC
from mgsl.reporting.read.results import Results, rule

_PRINTED_NAMES = {"2DTAN": "tan_2d", "DRN": "drn", "MGSL-Net": "mgsl_net"}
_ROW, _HEAD = 0.25, 1.05  # inches


def draw(datasets: Sequence[str]) -> Drawing:
    """One row for each dataset: the shares of the frequency bins, and rare beside common recall.

    Args:
        datasets: names of evaluated datasets.
    """
    all_results = [Results(dataset) for dataset in datasets]
    heights = [_HEAD + _ROW * (len(s.names) + len(_PRINTED_NAMES) + 1) for s in all_results]
    figure = figures.compose(heights, [partial(_part, s) for s in all_results], width=style.WIDTH)
    caption = (
        "Figure 1b. Left: share of test pairs by the training frequency of their rarest noun, verb "
        f"or adjective. Right: {METRIC} on rare (filled) and common pairs (open). "
        + " ".join(results.caption for results in all_results)
    )
    notes = " ".join(
        [
            "Diamonds are the paper’s numbers for ActivityNet Captions; they come from other data "
            "and are not comparable with ours.",
            *filter(None, (results.notes for results in all_results)),
            rule(all_results),
        ]
    )
    title = "Figure 1b. Word frequency and recall on rare and common pairs"
    return Drawing(figure, title, caption, " ".join(map(_statement, all_results)), notes)


def _statement(results: Results) -> str:
    """What rare queries cost the methods of the paper's figure, here and there."""
    printed = published.rare_and_common()
    costs, theirs = {}, {}
    for method, name in reversed(_PRINTED_NAMES.items()):
        ends = [results.result(name, group, METRIC) for group in ("rare", "common")]
        if all(end is not None for end in ends):
            rare, common = (100 * float(end["value"]) for end in ends if end is not None)
            costs[published.title(name)] = common - rare
            theirs[name] = printed[method][1] - printed[method][0]
    if not costs:
        return f"None of the paper’s three methods has rare and common queries on {results.label}."
    here = listed(f"{title} {cost:.0f}" for title, cost in costs.items())
    there = listed(f"{cost:.0f}" for cost in theirs.values())
    return (
        f"On {results.label}, rare queries cost {here} points of {METRIC}; in the paper, on "
        f"ActivityNet Captions, {there}."
    )


def _part(results: Results, part: SubFigure) -> None:
    shares, recall = part.subplots(1, 2, width_ratios=[1, 1.45])
    _draw_shares(results, shares)
    _draw_recall(results, recall)


def _draw_shares(results: Results, axes: Axes) -> None:
    labels = results.summary["bins"]
    ours = [100 * results.summary["shares"]["test"][label] for label in labels]
    printed = published.bin_shares()
    places = np.arange(len(labels))[::-1]
    axes.barh(places, ours, height=0.56, color=style.EVENT)
    for place, share, paper in zip(places, ours, printed, strict=False):
        axes.plot(paper, place, **_mark(style.INK), fillstyle="none")
        axes.text(max(share, paper) + 1.6, place, f"{share:.1f}", va="center", size=7)
    axes.set_yticks(places, labels)
    axes.set_ylim(-0.6, len(labels) - 0.1)
    axes.plot(printed[0], len(labels) - 0.35, **_mark(style.INK), fillstyle="none")
    axes.text(
        printed[0] + 1.6, len(labels) - 0.35, "paper, ActivityNet", va="center",
        color=style.MUTED, size=6.5,
    )  # fmt: skip
    axes.set_xlim(0, 1.18 * max(*ours, *printed))
    axes.set_xlabel("share of test pairs, %")
    axes.set_ylabel("training frequency of rarest word")
    axes.set_title(results.heading)
    axes.tick_params(axis="y", length=0)


def _draw_recall(results: Results, axes: Axes) -> None:
    names, printed = results.names, published.rare_and_common()
    top = len(names) + len(printed) - 0.2
    rows = []
    for row, name in enumerate(names):
        height = top - row
        rows.append((height, published.title(name)))
        for group, offset in (("rare", 0.13), ("common", -0.13)):
            score = results.result(name, group, METRIC)
            if score is None:
                continue
            number = Measured.of(score, scale=100.0)
            marks.interval(
                axes, number, height + offset, style.color(name), width=1, size=5,
                edge=1, filled=group == "rare",
            )  # fmt: skip
    for row, (method, (rare, common)) in enumerate(printed.items()):
        height = len(printed) - 1 - row
        rows.append((height, method.replace("2DTAN", "2D-TAN")))
        ink = style.color(_PRINTED_NAMES[method])
        axes.plot([rare, common], [height] * 2, color=ink, lw=0.8, ls=(0, (2, 2)))
        axes.plot(rare, height, **_mark(ink))
        axes.plot(common, height, **_mark(ink), fillstyle="none")
    axes.axhline(len(printed) - 0.1, color=style.FAINT, lw=0.6)
    ours, paper = "ours: ● rare  ○ common", "paper, ActivityNet: ◆ rare  ◇ common"
    for height, text in ((top + 0.75, ours), (len(printed) - 0.2, paper)):
        axes.text(1, height, text, transform=axes.get_yaxis_transform(), ha="right", va="top",
                  size=6.5, color=style.MUTED)  # fmt: skip
    axes.set_yticks([height for height, _ in rows], [text for _, text in rows])
    axes.set_ylim(-0.6, top + 0.8)
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"{METRIC}, %")
    marks.rows(axes)


def _mark(ink: str) -> dict[str, Any]:
    return {"marker": "D", "ms": 4, "mew": 0.9, "color": ink, "ls": "none"}
