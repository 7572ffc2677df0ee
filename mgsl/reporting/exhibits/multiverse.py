"""The multiverse of "rare": how near any reading comes to the printed distribution (Q22)."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.reporting.draw import figures, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.read import published
from mgsl.reporting.read.kept_studies import STAMP, Studies
from mgsl.reporting.read.published import BENCHMARKS

CHOICES = {  # columns of the study, and the question that each answers
    "form": "what is counted",
    "tags": "which words",
    "corpus": "counted in",
    "counted": "occurrences as",
    "edges": "edges of the bins",
    "bound": "a bin reaches",
    "shown": "split shown",
}
LITERAL = {
    "form": "surface", "tags": "nouns, verbs, adjectives", "corpus": "train", "counted": "tokens",
    "edges": "10, 50, 100", "bound": "below the edge", "shown": "test",
}  # fmt: skip
SHARES = [f"share_{place}" for place in range(1, 5)]
EDGES = [f"edge_{place}" for place in range(1, 4)]
_NAMED = {"train": "training", "all": "all splits", "val": "validation"}
_BINS = 96  # columns of a strip
_CURVE, _STRIPS, _BOTTOM = 2.3, 3.9, 2.2  # inches


def draw(folder: str) -> Drawing:
    """The specification curve, its choices, and the edges that would fit.

    Args:
        folder: of the studies.
    """
    studies = Studies(folder)
    table, fitting = studies.table("multiverse"), studies.table("multiverse_edges")
    figure = figures.compose(
        [_CURVE + _STRIPS, _BOTTOM],
        [partial(_curve_and_strips, table), partial(_nearest_and_edges, table, fitting)],
        width=style.WIDTH,
    )
    said = verdict(studies)
    return Drawing(figure, "The multiverse of “rare”", _caption(studies), said, _notes(studies))


def verdict(studies: Studies) -> str:
    """Whether the printed distribution can be recovered, in a sentence."""
    table = studies.table("multiverse")
    nearest = table.iloc[0]
    noise = _noise(studies)
    can = "can" if nearest["distance"] <= noise else "cannot"
    return (
        f"The paper’s distribution {can} be recovered from the published annotations by any of "
        f"the {len(table):,} readings: the closest puts {100 * nearest['distance']:.1f} % of the "
        f"pairs into another bin than the paper, the literal one "
        f"{100 * literal(table)['distance']:.1f} %; chance in drawing the queries would explain "
        f"about {100 * noise:.1f} %."
    )


def other_edges(studies: Studies) -> str:
    """With which other edges the distribution can be recovered, in a sentence."""
    best = studies.table("multiverse_edges").sort_values("distance").iloc[0]
    return (
        "With bin edges other than 10, 50 and 100 it can be recovered: counting each "
        f"{best['form']} in {_NAMED[best['corpus']]}, the edges {_edges(best)} leave "
        f"{100 * best['distance']:.1f} % of the pairs in another bin."
    )


def _curve_and_strips(table: pd.DataFrame, part: SubFigure) -> None:
    curve, strips = part.subplots(2, 1, height_ratios=[_CURVE, _STRIPS], sharex=True)
    _draw_curve(curve, table)
    _draw_strips(strips, table)


def _draw_curve(axes: Axes, table: pd.DataFrame) -> None:
    ranks = np.arange(1, len(table) + 1)
    distances = 100 * table["distance"].to_numpy()
    axes.fill_between(ranks, distances, color=style.EVENT, alpha=0.35, lw=0)
    axes.plot(ranks, distances, color=style.INK, lw=1.2)
    axes.axhline(0, color=style.PAPER, lw=2.2)
    axes.annotate(
        "the paper’s distribution", (len(table), 0), (-2, 4), textcoords="offset points",
        ha="right", color=style.PAPER, size=7, weight="bold",
    )  # fmt: skip
    for row, text, offset in (
        (_place(table), "the literal reading, our default", (-8, 12)),
        (0, "the nearest reading", (14, -16)),
    ):
        height = distances[row]
        axes.plot(ranks[row], height, "o", ms=5, color=style.SERIES[1], mew=0, zorder=3)
        axes.annotate(
            f"{text}: {height:.1f}", (ranks[row], height), offset, textcoords="offset points",
            ha="left" if offset[0] > 0 else "right", color=style.SERIES[1], size=7,
        )  # fmt: skip
    axes.set_ylim(-1.5, 1.05 * distances.max())
    axes.set_ylabel("pairs in another bin\nthan in the paper, %")
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.set_title(f"{len(table):,} readings of “rare”, the nearest to the paper first")


def _draw_strips(axes: Axes, table: pd.DataFrame) -> None:
    """For each choice, where the readings that make it stand: the darker, the more of them."""
    cut = np.array_split(np.arange(len(table)), _BINS)
    labels: list[str] = []
    heights: list[float] = []
    height = 0.0
    for column, question in CHOICES.items():
        options = sorted(table[column].unique(), key=lambda o: table.index[table[column] == o][0])
        axes.text(
            -0.285, -height, question, transform=axes.get_yaxis_transform(), va="center",
            ha="left", size=6.3, color=style.MUTED,
        )  # fmt: skip
        for option in options:
            made = (table[column] == option).to_numpy()
            shares = np.array([made[rows].mean() for rows in cut])
            axes.imshow(
                shares[None], aspect="auto", cmap="Blues", vmin=0, vmax=1, interpolation="nearest",
                extent=(1, len(table), -height - 0.42, -height + 0.42),
            )  # fmt: skip
            literal = option == LITERAL[column]
            labels.append(_NAMED.get(str(option), str(option)) + (" •" if literal else ""))
            heights.append(-height)
            height += 1
        height += 0.45
    axes.set_yticks(heights, labels, size=6.3)
    axes.set_ylim(-height + 0.4, 0.6)
    axes.set_xlim(1, len(table))
    axes.tick_params(length=0, labelbottom=False, labelcolor=style.INK)
    axes.spines[:].set_visible(False)


def _nearest_and_edges(table: pd.DataFrame, fitting: pd.DataFrame, part: SubFigure) -> None:
    shares, edges = part.subplots(1, 2, width_ratios=[1, 1.25])
    _draw_shares(shares, table)
    _draw_edges(edges, fitting)


def _draw_shares(axes: Axes, table: pd.DataFrame) -> None:
    rows = {
        "literal reading": (literal(table), style.SERIES[1]),
        "nearest reading": (table.iloc[0], style.SERIES[0]),
    }
    for place, (title, (row, ink)) in enumerate(rows.items()):
        heights = np.arange(4)[::-1] + 0.2 - 0.4 * place
        axes.barh(heights, 100 * row[SHARES].to_numpy(float), height=0.34, color=ink, alpha=0.75)
        for height, share in zip(heights, 100 * row[SHARES].to_numpy(float), strict=True):
            axes.text(0.6, height, f"{share:.1f}", va="center", size=6)
        axes.plot([], [], "s", color=ink, label=title)
    printed = published.bin_shares()
    for place, share in zip(np.arange(4)[::-1], printed, strict=True):
        axes.plot([share, share], [place - 0.42, place + 0.42], color=style.PAPER, lw=2.2)
        axes.text(
            46, place, f"{share:.2f}", va="center", ha="right", size=6.5, color=style.PAPER,
            weight="bold",
        )  # fmt: skip
    axes.plot([], [], color=style.PAPER, lw=2.2, label="paper")
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.45, -0.2), ncol=3, frameon=False, fontsize=6,
        handlelength=1, columnspacing=1,
    )  # fmt: skip
    axes.set_yticks(np.arange(4)[::-1], ["rarest", "second", "third", "most\nfrequent"])
    axes.set_xlim(0, 46)
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
    axes.set_xlabel("share of pairs, %", labelpad=1)
    axes.set_title("Shares of the four bins")


def _draw_edges(axes: Axes, fitting: pd.DataFrame) -> None:
    for edge in (10, 50, 100):
        axes.axvline(edge, color=style.PAPER, lw=1)
        axes.annotate(
            f"{edge}", (edge, 1), (0, 2), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", color=style.PAPER, size=6.5, weight="bold",
        )  # fmt: skip
    labels = []
    for place, row in enumerate(fitting.to_dict("records")):
        edges = [row[edge] for edge in EDGES]
        axes.plot(edges, [-place] * 3, color=style.FAINT, lw=0.8, zorder=1)
        axes.plot(edges, [-place] * 3, "o", ms=4.5, color=style.SERIES[0], mew=0)
        for edge in edges:
            axes.annotate(
                f"{edge}", (edge, -place), (0, 5), textcoords="offset points", ha="center", size=6,
                color=style.SERIES[0],
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
            )  # fmt: skip
        axes.text(
            1.02, -place, f"{100 * row['distance']:.1f}", va="center", size=6.3,
            transform=axes.get_yaxis_transform(), color=style.MUTED,
        )  # fmt: skip
        labels.append(f"{row['form']}, {_NAMED[row['corpus']]}")
    axes.text(
        1.02, 0.9, "%", transform=axes.get_yaxis_transform(), size=6.3, color=style.MUTED,
        va="center",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(0.8, 250)
    axes.set_ylim(-len(labels) + 0.4, 0.75)
    axes.set_xticks([1, 10, 100], ["1", "10", "100"])
    axes.minorticks_off()
    axes.set_yticks(-np.arange(len(labels)), labels)
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
    axes.set_xlabel("edges that would give the paper’s shares", labelpad=1)
    axes.set_title("The edges that fit, and the paper’s", pad=12)


def _place(table: pd.DataFrame) -> int:
    same = np.logical_and.reduce([table[column] == option for column, option in LITERAL.items()])
    return int(np.flatnonzero(same)[0])


def literal(table: pd.DataFrame) -> pd.Series:
    """The reading that follows the paper's text word by word."""
    return table.iloc[_place(table)]


def _edges(row: pd.Series) -> str:
    first, second, third = (int(row[edge]) for edge in EDGES)
    return f"{first}, {second} and {third}"


def _noise(studies: Studies) -> float:
    """How far the shares of as many queries fall from their own expectation, on average."""
    shares = np.array(published.bin_shares()) / 100
    deviations = np.sqrt(shares * (1 - shares) / studies.pairs("activitynet"))
    return float(np.sqrt(2 / np.pi) * deviations.sum() / 2)


def _caption(studies: Studies) -> str:
    return (
        "How close each reading of “rare” comes to the distribution that Figure 1b prints for "
        f"{BENCHMARKS['activitynet'][0]}; {studies.pairs('activitynet'):,} test pairs, {STAMP}."
    )


def _notes(studies: Studies) -> str:
    rows = len(studies.table("multiverse"))
    return (
        f"{other_edges(studies)} Top: the share of pairs that would have to change their "
        f"bin, for {rows:,} readings, sorted. Below it, for each choice, where the readings that "
        "make it lie (darker: more readings); a dot marks the literal reading of the text. Bottom "
        "left: the shares of two readings. Bottom right: the bin edges with which each way of "
        "counting nouns, verbs and adjectives comes closest, and the share of test pairs that is "
        "still in another bin. Lemmas are made by rules and stems by Porter’s algorithm; WordNet "
        "was not used."
    )
