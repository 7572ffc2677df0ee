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


@dataclass(frozen=True)
class Cell:
    """One number as it is read, and how sure it is."""

    text: str = DASH
    note: str = ""


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
    the same numbers one a row.
    """

    caption: str
    columns: tuple[Columns, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    tidy: pd.DataFrame

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
    lines = [["Method", *heads], [":--", *["--:"] * len(heads)]]
    lines += [
        [name, *(_join(cell, " ", str, "(%s)") for cell in cells)] for name, cells in table.rows
    ]
    text = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    return f"{table.caption}\n\n{text}\n"


def to_latex(table: Table) -> str:
    """A `table*` that needs the packages booktabs and graphicx."""
    groups, rules, first = [], [], 2
    for block in table.columns:
        last = first + len(block.names) - 1
        groups.append(rf"\multicolumn{{{len(block.names)}}}{{c}}{{{_tex(block.title)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{last}}}")
        first = last + 1
    heads = [_tex(name) for block in table.columns for name in block.names]
    body = [
        " & ".join([_tex(name), *(_join(cell, r"\,", _tex, r"{\tiny %s}") for cell in cells)])
        for name, cells in table.rows
    ]
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{_tex(table.caption)}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * len(heads)}}}",
            r"\toprule",
            rf"{' & '.join(['', *groups])} \\",
            " ".join(rules),
            rf"{' & '.join(['Method', *heads])} \\",
            r"\midrule",
            *(rf"{line} \\" for line in body),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def to_html(table: Table) -> str:
    """A `figure` with the table in a container that scrolls; it needs no style to be read."""
    groups = "".join(
        f'<th colspan="{len(block.names)}" scope="colgroup" class="{_kind(block)}">'
        f"{html.escape(block.title)}</th>"
        for block in table.columns
    )
    kinds = [_kind(b, place) for b in table.columns for place in range(len(b.names))]
    names = [name for block in table.columns for name in block.names]
    heads = _row("th", zip(kinds, map(_heading, names), strict=True), ' scope="col"')
    body = "\n".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + _row("td", zip(kinds, map(_html_cell, cells), strict=True))
        + "</tr>"
        for name, cells in table.rows
    )
    return (
        '<figure class="table">\n'
        f"<figcaption>{html.escape(table.caption)}</figcaption>\n"
        '<div class="scroll" tabindex="0" role="region" aria-label="Table, scrolls sideways">\n'
        f'<table>\n<thead>\n<tr><th rowspan="2" scope="col">Method</th>{groups}</tr>\n'
        f"<tr>{heads}</tr>\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n</figure>\n"
    )


def _kind(block: Columns, place: int = 0) -> str:
    return ("ours" if block.ours else "printed") + ("" if place else " first")


def _row(tag: str, cells: "zip[tuple[str, str]]", more: str = "") -> str:
    return "".join(f'<{tag} class="{kind}"{more}>{text}</{tag}>' for kind, text in cells)


def _heading(name: str) -> str:
    return html.escape(name).replace(", IoU=", "<br>")


def _html_cell(cell: Cell) -> str:
    note = f"<small>{html.escape(cell.note)}</small>" if cell.note else ""
    return f"{html.escape(cell.text)}{note}"


def _join(cell: Cell, space: str, escape: Callable[[str], str], note: str) -> str:
    return escape(cell.text) + (space + note % escape(cell.note) if cell.note else "")


_TEX: Sequence[tuple[str, str]] = (
    (r"([%&_#$])", r"\\\1"),
    ("–", "--"),
    ("−", "$-$"),
    ("±", r"$\\pm$"),
    (">=", r"$\\geq$"),
    (">", "$>$"),
    ("<", "$<$"),
    (DITTO, "''"),
)


def _tex(text: str) -> str:
    for pattern, replacement in _TEX:
        text = re.sub(pattern, replacement, text)
    return text
