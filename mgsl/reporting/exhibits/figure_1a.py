"""Figure 1a: one query, the moment that answers it, and what the runs answered."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import SubFigure

from mgsl.reporting.draw import figures, style, timeline
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.marks import BAR, Bar
from mgsl.reporting.read.results import Results

_CLIPS, _HEAD = 0.8, 1.0  # inches


def draw(datasets: Sequence[str]) -> Drawing:
    """One query of each dataset: the first rare one of the test split, whatever was answered.

    Args:
        datasets: names of evaluated datasets.
    """
    all_results = [Results(dataset) for dataset in datasets]
    parts, heights = [], []
    for results in all_results:
        query = timeline.example(results)
        bars = timeline.truth(results, query) + timeline.answers(results, query)
        parts.append(partial(_part, results, bars))
        heights.append(_HEAD + _CLIPS + BAR * len(bars))
    caption = (
        "Figure 1a. One query and its moment: the first rare query of the test split, chosen "
        "before any answer was seen. The heat map shows the clip features less their median "
        "over the video (red above, blue below), sorted so that what the moment has is on top. "
        "Below: the queried moment, events that differ from it in one word (distractors), the "
        "other events of the video, and each run's best-ranked moment with its overlap "
        f"(seed {all_results[0].config.seeds[0]}). "
        + " ".join(results.caption for results in all_results)
    )
    figure = figures.compose(heights, parts, width=style.WIDTH)
    return Drawing(figure, "Figure 1a. A query with a rare word, and its moment", caption)


def _part(results: Results, bars: list[Bar], part: SubFigure) -> None:
    query = timeline.example(results)
    ratios = [_CLIPS, BAR * len(bars)]
    clips, spans = part.subplots(2, 1, height_ratios=ratios, sharex=True)
    part.suptitle(f"“{query.sentence}”", x=0.01, ha="left", size=9, weight="bold")
    clips.set_title(
        f"{timeline.rarest_word(results, query)} · video {query.video}, {results.heading}",
        size=7, weight="normal", color=style.MUTED,
    )  # fmt: skip
    timeline.draw_clips(clips, results, query)
    timeline.draw_bars(spans, bars, query)
