"""One query on its video: what the clips look like, what happens when, and what was answered."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from mgsl.data.planted import Event
from mgsl.queries import Query
from mgsl.reporting.draw import marks, style
from mgsl.reporting.draw.marks import Bar
from mgsl.reporting.read import published
from mgsl.reporting.read.results import Results
from mgsl.spans import tiou


def example(results: Results) -> Query:
    """The query that is shown: the first rare one of the test split, else the first."""
    test = [query for query in results.queries if query.split == "test"]
    return next((query for query in test if query.rare), test[0])


def rarest_word(results: Results, query: Query) -> str:
    """The word that decides whether a query is rare, and how often training has it."""
    word = results.rarest_word(query)
    if word is None:
        return "no noun, verb or adjective"
    times = int(results.word_counts.get(word, 0))
    often = {0: "never seen", 1: "seen once", 2: "seen twice"}.get(times, f"seen {times:,} times")
    where = "all splits" if results.preparation.preparation.rare.corpus == "all" else "training"
    return f"rarest word: “{word}”, {often} in {where}"


def truth(results: Results, query: Query) -> list[Bar]:
    """The queried moment, its distractors and whatever else happens in the video."""
    events = results.events(query.video)
    moment = next((e for e in events if (e.start_s, e.end_s) == (query.start_s, query.end_s)), None)
    bars = [Bar(query.start_s, query.end_s, "queried moment", _words(moment, query), style.MOMENT)]
    others = [event for event in events if event is not moment]
    distractors = [event for event in others if moment and _differ_in_one_word(event, moment)]
    bars += [_bar(event, "distractor", style.DISTRACTOR) for event in distractors]
    return bars + [_bar(e, "other event", style.EVENT) for e in others if e not in distractors]


def answers(results: Results, query: Query) -> list[Bar]:
    """The best-ranked moment of every run's first seed."""
    return [answer(results, query, name) for name in results.names]


def overlap(results: Results, query: Query, name: str) -> float:
    """The tIoU of the best-ranked moment of one run's first seed."""
    start_s, end_s, *_ = results.predictions(name, results.config.seeds[0], query.qid)[0]
    return float(tiou(np.array((start_s, end_s)), np.array((query.start_s, query.end_s))))


def answer(results: Results, query: Query, name: str) -> Bar:
    """The best-ranked moment of one run's first seed."""
    start_s, end_s, *_ = results.predictions(name, results.config.seeds[0], query.qid)[0]
    overlap = overlap_text((start_s, end_s), (query.start_s, query.end_s))
    return Bar(start_s, end_s, published.title(name), overlap, style.color(name))


def overlap_text(span_s: tuple[float, float], target_s: tuple[float, float]) -> str:
    """How well two spans agree, in words."""
    return f"tIoU {float(tiou(np.array(span_s), np.array(target_s))):.2f}"


def draw_clips(axes: Axes, results: Results, query: Query) -> None:
    """The clip features as a heat map; the dimensions most particular to the moment on top."""
    features = results.features(query.video)
    clips = _by_contrast(features - np.median(features, axis=0), query)
    limit = float(np.quantile(np.abs(clips), 0.98)) or 1.0
    axes.imshow(
        clips.T, aspect="auto", cmap=style.DIVERGING, interpolation="nearest", vmin=-limit,
        vmax=limit, extent=(0, query.duration_s, 0, clips.shape[1]),
    )  # fmt: skip
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="x", labelbottom=False, length=0)
    axes.set_ylabel("clip\nfeatures", rotation=0, ha="right", va="center")
    for edge in (query.start_s, query.end_s):
        axes.axvline(edge, color=style.INK, lw=0.8)


def draw_bars(axes: Axes, bars: Sequence[Bar], query: Query) -> None:
    """Spans one below the other over the video's time; the queried moment as a pale band."""
    marks.spans(axes, bars, (query.start_s, query.end_s), (0.0, query.duration_s))


def _bar(event: Event, row: str, color: str) -> Bar:
    return Bar(event.start_s, event.end_s, row, _shorten(" ".join(event.words)), color)


def _words(moment: Event | None, query: Query) -> str:
    return _shorten(" ".join(moment.words) if moment else query.sentence)


def _shorten(text: str, limit: int = 48) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _differ_in_one_word(event: Event, moment: Event) -> bool:
    shared = set(event.words) & set(moment.words)
    return len(shared) == len(moment.words) - 1 == len(event.words) - 1


def _by_contrast(
    clips: Float[np.ndarray, "clips video_dim"], query: Query
) -> Float[np.ndarray, "clips shown"]:
    """Dimensions that vary in this video, sorted by their mean inside the moment less outside."""
    middles = (np.arange(len(clips)) + 0.5) / len(clips) * query.duration_s
    inside = (middles >= query.start_s) & (middles <= query.end_s)
    varying = clips[:, clips.std(axis=0) > 0]
    if not varying.shape[1] or inside.all() or not inside.any():
        return clips
    contrast = varying[inside].mean(axis=0) - varying[~inside].mean(axis=0)
    return varying[:, np.argsort(-contrast, kind="stable")]
