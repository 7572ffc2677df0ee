"""A figure of a report: drawn once, kept in three formats, the same bytes each time."""

import base64
import functools
import html
import io
import logging
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from IPython.display import HTML, display
from matplotlib.figure import Figure, SubFigure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from mgsl.errors import UserError
from mgsl.files import atomic_path
from mgsl.reporting.draw.style import MUTED, WIDTH, readable, style
from mgsl.reporting.draw.templating import coded, how_to_read, statement

# It finds the one date that every figure has too early, and says so wherever a figure is drawn.
logging.getLogger("fontTools").setLevel(logging.ERROR)

_METADATA = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}, "png": {}}
_DOTS_PER_INCH = 200
_LETTERS = 110  # of a line of text
_PLACES = 6  # of a position, a share of the figure: less than a hundredth of a pixel


@dataclass(frozen=True)
class Drawing:
    """A figure with the sentences that have to stand beside it.

    `statement` is its result in a sentence, made of the numbers it shows: what stands under the
    title of the page, and what a screen reader says in place of the image. `caption` says in two
    lines what is seen, `notes` how to read it.
    """

    figure: Figure
    title: str
    caption: str
    statement: str = ""
    notes: str = ""

    @property
    def description(self) -> str:
        """Its caption and notes: what its SVG carries."""
        return f"{self.caption} {self.notes}".strip()


def show(drawing: Drawing) -> None:
    """Show a figure and its caption in a notebook."""
    display(HTML(to_html(drawing)))


def tell(text: str) -> None:
    """Show a paragraph in a notebook."""
    display(HTML(f"<p>{html.escape(text)}</p>"))


def save(drawing: Drawing, stem: str) -> None:
    """Write STEM.svg, STEM.pdf and STEM.png, each atomically; the SVG carries the caption.

    Args:
        drawing: what is written.
        stem: path without a suffix; empty: nothing is written.
    """
    for suffix in ("svg", "pdf", "png") if stem else ():
        with atomic_path(Path(f"{stem}.{suffix}")) as path:
            path.write_bytes(render(drawing, suffix))


def save_as(drawing: Drawing, path: Path) -> None:
    """Write one file in the format that its name ends with, atomically.

    Raises:
        UserError: there is no such format.
    """
    suffix = path.suffix.removeprefix(".")
    if suffix not in _METADATA:
        raise UserError(f"{path}: a drawing is kept as .{', .'.join(_METADATA)}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(render(drawing, suffix))


@functools.cache
def render(drawing: Drawing, suffix: str) -> bytes:
    """The bytes of one format: svg, pdf or png."""
    metadata: dict[str, str | None] = {"Title": drawing.title, **_METADATA[suffix]}
    if suffix == "svg":
        metadata["Description"] = drawing.description
    buffer = io.BytesIO()
    with style():
        drawing.figure.savefig(buffer, format=suffix, dpi=_DOTS_PER_INCH, metadata=metadata)
    return _number_ids(buffer.getvalue()) if suffix == "svg" else buffer.getvalue()


def _number_ids(svg: bytes) -> bytes:
    """Name clips and markers in the order they come, not by a hash of all digits of their place.

    The last of those digits differ from one processor to another, and nobody sees them.
    """
    numbers: dict[bytes, bytes] = {}
    for identifier in re.findall(rb'\bid="([a-zA-Z][0-9a-f]{10})"', svg):
        numbers.setdefault(identifier, b"i%d" % len(numbers))
    return re.sub(rb"\b[a-zA-Z][0-9a-f]{10}\b", lambda name: numbers.get(name[0], name[0]), svg)


def to_html(drawing: Drawing) -> str:
    """Its statement, then a `figure` that holds its image within itself."""
    image = base64.b64encode(render(drawing, "svg")).decode()
    words = html.escape(drawing.statement or drawing.title)
    return (
        f"{statement(drawing.statement)}"
        '<figure class="drawing">\n<p class="hint" aria-hidden="true"></p>\n'
        '<div class="scroll" tabindex="0" role="region" '
        'aria-label="Figure, scrolls sideways">'
        f'<img alt="{words}" src="data:image/svg+xml;base64,{image}"></div>\n'
        f"<figcaption>{coded(drawing.caption)}</figcaption>\n{how_to_read(drawing.notes)}"
        "</figure>\n"
    )


def absent(title: str, text: str) -> Drawing:
    """A figure that says that there is nothing to draw, and why."""

    def say(part: SubFigure) -> None:
        lines = textwrap.fill(text.replace("`", ""), _LETTERS)
        part.text(0.5, 0.5, lines, ha="center", va="center", color=MUTED)

    return Drawing(compose(0.8, [say], width=WIDTH), title, text)


def compose(
    height: float | Sequence[float], draw: Sequence[Callable[[SubFigure], None]], *, width: float
) -> Figure:
    """Parts of a figure, one below the other, each drawn by its own function.

    Args:
        height: inches of every part, or of each.
        draw: what fills each part, at least one.
        width: inches.
    """
    heights = [height] * len(draw) if isinstance(height, float) else list(height)
    with style():
        figure = Figure(figsize=(width, sum(heights)), layout="constrained")
        parts = figure.subfigures(len(draw), 1, height_ratios=heights, squeeze=False)
        for part, fill in zip(parts[:, 0], draw, strict=True):
            fill(part)
        for text in figure.findobj(Text):
            text.set_color(readable(text.get_color()))
        lay_out(figure)
    return figure


def lay_out(figure: Figure) -> None:
    """Lay a figure out once, for all formats, and round where its parts and axes lie.

    The solver of layouts orders what it solves by addresses in memory, so that its last digits
    differ from process to process.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine(None)
    for part in figure.subfigs:
        part.bbox_relative.set_points(part.bbox_relative.get_points().round(_PLACES))
        for text in part.texts:
            x, y = text.get_position()
            text.set_position((round(x, _PLACES), round(y, _PLACES)))
    for axes in figure.axes:
        axes.set_position(Bbox(axes.get_position(original=True).get_points().round(_PLACES)))
