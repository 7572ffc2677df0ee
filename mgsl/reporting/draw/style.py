"""How every figure looks: sizes, inks, and one colour for each method wherever it appears.

The colours are Okabe and Ito's and, where those are used up, Paul Tol's, which people with any
colour vision tell apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

WIDTH = 7.0  # inches: two columns of a paper, one of a page
INK, MUTED, FAINT, GRID = "#1a1a1a", "#5f6368", "#b8bcc2", "#e6e8eb"
MOMENT, DISTRACTOR, EVENT = "#E69F00", "#CC79A7", "#c9ced6"
DIVERGING = "RdBu_r"
PEOPLE = "#B26B00"

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
SERIES = ("#0072B2", "#D55E00", "#009E73", "#8c6bb1", "#E69F00", "#56B4E9")

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


def bare(axes: Axes) -> None:
    """Leave only what is drawn: no ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
