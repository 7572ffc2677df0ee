"""What the front page lists: exhibits, section by section, each with its claim and its files."""

import html
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgsl import paths
from mgsl.documents import read_json
from mgsl.errors import UserError

DOWNLOADS = {
    "csv": "CSV", "tex": "LaTeX", "md": "Markdown", "svg": "SVG", "pdf": "PDF", "png": "PNG"
}  # fmt: skip

NUMBERS = "numbers"  # in the name of a LaTeX file without intervals and notes

STATEMENT = re.compile(r'<p class="statement">(.*?)</p>\n?', re.S)
_OLDER = re.compile(r"<strong>Older than the code\.</strong>(.*?)</p>", re.S)


@dataclass(frozen=True)
class Exhibit:
    """What the front page says of one exhibit; `image` is None where it is a table.

    `statement` is its result in a sentence, as its page shows it; empty before there is a page.
    """

    name: str
    title: str
    claim: str
    files: tuple[str, ...]
    image: str | None
    caption: str
    statement: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the front page, which links to its anchor."""

    anchor: str
    title: str
    exhibits: tuple[Exhibit, ...]


TITLES = {  # of sections; else their names
    "real_annotations": "Real annotations",
    "paper": "The paper",
    "data": "Data and environment",
}


def arrange(exhibits: Mapping[str, Sequence[str]]) -> list[Section]:
    """The sections of the front page, in the order given; none of them is empty.

    Args:
        exhibits: names by section, as params.yaml lists them.
    """
    return [
        Section(
            section,
            section_title(section),
            tuple(describe(name) for name in names),
        )
        for section, names in exhibits.items()
        if names
    ]


def section_title(section: str) -> str:
    """What a section of params.yaml is called."""
    return TITLES.get(section, section.replace("_", " ").capitalize())


def describe(name: str) -> Exhibit:
    """What an exhibit is, from its notebook's first cell and the files it left.

    Raises:
        UserError: there is no such notebook, or it does not open with a heading and a claim.
    """
    title, claim = outline(name)
    files = tuple(
        path.name
        for pattern in (f"{name}.", f"{name}.*.")  # a second table has a name of its own
        for suffix in DOWNLOADS
        for path in sorted(paths.EXHIBITS.glob(pattern + suffix))
    )
    image = f"{name}.svg" if f"{name}.svg" in files else None
    caption = _caption(paths.EXHIBITS / image) if image else ""
    page = paths.EXHIBITS / f"{name}.html"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    return Exhibit(name, title, claim, files, image, caption, statement(text))


def statement(page: str) -> str:
    """The result that a page states, as plain text; the first one, and empty where there is none.

    Args:
        page: its HTML, or that of an executed notebook.
    """
    return next(iter(statements(page)), "")


def statements(page: str) -> list[str]:
    """All results that a page states, as plain text, from its top.

    Args:
        page: its HTML, or that of an executed notebook.
    """
    return [html.unescape(re.sub(r"<[^>]+>", "", one)) for one in STATEMENT.findall(page)]


def older(page: str) -> list[str]:
    """The studies that a page calls older than the code, each with its dataset.

    Args:
        page: its HTML.
    """
    return [one for said in _OLDER.findall(page) for one in re.findall(r"(\w+ on \w+) \(", said)]


def kind(file: str) -> str:
    """What a file is called where it can be downloaded: which table, and whether numbers alone."""
    _, *parts, suffix = file.split(".")
    of = "".join(f" of {part}" for part in parts if part != NUMBERS)
    return f"{DOWNLOADS[suffix]}{of}{', numbers only' if NUMBERS in parts else ''}"


def outline(name: str) -> tuple[str, str]:
    """The heading of a notebook, which is plain text, and the claim below it, in Markdown.

    Raises:
        UserError: there is no such notebook, or it does not open with a heading and a claim.
    """
    path = paths.notebook(name)
    try:
        cells = read_json(path)["cells"]
    except FileNotFoundError:
        raise UserError(f"{path} is missing: an exhibit has the name of its notebook") from None
    lines = "".join(cells[0]["source"]).split("\n\n", maxsplit=1)
    if len(lines) < 2 or not lines[0].startswith("# "):
        raise UserError(f"{path} must open with a heading, an empty line and a claim")
    return lines[0].removeprefix("# "), lines[1].split("\n\n")[0].replace("\n", " ")


def _caption(svg: Path) -> str:
    """The caption that `figures.save` put into an SVG."""
    name = "{http://purl.org/dc/elements/1.1/}description"
    return ET.parse(svg).getroot().findtext(f".//{name}") or ""
