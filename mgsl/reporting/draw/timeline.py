"""One query on its video: what the clips look like, what happens when, and what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from mgsl.data.planted import Event
from mgsl.queries import Query
from mgsl.reporting.draw import style
from mgsl.reporting.read import published
from mgsl.reporting.read.results import Results
from mgsl.spans import tiou

BAR = 0.2  # inches of one bar on a timeline


@dataclass(frozen=True)
class Bar:
    """One span on a timeline, in seconds, with the words beside its row and on it."""

    start_s: float
    end_s: float
    row: str
    text: str
    color: str


def example(source: Results) -> Query:
    """The query that is shown: the first rare one of the test split, else the first."""
    test = [query for query in source.queries if query.split == "test"]
    return next((query for query in test if query.rare), test[0])


def rarest_word(source: Results, query: Query) -> str:
    """The word that decides whether a query is rare, and how often training has it."""
    tags = source.preparation.preparation.rare.tags
    counts = source.word_counts
    words = [w for w, tag in zip(query.tokens, query.tags, strict=True) if tag.startswith(tags)]
    if not words:
        return "no noun, verb or adjective"
    word = min(words, key=lambda word: counts.get(word, 0))
    times = int(counts.get(word, 0))
    seen = {0: "never seen", 1: "seen once", 2: "seen twice"}.get(times, f"seen {times:,} times")
    where = "all splits" if source.preparation.preparation.rare.corpus == "all" else "training"
    return f"rarest word: “{word}”, {seen} in {where}"


def truth(source: Results, query: Query) -> list[Bar]:
    """The queried moment, its distractors and whatever else happens in the video."""
    events = source.events(query.video)
    moment = next((e for e in events if (e.start_s, e.end_s) == (query.start_s, query.end_s)), None)
    bars = [Bar(query.start_s, query.end_s, "queried moment", _words(moment, query), style.MOMENT)]
    others = [event for event in events if event is not moment]
    distractors = [event for event in others if moment and _differ_in_one_word(event, moment)]
    bars += [_bar(event, "distractor", style.DISTRACTOR) for event in distractors]
    return bars + [_bar(e, "other event", style.EVENT) for e in others if e not in distractors]


def answers(source: Results, query: Query) -> list[Bar]:
    """The best-ranked moment of every run's first seed."""
    return [answer(source, query, name) for name in source.names]


def answer(source: Results, query: Query, name: str) -> Bar:
    """The best-ranked moment of one run's first seed."""
    start_s, end_s, *_ = source.predictions(name, source.config.seeds[0], query.qid)[0]
    overlap = overlap_text((start_s, end_s), (query.start_s, query.end_s))
    return Bar(start_s, end_s, published.title(name), overlap, style.color(name))


def overlap_text(span_s: tuple[float, float], target_s: tuple[float, float]) -> str:
    """How well two spans agree, in words."""
    return f"tIoU {float(tiou(np.array(span_s), np.array(target_s))):.2f}"


def draw_clips(axes: Axes, source: Results, query: Query) -> None:
    """The clip features as a heat map; the dimensions most particular to the moment on top."""
    features = source.features(query.video)
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
    draw_spans(axes, bars, (query.start_s, query.end_s), (0.0, query.duration_s))


def draw_spans(
    axes: Axes, bars: Sequence[Bar], moment: tuple[float, float], window: tuple[float, float]
) -> None:
    """Spans one below the other.

    Args:
        axes: where.
        bars: the spans, the first on top.
        moment: the queried one, a pale band, in seconds.
        window: the time that is shown, in seconds.
    """
    axes.axvspan(*moment, color=style.MOMENT, alpha=0.13, lw=0)
    turn = window[0] + 0.55 * (window[1] - window[0])
    for place, bar in enumerate(reversed(bars)):
        axes.barh(place, bar.end_s - bar.start_s, left=bar.start_s, height=0.62, color=bar.color)
        right = (bar.start_s + bar.end_s) / 2 < turn
        axes.annotate(
            bar.text, (bar.end_s if right else bar.start_s, place), (3 if right else -3, 0),
            textcoords="offset points", ha="left" if right else "right", va="center", size=6.5,
        )  # fmt: skip
    rows = [bar.row for bar in bars]
    names = ["" if row in rows[:place] else row for place, row in enumerate(rows)]
    axes.set_yticks(range(len(bars)), names[::-1])
    axes.set_xlim(window)
    axes.set_ylim(-0.6, len(bars) - 0.4)
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("time in the video, s")


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
