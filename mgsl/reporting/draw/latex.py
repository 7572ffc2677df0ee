"""What LaTeX needs to know of a table: signs that it reads otherwise, and what fits a page."""

import itertools
import re
from collections.abc import Sequence

from markupsafe import Markup

_LONGEST = 60  # letters of a row's name that a page can hold on one line
_COLUMNS = 13  # that a page can hold beside the names of the rows
_ROWS = 50  # of all blocks that stand one below the other in one float
_TEXT_ROWS, _TEXT_SIGNS = 14, 6000  # of sentences in one float
_TEXT_WIDTH = 0.88  # of the page's width, for all columns of sentences together
_SIGNS = {
    **{sign: rf"\{sign}" for sign in "%&_#${}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": "",
    "–": "--",
    "×": r"$\times$",
    "Δ": r"$\Delta$",
    "β": r"$\beta$",
    "−": "$-$",
    "±": r"$\pm$",
    ">=": r"$\geq$",
    "<=": r"$\leq$",
    ">": "$>$",
    "<": "$<$",
    "✓": r"$\surd$",
}
_SENTENCE = re.compile(r"(?:Table \d+\. )?(?P<first>.+?\.)(?: (?P<rest>.*)|$)", re.S)
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))


def escape(text: str) -> str:
    """Text as LaTeX reads it, with the signs that reports use."""
    return _SIGN.sub(lambda sign: _SIGNS[sign[0]], text)


def brief(caption: str) -> str:
    """The first sentence of a caption; LaTeX numbers tables itself."""
    match = _SENTENCE.match(caption)
    return match["first"] if match else caption


def rest(caption: str) -> str:
    """What a caption says after its first sentence."""
    match = _SENTENCE.match(caption)
    return (match["rest"] or "") if match else ""


def breakable(text: str) -> Markup:
    """Text that may break within paths and names."""
    return Markup(re.sub(r"/|\\_", lambda sign: sign[0] + r"\allowbreak{}", escape(text)))


def heading(name: str) -> Markup:
    """The heading of a column, on two lines where HTML has two."""
    lines = escape(name).split(", IoU=")
    return Markup(lines[0] if len(lines) == 1 else rf"\shortstack[r]{{{lines[0]}\\{lines[1]}}}")


def stub_column(names: Sequence[str]) -> Markup:
    """The column of the rows' names: as wide as they are, or wrapped."""
    longest = max(map(len, names), default=0)
    return Markup("l" if longest <= _LONGEST else r"p{0.45\textwidth}")


def parts(widths: Sequence[int]) -> list[tuple[int, int]]:
    """First block and the one after the last of each part, none of several blocks too wide.

    Args:
        widths: how many columns each block has.
    """
    parts, first, width = [], 0, 0
    for place, columns in enumerate(widths):
        if width and width + columns > _COLUMNS:
            parts.append((first, place))
            first, width = place, 0
        width += columns
    return [*parts, (first, len(widths))]


def fit_one_page(num_parts: int, num_rows: int) -> bool:
    """Whether parts of so many rows can stand one below the other in one float."""
    return num_parts * num_rows <= _ROWS


def pages(rows: Sequence[tuple[str, ...]]) -> list[list[tuple[str, ...]]]:
    """Rows of sentences in order, no more together than fit a page."""
    pages: list[list[tuple[str, ...]]] = [[]]
    for row in rows:
        signs = sum(map(len, itertools.chain(row, *pages[-1])))
        if pages[-1] and (len(pages[-1]) == _TEXT_ROWS or signs > _TEXT_SIGNS):
            pages.append([])
        pages[-1].append(row)
    return pages


def shares(widths: Sequence[float]) -> list[float]:
    """The widths of columns of sentences, as shares of the page's."""
    return [width / sum(widths) * _TEXT_WIDTH for width in widths]
