"""What a dataset looks like: its long tail, its words, and one video with a query."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import NullFormatter

from mgsl.queries import SPLITS
from mgsl.reporting.draw import bins, figures, style, timeline
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.marks import BAR, Bar
from mgsl.reporting.read.results import Results

_TAIL, _CLIPS, _HEAD = 2.2, 0.9, 1.0  # inches


def draw(datasets: Sequence[str]) -> Drawing:
    """Long tail and one video of each dataset.

    Args:
        datasets: names of prepared datasets.
    """
    all_results = [Results(dataset) for dataset in datasets]
    parts, heights = [], []
    for results in all_results:
        query = timeline.example(results)
        bars = timeline.truth(results, query)
        parts += [partial(_draw_tail, results), partial(_draw_video, results, bars)]
        heights += [_TAIL, _HEAD + _CLIPS + BAR * len(bars)]
    caption = "The data: its long tail, its words, and one video with a query. " + " ".join(
        results.caption for results in all_results
    )
    notes = (
        "Top left: share of pairs by the training frequency of their "
        "rarest noun, verb or adjective. Top right: the frequency of each such word by its rank. "
        "Bottom: the first rare query of the test split and its video. The heat map shows the clip "
        "features minus their median over the video (red above, blue below), sorted so that those "
        "of the queried moment are on top; distractors differ from that moment in one word."
    )
    said = " ".join(map(_statement, all_results))
    figure = figures.compose(heights, parts, width=style.WIDTH)
    title = "The embedded dataset: its long tail and one of its videos"
    return Drawing(figure, title, caption, said, notes)


def _statement(results: Results) -> str:
    """How much of the test split is rare, and how many words make it so."""
    rule, counts = results.preparation.preparation.rare, results.word_counts.to_numpy()
    test = results.test
    share = sum(query.rare for query in test) / len(test)
    return (
        f"{share:.0%} of the {len(test):,} test queries of {results.label} are rare: "
        f"{_is_rare(results).sum():,} of {len(counts):,} words occur "
        f"{'at most' if rule.inclusive else 'fewer than'} {rule.threshold} times."
    )


def _is_rare(results: Results) -> Bool[np.ndarray, " words"]:
    """Which of the counted words are rare."""
    rule, counts = results.preparation.preparation.rare, results.word_counts.to_numpy()
    return counts <= rule.threshold if rule.inclusive else counts < rule.threshold


def _draw_tail(results: Results, part: SubFigure) -> None:
    part.suptitle(results.heading, x=0.01, ha="left", size=9, weight="bold")
    shares, zipf = part.subplots(1, 2)
    _draw_shares(results, shares)
    _draw_ranks(results, zipf)


def _draw_shares(results: Results, axes: Axes) -> None:
    shares = results.summary["shares"]
    bins.draw_bins(
        axes,
        {
            split: {label: 100 * shares[split][label] for label in results.summary["bins"]}
            for split in SPLITS
            if split in shares
        },
    )
    axes.set_ylabel("training frequency")
    axes.margins(x=0.12)
    axes.set_title("Four bins of rarity", size=7.5)


def _draw_ranks(results: Results, axes: Axes) -> None:
    rule = results.preparation.preparation.rare
    counts = results.word_counts.to_numpy()
    ranks = np.arange(1, len(counts) + 1)
    rare = _is_rare(results)
    for members, ink in ((~rare, style.MUTED), (rare, style.GROUPS["rare"])):
        axes.plot(ranks[members], counts[members], ".", ms=3.5, color=ink, mew=0)
    axes.axhline(rule.threshold, color=style.GROUPS["rare"], lw=0.7, ls=(0, (3, 2)))
    axes.text(1, rule.threshold * 0.86, f"rare: {rare.sum():,} of {len(counts):,} words",
              va="top", size=6.5, color=style.GROUPS["rare"])  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("rank of the word")
    axes.set_ylabel("times in training")
    axes.set_title("Nouns, verbs and adjectives", size=7.5)
    axes.grid()


def _draw_video(results: Results, bars: list[Bar], part: SubFigure) -> None:
    query = timeline.example(results)
    ratios = [_CLIPS, BAR * len(bars)]
    clips, spans = part.subplots(2, 1, height_ratios=ratios, sharex=True)
    clips.set_title(f"“{query.sentence}”", size=8)
    timeline.draw_clips(clips, results, query)
    timeline.draw_bars(spans, bars, query)
