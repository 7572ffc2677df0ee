"""A table of a report: its rows as data, and the four shapes it is read in.

CSV holds one row for each number and everything that has to be known about it; Markdown, LaTeX and
HTML show the same numbers side by side. A table of sentences has the same four shapes.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, final

import pandas as pd
from IPython.display import HTML, display
from markupsafe import Markup

from mgsl.evaluation.intervals import Measured
from mgsl.files import atomic_path, write_text
from mgsl.reporting.draw import latex, markdown
from mgsl.reporting.draw.templating import fill

DASH = "–"  # not printed, or not run: never a zero
DITTO = "″"  # the printed number in the row above
CHECK = "✓"

_LONG = 40  # letters of a row's name above which its column is made wider


@dataclass(frozen=True)
class Cell:
    """One number as it is read, how sure it is, and why it is a dash where it is one."""

    text: str = DASH
    note: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Columns:
    """Neighbouring columns under one heading; `ours` sets our numbers apart from printed ones."""

    title: str
    names: tuple[str, ...]
    ours: bool

    @property
    def kind(self) -> str:
        """Their class in HTML."""
        return "ours" if self.ours else "printed"


class Part(NamedTuple):
    """Some blocks of a table, as wide as a page of LaTeX; each with its first and last column."""

    blocks: list[tuple[Columns, int, int]]
    rows: list[tuple[str, tuple[Cell, ...]]]


@final
@dataclass(frozen=True)
class Table:
    """A table of numbers.

    `rows` pairs the name of each row with its cells, in the order of all `columns`; `tidy` holds
    the same numbers one a row; `stub` heads the names of the rows.
    """

    template: ClassVar = "table"
    caption: str
    columns: tuple[Columns, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    tidy: pd.DataFrame
    stub: str = "Method"

    def __post_init__(self) -> None:
        width = sum(len(block.names) for block in self.columns)
        for name, cells in self.rows:
            if len(cells) != width:
                raise ValueError(f"row {name!r} has {len(cells)} cells for {width} columns")

    @property
    def lines(self) -> list[list[str]]:
        """Headings, alignments and rows, as Markdown has them."""
        heads = [f"{block.title}: {name}" for block in self.columns for name in block.names]
        rows = [
            [name, *(f"{c.text} ({c.note})" if c.note else c.text for c in cells)]
            for name, cells in self.rows
        ]
        return [[self.stub, *heads], [":--", *["--:"] * len(heads)], *rows]

    @property
    def is_wide(self) -> bool:
        """Whether the names of its rows need more room than most."""
        return any(len(name) > _LONG for name, _ in self.rows)

    @property
    def kinds(self) -> list[str]:
        """The class of each column in HTML: whose numbers it has, and whether it opens a block."""
        return [
            f"{block.kind}{'' if place else ' first'}"
            for block in self.columns
            for place in range(len(block.names))
        ]

    @property
    def floats(self) -> list[list[Part]]:
        """Its parts in LaTeX: in one float if they fit a page together, else each in its own."""
        parts = [self._part(*ends) for ends in latex.parts([len(b.names) for b in self.columns])]
        if latex.fit_one_page(len(parts), len(self.rows)):
            return [parts]
        return [[part] for part in parts]

    @property
    def stub_column(self) -> Markup:
        """The column of the rows' names in LaTeX."""
        return latex.stub_column([name for name, _ in self.rows])

    @property
    def unnumbered(self) -> str:
        """The caption for LaTeX, which numbers tables itself."""
        return re.sub(r"^Table \d+\. ", "", self.caption)

    def _part(self, first: int, last: int) -> Part:
        counts = [len(block.names) for block in self.columns]
        start, end = sum(counts[:first]), sum(counts[:last])
        blocks, place = [], 2  # the first column holds the names of the rows
        for block in self.columns[first:last]:
            blocks.append((block, place, place + len(block.names) - 1))
            place += len(block.names)
        return Part(blocks, [(name, cells[start:end]) for name, cells in self.rows])


@final
@dataclass(frozen=True)
class TextTable:
    """A table of sentences.

    Rows with the same first column are neighbours and stand under it as a heading. `widths` are the
    shares of the other columns in LaTeX.
    """

    template: ClassVar = "text_table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"row {row} has {len(row)} cells for {len(self.columns)} columns")
        if len(self.widths) != len(self.columns) - 1:
            raise ValueError(f"{len(self.widths)} widths for {len(self.columns) - 1} columns")

    @property
    def tidy(self) -> pd.DataFrame:
        """The rows as they are."""
        return pd.DataFrame(self.rows, columns=list(self.columns))

    @property
    def lines(self) -> list[list[str]]:
        """Headings, alignments and rows, as Markdown has them."""
        return [list(self.columns), [":--"] * len(self.columns), *map(list, self.rows)]

    @property
    def topics(self) -> dict[str, list[tuple[str, ...]]]:
        """The rows under each heading, without it."""
        topics = dict.fromkeys(row[0] for row in self.rows)
        return {topic: [row[1:] for row in self.rows if row[0] == topic] for topic in topics}

    @property
    def floats(self) -> list[tuple[str, list[tuple[str, ...]]]]:
        """A heading and as many of its rows as fit a page of LaTeX, one float after the other."""
        return [(topic, page) for topic, rows in self.topics.items() for page in latex.pages(rows)]

    @property
    def shares(self) -> list[float]:
        """The widths of its columns in LaTeX, as shares of the page's."""
        return latex.shares(self.widths)


AnyTable = Table | TextTable


def show(table: AnyTable) -> None:
    """Show a table in a notebook."""
    display(HTML(to_html(table)))


def save(table: AnyTable, stem: str, *, part: str = "") -> None:
    """Write STEM.csv, STEM.md and STEM.tex, each atomically.

    Args:
        table: what is written.
        stem: path without a suffix; empty: nothing is written.
        part: of a second table, which goes to STEM.PART.csv and so on.
    """
    if not stem:
        return
    stem = f"{stem}.{part}" if part else stem
    with atomic_path(Path(f"{stem}.csv")) as path:
        table.tidy.to_csv(path, index=False, lineterminator="\n")
    write_text(Path(f"{stem}.md"), to_markdown(table))
    write_text(Path(f"{stem}.tex"), to_latex(table))


def to_markdown(table: AnyTable) -> str:
    """A pipe table with one heading for each column, under its caption."""
    lines = [" | ".join(map(markdown.escape, line)) for line in table.lines]
    return f"{markdown.escape(table.caption)}\n\n" + "".join(f"| {line} |\n" for line in lines)


def to_latex(table: AnyTable) -> str:
    """Some `table*` that need the packages booktabs and graphicx, each of which fits a page.

    Blocks of columns that are too many for a page stand one below the other. Sentences have floats
    of their own under each heading.
    """
    return fill(f"{table.template}.tex", table=table)


def to_html(table: AnyTable) -> str:
    """A `figure` that needs no style to be read.

    Numbers stand in a container that scrolls. Sentences wrap, and on a narrow screen each cell is a
    paragraph.
    """
    return fill(f"{table.template}.html", table=table)


def signed(points: float, digits: int = 2) -> str:
    """A difference as it is read: always with its sign."""
    return f"{points:+.{digits}f}".replace("-", "−")


def measured(number: Measured[float], *, sign: bool = False) -> Cell:
    """A number and its spread over trainings, with its interval; a difference with its signs."""
    value = signed(number.value) if sign else f"{number.value:.2f}"
    return Cell(f"{value}{spread(number.sd)}", interval(number.low, number.high, sign=sign))


def spread(deviation: float | None) -> str:
    """A standard deviation behind its mean; nothing where there is none."""
    return "" if deviation is None or pd.isna(deviation) else f" ± {deviation:.2f}"


def interval(low: float, high: float, *, sign: bool = False) -> str:
    """Two ends as they are read, those of a difference with their signs."""
    return f"[{signed(low, 1)}, {signed(high, 1)}]" if sign else f"{low:.1f}–{high:.1f}"
