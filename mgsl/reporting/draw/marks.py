"""Marks that several figures share: rows of intervals, bands, spans on a timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from matplotlib.axes import Axes

from mgsl.evaluation.smoothing import Curve
from mgsl.reporting.draw import style

BAR = 0.2  # inches of one bar on a timeline


@runtime_checkable
class Interval(Protocol):
    """A number between two ends, such as a `Measured`."""

    @property
    def value(self) -> float:
        """The number."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


@dataclass(frozen=True)
class Bar:
    """One span on a timeline, in seconds, with the words beside its row and on it."""

    start_s: float
    end_s: float
    row: str
    text: str
    color: str
    alpha: float | None = None  # solid where it is None


def rows(axes: Axes, *, size: float | None = None) -> None:
    """Let each row be read: its name without a tick, its numbers by a grid.

    Args:
        axes: whose vertical axis names rows.
        size: of the names, in points; None: as everywhere.
    """
    look: dict[str, Any] = {} if size is None else {"labelsize": size}
    axes.tick_params(axis="y", length=0, labelcolor=style.INK, **look)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def mark(
    axes: Axes, x: float, y: int | float, ink: str, *, marker: str = "o", size: int | float = 4.0,
    edge: int | float = 0.9, filled: bool = True, zorder: int | float = 2.0,
) -> None:  # fmt: skip
    """One number, as a filled or an open mark."""
    face = ink if filled else "white"
    axes.plot(x, y, marker, ms=size, mec=ink, mfc=face, mew=edge, zorder=zorder)


def interval(
    axes: Axes, number: Interval, place: int | float, ink: str, *, width: int | float = 0.9,
    dashes: Any = "-", **look: Any,
) -> None:  # fmt: skip
    """One number with its interval, in a row.

    Args:
        axes: where.
        number: what is drawn.
        place: the row.
        ink: a colour.
        width: of the line, in points.
        dashes: of the line, as matplotlib has them.
        look: of the mark (`mark`).
    """
    axes.plot([number.low, number.high], [place, place], color=ink, lw=width, ls=dashes)
    mark(axes, number.value, place, ink, **look)


def dumbbell(axes: Axes, place: int, ends: Sequence[float], ink: str, marker: str) -> None:
    """Two numbers of one row, in percent: rare filled, common open, and both in words.

    Args:
        axes: where.
        place: the row.
        ends: of rare and of common queries.
        ink: a colour.
        marker: matplotlib's name of the mark.
    """
    rare, common = ends
    axes.plot(ends, [place, place], color=ink, lw=0.9)
    mark(axes, common, place, ink, marker=marker, filled=False)
    mark(axes, rare, place, ink, marker=marker)
    axes.annotate(
        f"{rare:.1f} / {common:.1f}", (max(ends), place), (6, 0), textcoords="offset points",
        va="center", size=5.8, color=ink,
    )  # fmt: skip


def band(
    axes: Axes, at: Curve, fit: Curve, low: Curve, high: Curve, ink: str, label: str = ""
) -> None:
    """A curve within its band; with a label for the legend."""
    axes.fill_between(at, low, high, color=ink, alpha=0.16, lw=0)
    axes.plot(at, fit, color=ink, label=label or None)


def spans(
    axes: Axes, bars: Sequence[Bar], moment: tuple[float, float] | None,
    window: tuple[float, float],
) -> None:  # fmt: skip
    """Spans one below the other.

    Args:
        axes: where.
        bars: the spans, the first on top.
        moment: the queried one, a pale band, in seconds; None where it is not known.
        window: the time that is shown, in seconds.
    """
    if moment:
        axes.axvspan(*moment, color=style.MOMENT, alpha=0.13, lw=0)
    turn = window[0] + 0.55 * (window[1] - window[0])
    for place, bar in enumerate(reversed(bars)):
        axes.barh(
            place, bar.end_s - bar.start_s, left=bar.start_s, height=0.62, color=bar.color,
            alpha=bar.alpha,
        )  # fmt: skip
        right = (bar.start_s + bar.end_s) / 2 < turn
        axes.annotate(
            bar.text, (bar.end_s if right else bar.start_s, place), (3 if right else -3, 0),
            textcoords="offset points", ha="left" if right else "right", va="center", size=6.5,
        )  # fmt: skip
    names = [bar.row for bar in bars]
    names = ["" if name in names[:place] else name for place, name in enumerate(names)]
    axes.set_yticks(range(len(bars)), names[::-1])
    axes.set_xlim(window)
    axes.set_ylim(-0.6, len(bars) - 0.4)
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("time in the video, s")
