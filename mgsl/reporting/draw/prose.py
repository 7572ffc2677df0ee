"""A table of sentences, in the four shapes that a table of numbers has."""

import html
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from IPython.display import HTML, display

from mgsl.files import atomic_path, write_text
from mgsl.reporting.draw.tables import escape_tex

_LATEX_ROWS, _LATEX_SIGNS = 14, 6000  # of one float at the most, so that it fits a page
_LATEX_WIDTH = 0.88  # of the page's width, for all columns together


@dataclass(frozen=True)
class Register:
    """What the table says.

    Rows with the same first column are neighbours and stand under it as a heading. `widths` are the
    shares of the other columns in LaTeX.
    """

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


def show(register: Register) -> None:
    """Show a register in a notebook."""
    display(HTML(to_html(register)))


def save(register: Register, stem: str) -> None:
    """Write STEM.csv, STEM.md, STEM.tex and STEM.fragment.html, each atomically.

    Args:
        register: what is written.
        stem: path without a suffix.
    """
    with atomic_path(Path(f"{stem}.csv")) as path:
        table = pd.DataFrame(register.rows, columns=list(register.columns))
        table.to_csv(path, index=False, lineterminator="\n")
    for suffix, render in (("md", to_markdown), ("tex", to_latex), ("fragment.html", to_html)):
        write_text(Path(f"{stem}.{suffix}"), render(register))


def to_html(register: Register) -> str:
    """A `figure` whose table wraps its sentences; on a narrow screen each cell is a paragraph."""
    _, *names = register.columns
    heads = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    bodies = "\n".join(_body(topic, rows, names) for topic, rows in _topics(register))
    return (
        f'<figure class="register">\n<figcaption>{html.escape(register.caption)}</figcaption>\n'
        f"<table>\n<thead><tr>{heads}</tr></thead>\n{bodies}\n</table>\n</figure>\n"
    )


def to_markdown(register: Register) -> str:
    """A pipe table under its caption."""
    lines = [list(register.columns), [":--"] * len(register.columns), *map(list, register.rows)]
    text = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    return f"{register.caption}\n\n{text}\n"


def to_latex(register: Register) -> str:
    """Some `table*` for each topic, each of which fits a page; they need the package booktabs."""
    _, *names = register.columns
    shares = [width / sum(register.widths) * _LATEX_WIDTH for width in register.widths]
    columns = "".join(rf"p{{{share:.3f}\textwidth}}" for share in shares)
    caption = escape_tex(register.caption)
    parts = []
    floats = [(topic, some) for topic, rows in _topics(register) for some in _pages(rows)]
    for topic, rows in floats:
        parts += [
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escape_tex(topic)}. {caption}}}",
            r"\tiny",
            rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            r"\toprule",
            rf"{' & '.join(map(escape_tex, names))} \\",
            r"\midrule",
            *(rf"{' & '.join(map(_tex_cell, row))} \tabularnewline" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table*}",
        ]
        caption = "Continued."
    return "\n".join([*parts, ""])


def _pages(rows: Sequence[tuple[str, ...]]) -> list[list[tuple[str, ...]]]:
    """The rows in order, no more together than fit a page."""
    pages: list[list[tuple[str, ...]]] = [[]]
    for row in rows:
        signs = sum(map(len, itertools.chain(row, *pages[-1])))
        if pages[-1] and (len(pages[-1]) == _LATEX_ROWS or signs > _LATEX_SIGNS):
            pages.append([])
        pages[-1].append(row)
    return pages


def _tex_cell(text: str) -> str:
    """A paragraph that may break within paths and names."""
    breakable = re.sub(r"/|\\_", lambda sign: sign[0] + r"\allowbreak{}", escape_tex(text))
    return rf"\raggedright {breakable}\par" if text else ""


def _topics(register: Register) -> list[tuple[str, list[tuple[str, ...]]]]:
    topics = list(dict.fromkeys(row[0] for row in register.rows))
    return [(topic, [row[1:] for row in register.rows if row[0] == topic]) for topic in topics]


def _body(topic: str, rows: Sequence[Sequence[str]], names: Sequence[str]) -> str:
    heading = f'<tr><th colspan="{len(names)}" scope="rowgroup">{html.escape(topic)}</th></tr>'
    lines = [
        "<tr>"
        + "".join(
            f'<td data-name="{html.escape(name)}">{html.escape(cell)}</td>'
            for name, cell in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in rows
    ]
    return "\n".join(["<tbody>", heading, *lines, "</tbody>"])
