"""Boxes, arrows and labels: how the drawings of an architecture look.

A canvas is measured in units of 1/20 inch.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from mgsl.reporting.draw import style

UNIT = 0.05  # inches
WIDTH = style.WIDTH / UNIT
Units = float | int
Point = tuple[Units, Units]

FILLS = {  # the face and the edge of each kind of box
    "encoder": ("#dcebf6", "#3f7fb0"),
    "alignment": ("#dff1ea", "#2f8f74"),
    "memory": ("#fcefd6", "#c98a0a"),
    "attention": ("#e9e4f3", "#7a63a8"),
    "head": ("#eceef1", "#6a7078"),
    "plain": ("#ffffff", "#6a7078"),
}


class Canvas:
    """One drawing, filling a part of a figure.

    Args:
        part: what is filled.
        height: units.
    """

    def __init__(self, part: SubFigure, height: Units) -> None:
        self.axes: Axes = part.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(0, WIDTH)
        self.axes.set_ylim(0, height)
        style.bare(self.axes)

    def box(
        self, x: Units, y: Units, width: Units, height: Units, kind: str, title: str = "",
        lines: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """A rounded box around (x, y) with a title and smaller lines below it."""
        face, edge = FILLS[kind]
        corner, rounding = (x - width / 2, y - height / 2), "round,pad=0,rounding_size=1.2"
        patch = FancyBboxPatch(corner, width, height, fc=face, ec=edge, boxstyle=rounding)
        patch.set(linewidth=0.8, zorder=2)
        self.axes.add_patch(patch)
        rows = ([title] if title else []) + list(lines)
        heads = title.count("\n") + 1 if title else 0
        total = 2.9 * heads + 2.5 * len(lines)
        top = y + total / 2
        for place, row in enumerate(rows):
            is_title = bool(title) and place == 0
            size = 2.9 * heads if is_title else 2.5
            self.text(
                x, top - size / 2, row, size=6.6 if is_title else 5.7,
                weight="bold" if is_title else "normal", color=style.INK if is_title else "#3c4043",
            )  # fmt: skip
            top -= size

    def text(self, x: Units, y: Units, words: str, **look: Any) -> None:
        """Words around (x, y); mathematics between dollar signs."""
        options: dict[str, Any] = {
            "ha": "center",
            "va": "center",
            "size": 6,
            "zorder": 4,
            "linespacing": 1.1,
        } | look
        self.axes.text(x, y, words, parse_math="$" in words, **options)

    def path(self, *points: Point, head: bool = True) -> None:
        """A line through points, with an arrow's head at its end."""
        xs, ys = zip(*points, strict=True)
        (line,) = self.axes.plot(xs, ys, color=style.MUTED, lw=0.9, zorder=1)
        line.set_solid_joinstyle("round")
        if head:
            self.axes.annotate(
                "", points[-1], points[-2], zorder=3,
                arrowprops={"arrowstyle": "-|>,head_length=0.28,head_width=0.13", "lw": 0.9,
                            "color": style.MUTED, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip

    def tensor(self, x: Units, y: Units, symbol: str, shape: str) -> None:
        """A tensor's name above a line and its shape below."""
        self.text(x, y + 2.3, symbol, size=7.5)
        self.text(x, y - 2.0, shape, size=5.5, color=style.MUTED)

    def dot(self, x: Units, y: Units) -> None:
        """Where a line forks."""
        self.axes.add_patch(Circle((x, y), 0.6, color=style.MUTED, zorder=3))

    def plus(self, x: Units, y: Units) -> None:
        """Where two tensors are added."""
        self.axes.add_patch(Circle((x, y), 1.5, fc="white", ec=style.MUTED, lw=0.8, zorder=3))
        self.axes.plot([x - 0.8, x + 0.8], [y, y], color=style.MUTED, lw=0.8, zorder=4)
        self.axes.plot([x, x], [y - 0.8, y + 0.8], color=style.MUTED, lw=0.8, zorder=4)

    def cards(self, x: Units, y: Units, count: int, ink: str) -> None:
        """A row of clips or words."""
        for place in range(count):
            left = x + 2.3 * (place - count / 2)
            self.axes.add_patch(
                Rectangle((left + 0.2, y - 2.2), 1.9, 4.4, fc=ink, ec="white", lw=0.4, zorder=2)
            )

    def grid(self, x: Units, y: Units, columns: int, rows: int) -> None:
        """The slots of a memory."""
        tints = ("#f3c266", "#e8a93b", "#f8dca4", "#d9952a", "#fbe9c6")
        indices = np.random.default_rng(0).integers(len(tints), size=(columns, rows))
        for column in range(columns):
            for row in range(rows):
                corner = x + 1.5 * (column - columns / 2), y + 1.5 * (row - rows / 2)
                tint = tints[indices[column, row]]
                self.axes.add_patch(Rectangle(corner, 1.3, 1.3, fc=tint, lw=0, zorder=3))
