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

from mgsl.files import atomic_path, write_text
from mgsl.reporting.draw import anchors, latex, markdown
from mgsl.reporting.draw.templating import fill, statement

DASH = "–"  # not printed, or not run: never a zero
CHECK = "✓"

_BROAD = 8  # columns that fit a desk's screen
_NUMBER = re.compile(r"[+−]?\d[\d,]*(\.\d+)?")
_LONG = 40  # letters of a row's name above which its column is made wider, and its id is cut


@dataclass(frozen=True)
class Cell:
    """One number as it is read, how sure it is, and why it is a dash where it is one."""

    text: str = DASH
    note: str = ""
    reason: str = ""

    @property
    def number(self) -> str:
        """What it begins with, without its spread; its text where that is no number."""
        match = _NUMBER.match(self.text)
        return match[0] if match else self.text


@dataclass(frozen=True)
class Columns:
    """Neighbouring columns under one heading; `ours` sets our numbers apart from the paper's.

    `best` names those of which the highest number is the best.
    """

    title: str
    names: tuple[str, ...]
    ours: bool
    best: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Their class in HTML."""
        return "ours" if self.ours else "printed"


class Part(NamedTuple):
    """Some blocks of a table, as wide as a page of LaTeX; each with its first and last column.

    `start` is the place of its first cell in a row of the table.
    """

    start: int
    blocks: list[tuple[Columns, int, int]]
    rows: list[tuple[str, tuple[Cell, ...]]]


@final
@dataclass(frozen=True)
class Table:
    """A table of numbers.

    `rows` pairs the name of each row with its cells, in the order of all `columns`; `tidy` holds
    the same numbers one a row; `stub` heads the names of the rows; `statement` is its result in a
    sentence, made of those numbers; `caption` says in two lines what they are, `notes` how to read
    them.
    """

    template: ClassVar = "table"
    caption: str
    columns: tuple[Columns, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    tidy: pd.DataFrame
    stub: str = "Method"
    statement: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        width = sum(len(block.names) for block in self.columns)
        for name, cells in self.rows:
            if len(cells) != width:
                raise ValueError(f"row {name!r} has {len(cells)} cells for {width} columns")

    @property
    def lines(self) -> list[list[str]]:
        """Headings, alignments and rows, as Markdown has them."""
        heads = [
            f"{block.title}: {name}".removeprefix(": ")
            for block in self.columns
            for name in block.names
        ]
        rows = [
            [name, *(f"{c.text} ({c.note})" if c.note else c.text for c in cells)]
            for name, cells in self.rows
        ]
        return [[self.stub, *heads], [":--", *["--:"] * len(heads)], *rows]

    @property
    def anchors(self) -> list[str]:
        """The id of each row in HTML; of rows of one name the second has a number, and so on."""
        return anchors.numbered(anchors.of(self.stub, name) for name, _ in self.rows)

    @property
    def is_broad(self) -> bool:
        """Whether it has more columns than a screen has room for."""
        return sum(len(block.names) for block in self.columns) > _BROAD

    @property
    def best(self) -> set[tuple[int, int]]:
        """Row and column of the best numbers, each the highest of several in its column."""
        heads = [name in block.best for block in self.columns for name in block.names]
        cells: set[tuple[int, int]] = set()
        for column, has_best in enumerate(heads):
            numbers = {
                row: value
                for row, (_, texts) in enumerate(self.rows)
                if has_best and (value := _value(texts[column].text)) is not None
            }
            if len(numbers) > 1:
                highest = max(numbers.values())
                cells |= {(row, column) for row, value in numbers.items() if value == highest}
        return cells

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

    def _part(self, first: int, last: int) -> Part:
        counts = [len(block.names) for block in self.columns]
        start, end = sum(counts[:first]), sum(counts[:last])
        blocks, place = [], 2  # the first column holds the names of the rows
        for block in self.columns[first:last]:
            blocks.append((block, place, place + len(block.names) - 1))
            place += len(block.names)
        return Part(start, blocks, [(name, cells[start:end]) for name, cells in self.rows])


@final
@dataclass(frozen=True)
class TextTable:
    """A table of sentences.

    Rows with the same first column are neighbours and stand under it as a heading. `widths` are the
    shares of the other columns in LaTeX; `statement`, `caption` and `notes` are those of a `Table`.
    """

    template: ClassVar = "text_table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    statement: str = ""
    notes: str = ""

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
    def anchors(self) -> dict[str, list[str]]:
        """The ids of the rows under each heading, which has its own, in HTML."""
        return {
            topic: anchors.numbered(
                [anchors.of(topic), *(anchors.of(topic, row[0][:_LONG]) for row in rows)]
            )
            for topic, rows in self.topics.items()
        }

    @property
    def floats(self) -> list[tuple[str, list[tuple[str, ...]]]]:
        """A heading and as many of its rows as fit a page of LaTeX, one float after the other."""
        return [(topic, page) for topic, rows in self.topics.items() for page in latex.pages(rows)]

    @property
    def shares(self) -> list[float]:
        """The widths of its columns in LaTeX, as shares of the page's."""
        return latex.shares(self.widths)


AnyTable = Table | TextTable


def show(table: AnyTable | None) -> None:
    """Show a table in a notebook, if there is one."""
    if table is not None:
        display(HTML(to_html(table)))


def save(table: AnyTable | None, stem: str, *, part: str = "") -> None:
    """Write STEM.csv, STEM.md and STEM.tex, each atomically; of numbers STEM.numbers.tex too.

    Args:
        table: what is written; None: nothing is.
        stem: path without a suffix; empty: nothing is written.
        part: of a second table, which goes to STEM.PART.csv and so on.
    """
    if table is None or not stem:
        return
    stem = f"{stem}.{part}" if part else stem
    with atomic_path(Path(f"{stem}.csv")) as path:
        table.tidy.to_csv(path, index=False, lineterminator="\n")
    write_text(Path(f"{stem}.md"), to_markdown(table))
    write_text(Path(f"{stem}.tex"), to_latex(table))
    if isinstance(table, Table):
        write_text(Path(f"{stem}.numbers.tex"), to_latex(table, numbers_only=True))


def to_markdown(table: AnyTable) -> str:
    """A pipe table with one heading for each column, under its statement and caption."""
    lines = [" | ".join(map(markdown.escape, line)) for line in table.lines]
    parts = [table.statement, table.caption]
    head = "".join(f"{markdown.prose(part)}\n\n" for part in parts if part)
    body = "".join(f"| {line} |\n" for line in lines)
    return head + body + (f"\n{markdown.prose(table.notes)}\n" if table.notes else "")


def to_latex(table: AnyTable, *, numbers_only: bool = False) -> str:
    """Some `table*` that need the packages booktabs and graphicx, each of which fits a page.

    Blocks of columns that are too many for a page stand one below the other. Sentences have floats
    of their own under each heading. A caption is one sentence; what else is to be known stands
    under the numbers.

    Args:
        table: what is written.
        numbers_only: without intervals, spreads and notes.
    """
    return fill(f"{table.template}.tex", table=table, numbers_only=numbers_only)


def to_html(table: AnyTable) -> str:
    """Its statement, then a `figure` that needs no style to be read.

    Numbers stand in a container that scrolls. Sentences wrap, and on a narrow screen each cell is a
    paragraph.
    """
    return statement(table.statement) + Markup(fill(f"{table.template}.html", table=table))


def _value(text: str) -> float | None:
    """The number that a cell begins with."""
    match = _NUMBER.match(text)
    return float(match[0].replace(",", "").replace("−", "-")) if match else None
