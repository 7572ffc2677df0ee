"""One answer on its timeline: the moments that a method finds for a sentence."""

from matplotlib.figure import Figure

from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.marks import Bar
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
    best = max(moment.score for moment in answer.moments) or 1.0
    bars = [
        Bar(
            m.start_s, m.end_s, f"{rank}", f"{_span(m.start_s, m.end_s)}, score {m.score:.3f}", ink,
            alpha=0.35 + 0.65 * max(m.score, 0) / best,
        )
        for rank, m in enumerate(answer.moments, start=1)
    ]  # fmt: skip
    if moment_s:
        bars.insert(0, Bar(*moment_s, "annotated", _span(*moment_s), style.MOMENT))
    with style.style():
        figure = Figure(figsize=(style.WIDTH, _HEAD + _BAR * len(bars)), layout="constrained")
        axes = figure.subplots()
        marks.spans(axes, bars, moment_s, (0.0, answer.duration_s))
        axes.set_title(f"“{answer.query}”")
        figures.lay_out(figure)
    kind = "SIMULATED features" if answer.simulated else "real features"
    caption = (
        f"The {len(answer.moments)} best moments after non-maximum suppression, by "
        f"{published.title(answer.method)} trained on {answer.dataset} ({kind}); the paler, the "
        "lower the score."
    )
    if moment_s:
        caption += " On top, in yellow, the annotated moment."
    if answer.unknown:
        caption += f" Not a word of that dataset: {', '.join(answer.unknown)}."
    return Drawing(figure, f"“{answer.query}”", caption)


def _span(start_s: float, end_s: float) -> str:
    return f"{start_s:.1f}–{end_s:.1f} s"
