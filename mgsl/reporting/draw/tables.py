"""A table of a report: its rows as data, and the four shapes it is read in.

CSV holds one row for each number and everything that has to be known about it; Markdown, LaTeX and
HTML show the same numbers side by side.
"""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from IPython.display import HTML, display

from mgsl.files import atomic_path, write_text

DASH = "–"  # not printed, or not run: never a zero
DITTO = "″"  # the printed number in the row above
CHECK = "✓"

_LONG = 40  # letters of a row's name above which its column is made wider
_LATEX_ROWS = 50  # of all blocks that stand one below the other in one float
_LATEX_COLUMNS = 13  # that a page of LaTeX can hold beside the names of the rows
_WIDE = 60  # letters of a row's name that a page of LaTeX can hold on one line


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


@dataclass(frozen=True)
class Table:
    """What a table shows.

    `rows` pairs the name of each row with its cells, in the order of all `columns`; `tidy` holds
    the same numbers one a row; `stub` heads the names of the rows.
    """

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


def show(table: Table) -> None:
    """Show a table in a notebook."""
    display(HTML(to_html(table)))


def save(table: Table, stem: str) -> None:
    """Write STEM.csv, STEM.md, STEM.tex and STEM.html, each atomically.

    Args:
        table: what is written.
        stem: path without a suffix.
    """
    with atomic_path(Path(f"{stem}.csv")) as path:
        table.tidy.to_csv(path, index=False, lineterminator="\n")
    for suffix, render in (("md", to_markdown), ("tex", to_latex), ("fragment.html", to_html)):
        write_text(Path(f"{stem}.{suffix}"), render(table))


def to_markdown(table: Table) -> str:
    """A pipe table with one heading for each column, under its caption."""
    heads = [f"{block.title}: {name}" for block in table.columns for name in block.names]
    lines = [[table.stub, *heads], [":--", *["--:"] * len(heads)]]
    lines += [
        [name, *(_join(cell, " ", str, "(%s)") for cell in cells)] for name, cells in table.rows
    ]
    text = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    return f"{table.caption}\n\n{text}\n"


def to_latex(table: Table) -> str:
    """A `table*` that needs the packages booktabs and graphicx.

    Blocks of columns that are too many for a page stand one below the other; where they are too
    tall for one, each is a float of its own.
    """
    caption = re.sub(r"^Table \d+\. ", "", table.caption)  # LaTeX numbers tables itself
    parts = [_tabular(table, first, last) for first, last in _latex_parts(table.columns)]
    told = rf"\caption{{{escape_tex(caption)}}}"
    if len(parts) * len(table.rows) <= _LATEX_ROWS:
        return _float(told, "\n\\\\[1.5ex]\n".join(parts))
    again = "\\addtocounter{table}{-1}\n\\caption{(continued)}"
    return "\n".join(_float(again if place else told, part) for place, part in enumerate(parts))


def _float(caption: str, body: str) -> str:
    return "\n".join([r"\begin{table*}", r"\centering", caption, body, r"\end{table*}", ""])


def _latex_parts(columns: Sequence[Columns]) -> list[tuple[int, int]]:
    """First and last block of each part, so that no part of several blocks is too wide."""
    parts, first, width = [], 0, 0
    for place, block in enumerate(columns):
        if width and width + len(block.names) > _LATEX_COLUMNS:
            parts.append((first, place))
            first, width = place, 0
        width += len(block.names)
    return [*parts, (first, len(columns))]


def _tabular(table: Table, first: int, last: int) -> str:
    """Some blocks of a table, as wide as the page."""
    longest = max((len(name) for name, _ in table.rows), default=0)
    stub = "l" if longest <= _WIDE else r"p{0.45\textwidth}"
    blocks = table.columns[first:last]
    start = sum(len(block.names) for block in table.columns[:first])
    heads = [_tex_head(name) for block in blocks for name in block.names]
    groups, rules, column = [], [], 2
    for block in blocks:
        end = column + len(block.names) - 1
        groups.append(rf"\multicolumn{{{len(block.names)}}}{{c}}{{{escape_tex(block.title)}}}")
        rules.append(rf"\cmidrule(lr){{{column}-{end}}}")
        column = end + 1
    body = [
        [escape_tex(name)]
        + [_join(cell, r"\,", escape_tex, r"{\tiny %s}") for cell in cells[start:][: len(heads)]]
        for name, cells in table.rows
    ]
    return "\n".join(
        [
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{{stub}{'r' * len(heads)}}}",
            r"\toprule",
            rf"{' & '.join(['', *groups])} \\",
            " ".join(rules),
            rf"{' & '.join([escape_tex(table.stub), *heads])} \\",
            r"\midrule",
            *(rf"{' & '.join(line)} \\" for line in body),
            r"\bottomrule",
            r"\end{tabular}}",
        ]
    )


def _tex_head(name: str) -> str:
    """The heading of a column, on two lines where HTML has two."""
    lines = escape_tex(name).split(", IoU=")
    return lines[0] if len(lines) == 1 else rf"\shortstack[r]{{{lines[0]}\\{lines[1]}}}"


def to_html(table: Table) -> str:
    """A `figure` with the table in a container that scrolls; it needs no style to be read."""
    groups = "".join(
        f'<th colspan="{len(block.names)}" scope="colgroup" class="{_kind(block)}">'
        f"{html.escape(block.title)}</th>"
        for block in table.columns
    )
    kinds = [_kind(b, place) for b in table.columns for place in range(len(b.names))]
    names = [name for block in table.columns for name in block.names]
    heads = "".join(map(_heading, kinds, names))
    body = "\n".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(map(_html_cell, kinds, cells))
        + "</tr>"
        for name, cells in table.rows
    )
    stub = f'<th rowspan="2" scope="col">{html.escape(table.stub)}</th>'
    wide = any(len(name) > _LONG for name, _ in table.rows)
    return (
        f'<figure class="table{" wide" * wide}">\n'
        f"<figcaption>{html.escape(table.caption)}</figcaption>\n"
        '<div class="scroll" tabindex="0" role="region" aria-label="Table, scrolls sideways">\n'
        f"<table>\n<thead>\n<tr>{stub}{groups}</tr>\n"
        f"<tr>{heads}</tr>\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n</figure>\n"
    )


def signed(points: float, digits: int = 2) -> str:
    """A difference as it is read: always with its sign."""
    return f"{points:+.{digits}f}".replace("-", "−")


def spread(deviation: float | None) -> str:
    """A standard deviation behind its mean; nothing where there is none."""
    return "" if deviation is None or pd.isna(deviation) else f" ± {deviation:.2f}"


def interval(low: float, high: float, *, sign: bool = False) -> str:
    """Two ends as they are read, those of a difference with their signs."""
    return f"[{signed(low, 1)}, {signed(high, 1)}]" if sign else f"{low:.1f}–{high:.1f}"


def _kind(block: Columns, place: int = 0) -> str:
    return ("ours" if block.ours else "printed") + ("" if place else " first")


def _heading(kind: str, name: str) -> str:
    text = html.escape(name).replace(", IoU=", "<br>")
    return f'<th class="{kind}" scope="col">{text}</th>'


def _html_cell(kind: str, cell: Cell) -> str:
    note = f"<small>{html.escape(cell.note)}</small>" if cell.note else ""
    reason = f' title="{html.escape(cell.reason)}"' if cell.reason else ""
    return f'<td class="{kind}"{reason}>{html.escape(cell.text)}{note}</td>'


def _join(cell: Cell, space: str, escape: Callable[[str], str], note: str) -> str:
    return escape(cell.text) + (space + note % escape(cell.note) if cell.note else "")


_TEX: Sequence[tuple[str, str]] = (
    (r"([%&_#$])", r"\\\1"),
    ("–", "--"),
    ("×", r"$\\times$"),
    ("Δ", r"$\\Delta$"),
    ("β", r"$\\beta$"),
    ("−", "$-$"),
    ("±", r"$\\pm$"),
    (">=", r"$\\geq$"),
    (">", "$>$"),
    ("<", "$<$"),
    (DITTO, "''"),
    (CHECK, r"$\\surd$"),
)


def escape_tex(text: str) -> str:
    """Text as LaTeX reads it, with the signs that reports use."""
    for pattern, replacement in _TEX:
        text = re.sub(pattern, replacement, text)
    return text
