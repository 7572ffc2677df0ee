"""One answer on its timeline: the moments that a method finds for a sentence."""

from matplotlib.figure import Figure

from mgsl.reporting.draw import style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.timeline import Bar
from mgsl.reporting.read import published
from mgsl.tools.ground import Answer

_BAR, _HEAD = 0.26, 1.0  # inches


def draw(answer: Answer, moment_s: tuple[float, float] | None = None) -> Drawing:
    """The best moments, one below the other, over the video's time.

    Args:
        answer: what a method answered.
        moment_s: the annotated moment, where it is known.
    """
    ink = style.color(answer.method)
    bars = [
        Bar(m.start_s, m.end_s, f"{rank}", f"{_span(m.start_s, m.end_s)}, score {m.score:.3f}", ink)
        for rank, m in enumerate(answer.moments, start=1)
    ]
    best = max(moment.score for moment in answer.moments) or 1.0
    strengths = [0.35 + 0.65 * max(moment.score, 0) / best for moment in answer.moments]
    if moment_s:
        bars.insert(0, Bar(*moment_s, "annotated", _span(*moment_s), style.MOMENT))
        strengths.insert(0, 1.0)
    with style.style():
        figure = Figure(figsize=(style.WIDTH, _HEAD + _BAR * len(bars)), layout="constrained")
        axes = figure.subplots()
        if moment_s:
            axes.axvspan(*moment_s, color=style.MOMENT, alpha=0.13, lw=0)
        for place, (bar, alpha) in enumerate(zip(bars[::-1], strengths[::-1], strict=True)):
            axes.barh(
                place, bar.end_s - bar.start_s, left=bar.start_s, height=0.62, color=bar.color,
                alpha=alpha,
            )  # fmt: skip
            right = (bar.start_s + bar.end_s) / 2 < 0.55 * answer.duration_s
            axes.annotate(
                bar.text, (bar.end_s if right else bar.start_s, place), (3 if right else -3, 0),
                textcoords="offset points", ha="left" if right else "right", va="center", size=6.5,
            )  # fmt: skip
        axes.set_yticks(range(len(bars)), [bar.row for bar in bars[::-1]])
        axes.set_xlim(0, answer.duration_s)
        axes.set_ylim(-0.6, len(bars) - 0.4)
        axes.tick_params(axis="y", length=0, labelcolor=style.INK)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("time in the video, s")
        axes.set_title(f"“{answer.query}”")
    seen = "SIMULATED features" if answer.simulated else "real features"
    caption = (
        f"The {len(answer.moments)} best moments after non-maximum suppression, by "
        f"{published.title(answer.method)} trained on {answer.dataset} ({seen}); the paler, the "
        "lower the score."
    )
    if moment_s:
        caption += " On top, in yellow, the annotated moment."
    if answer.unknown:
        caption += f" Not a word of that dataset: {', '.join(answer.unknown)}."
    return Drawing(figure, f"“{answer.query}”", caption)


def _span(start_s: float, end_s: float) -> str:
    return f"{start_s:.1f}–{end_s:.1f} s"
