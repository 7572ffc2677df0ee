"""Figure 1a: one query, the moment that answers it, and what the runs answered."""

from collections.abc import Callable, Sequence
from functools import partial

from matplotlib.figure import SubFigure

from mgsl import paths
from mgsl.reporting.draw import figures, marks, style, timeline
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.marks import BAR, Bar
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import FULL
from mgsl.reporting.read.kept_studies import Studies
from mgsl.reporting.read.published import BENCHMARKS
from mgsl.reporting.read.results import Results

HIT = 0.5  # tIoU from which an answer counts
_MOMENT = "queried moment"
_CLIPS, _HEAD = 0.8, 1.0  # inches


def draw(datasets: Sequence[str]) -> Drawing:
    """One query of each dataset: the first rare one of the test split, whatever was answered.

    Args:
        datasets: names of evaluated datasets.
    """
    all_results = [Results(dataset) for dataset in datasets]
    parts: list[Callable[[SubFigure], None]] = []
    heights: list[float] = []
    for results in all_results:
        query = timeline.example(results)
        bars = timeline.truth(results, query) + timeline.answers(results, query)
        parts.append(partial(_part, results, bars))
        heights.append(_HEAD + _CLIPS + BAR * len(bars))
    parts.append(_paper)
    heights.append(_HEAD + BAR)
    caption = (
        "Figure 1a. One query, its moment, and the answer of each run; then the paper’s own "
        "query. " + " ".join(results.caption for results in all_results)
    )
    notes = (
        "Ours is the first rare query of the test split, chosen before any answer was seen. The "
        "heat map shows the clip features minus their median "
        "over the video (red above, blue below), sorted so that those of the queried moment are "
        "on top. Below: the queried moment, events that differ from it in one word (distractors), "
        "the other events of the video, and each run's best-ranked moment with its tIoU "
        f"(seed {all_results[0].config.seeds[0]}). For the paper’s query only the moment is known."
    )
    figure = figures.compose(heights, parts, width=style.WIDTH)
    title = "Figure 1a. A query with a rare word, and its moment"
    return Drawing(figure, title, caption, " ".join(map(_statement, all_results)), notes)


def _statement(results: Results) -> str:
    """How many runs find the moment of the query, and how near the full model comes."""
    query = timeline.example(results)
    overlaps = {name: timeline.overlap(results, query, name) for name in results.names}
    hits = sum(overlap >= HIT for overlap in overlaps.values())
    own = f"; {published.title(FULL)} reaches {overlaps[FULL]:.2f}" if FULL in overlaps else ""
    return (
        f"For the query “{query.sentence}” {hits} of {len(overlaps)} runs on {results.label} find "
        f"the moment with a tIoU of {HIT} or more{own}."
    )


def _paper(part: SubFigure) -> None:
    """The paper's own query on its video: where public annotations have its moment."""
    rows = Studies(str(paths.STUDIES)).table("examples")
    query = rows[rows["figure"] == "Figure 1a"].iloc[0]
    axes = part.subplots()
    part.suptitle(f"paper: “{query['sentence']}”", x=0.01, ha="left", size=9, weight="bold")
    moment = float(query["printed_start_s"]), float(query["printed_end_s"])
    text = f"{moment[0]:g}–{moment[1]:g} s"
    duration_s = float(query["duration_s"])
    marks.spans(axes, [Bar(*moment, _MOMENT, text, style.MOMENT)], moment, (0.0, duration_s))
    axes.set_title(
        f"video {query['video']}, {BENCHMARKS[query['benchmark']][0]}, {query['split']} split",
        size=7, weight="normal", color=style.MUTED,
    )  # fmt: skip


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
