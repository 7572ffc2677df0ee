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
    sources = [Results(dataset) for dataset in datasets]
    parts, heights = [], []
    for source in sources:
        query = timeline.example(source)
        bars = timeline.truth(source, query) + timeline.answers(source, query)
        parts.append(partial(_part, source, bars))
        heights.append(_HEAD + _CLIPS + BAR * len(bars))
    caption = (
        "Figure 1a. One query and its moment: the first rare query of the test split, chosen "
        "before any answer was seen. The heat map shows the clip features less their median "
        "over the video (red above, blue below), sorted so that what the moment has is on top. "
        "Below: the queried moment, events that differ from it in one word (distractors), the "
        "other events of the video, and each run's best-ranked moment with its overlap "
        f"(seed {sources[0].config.seeds[0]}). " + " ".join(source.caption for source in sources)
    )
    figure = figures.compose(heights, parts, width=style.WIDTH)
    return Drawing(figure, "Figure 1a. A query with a rare word, and its moment", caption)


def _part(source: Results, bars: list[Bar], part: SubFigure) -> None:
    query = timeline.example(source)
    ratios = [_CLIPS, BAR * len(bars)]
    clips, spans = part.subplots(2, 1, height_ratios=ratios, sharex=True)
    part.suptitle(f"“{query.sentence}”", x=0.01, ha="left", size=9, weight="bold")
    clips.set_title(
        f"{timeline.rarest_word(source, query)} · video {query.video}, {source.heading}",
        size=7, weight="normal", color=style.MUTED,
    )  # fmt: skip
    timeline.draw_clips(clips, source, query)
    timeline.draw_bars(spans, bars, query)
