"""How every figure looks: sizes, inks, and one meaning for each colour wherever it appears.

A method has a colour of its own, and so have rare and common queries, verdicts, people, and the
queried moment; what the paper gives is black. `SERIES` is for what has no meaning elsewhere. Text
in a colour that is too pale to be read on white is darkened.

The colours of methods are Okabe and Ito's and, where those are used up, Paul Tol's, which people
with any colour vision tell apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

WIDTH = 7.0  # inches: two columns of a paper, one of a page
INK, MUTED, FAINT, GRID = "#1a1a1a", "#5f6368", "#b8bcc2", "#e6e8eb"
MOMENT, DISTRACTOR, EVENT = "#E69F00", "#8FA3BF", "#c9ced6"
DIVERGING = "RdBu_r"
PEOPLE = "#8A5A00"
PAPER = INK  # what the paper gives
GROUPS = {"all": INK, "rare": "#A3195B", "common": "#4F6D8F"}  # of queries
SUPPORTED, CONTRADICTED = "#1B7837", "#B2182B"

METHODS = {
    "mgsl_net": "#0072B2",
    "printed": "#D55E00",
    "tan_2d": "#009E73",
    "drn": "#8c6bb1",
    "tgn": "#56B4E9",
    "ctrl": "#999933",
    "acrn": "#332288",
    "qspn": "#DDAA33",
    "cbp": "#CC6677",
    "scdm": "#117733",
    "gdp": "#661100",
    "lgi": "#B8860B",
    "bpnet": "#88CCEE",
    "vslnet": "#44AA99",
    "cmin": "#AA4499",
    "cbln": "#EE8866",
    "prior": "#CC79A7",
    "action_prior": "#882255",
}
SERIES = ("#3B4CC0", "#B40426", "#2A7F62", "#7B3294", "#8C510A", "#35978F")
_LEAST_CONTRAST = 4.5  # of text on white (WCAG 2.2, AA)

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # travels with matplotlib: the same on every machine
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "mgsl",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of this project, whatever the user's own settings."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def color(name: str) -> str:
    """The colour of a method or ablation; grey for one that has none of its own."""
    return METHODS.get(name, MUTED)


def readable(ink: Any) -> str:
    """A colour as text has it: as dark as it must be to be read on white; white stays."""
    red, green, blue = to_rgb(ink)
    while min(red, green, blue) < 1 and contrast((red, green, blue)) < _LEAST_CONTRAST:
        red, green, blue = 0.96 * red, 0.96 * green, 0.96 * blue
    return to_hex((red, green, blue))


def contrast(rgb: tuple[float, float, float]) -> float:
    """How far a colour stands out from white (WCAG 2.2), from 1 to 21."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 1.05 / (luminance + 0.05)


def bare(axes: Axes) -> None:
    """Leave only what is drawn: no ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
