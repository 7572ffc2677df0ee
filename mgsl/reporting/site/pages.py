"""Offline pages: one for each exhibit, and the front page that leads to them.

A page holds its style and its mathematics; it asks for nothing but the images beside it. It says
what it was made from: data, parameters, and the commit, so that equal inputs give equal bytes.
"""

import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import write_text
from mgsl.reporting.draw import tables
from mgsl.reporting.read.kept_studies import Studies
from mgsl.reporting.read.results import Results
from mgsl.reporting.site import front_page
from mgsl.reporting.site.stamps import of_process, of_source, unpromised

TITLE = "MGSL-Net, replicated"
SUBTITLE = "Temporal sentence grounding with rare words"
LEAD = (
    "Find the moment of a video that a sentence describes, also where a word of the sentence is "
    "rarely seen in training. The tables and figures of the paper (AAAI 2022), ours beside the "
    "printed number, each naming the data it saw; written anew from the paper, without the "
    "authors’ code or weights."
)
DOWNLOADS = {
    "csv": "CSV", "tex": "LaTeX", "md": "Markdown", "svg": "SVG", "pdf": "PDF", "png": "PNG"
}  # fmt: skip

_MADE_FROM = ("mgsl", "notebooks", "params.yaml", "dvc.yaml", "data.dvc", "requirements.txt")


@dataclass(frozen=True)
class Exhibit:
    """What the front page says of one exhibit; `image` is None where it is a table."""

    name: str
    title: str
    claim: str
    files: tuple[str, ...]
    image: str | None
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of the front page: exhibits whose names begin with one of `names`, or all others."""

    anchor: str
    title: str
    names: tuple[str, ...]
    exhibits: tuple[Exhibit, ...] = ()


SECTIONS = (
    Section("paper", "The paper", ("method", "table_", "figure")),
    Section("evidence", "Evidence", ()),
    Section("data", "Data and environment", ("data", "embedded", "environment")),
)


def write_page(
    name: str,
    body: str,
    code: str,
    datasets: Sequence[str],
    made_from: list[list[tuple[str, str]]],
) -> None:
    """Write the page of one exhibit, beside its tables and figures.

    Args:
        name: of the exhibit.
        body: the executed notebook as an HTML fragment.
        code: the notebook's code, shown on demand.
        datasets: what the notebook was run on.
        made_from: what `stamps` returned for them.
    """
    exhibit = describe(name)
    page = _environment().get_template("exhibit.html").render(
        title=exhibit.title, name=name, body=body, code=code, files=exhibit.files,
        sources=_sources(datasets), stamps=made_from, unpromised=unpromised(made_from),
    )  # fmt: skip
    write_text(paths.EXHIBITS / f"{name}.html", page)


def build_index(exhibits: list[str], datasets: list[str]) -> None:
    """Write reports/index.html and reports/README.md.

    Args:
        exhibits: names of the exhibits, in the order shown; their pages must stand.
        datasets: what they were run on.

    Raises:
        UserError: the page of an exhibit is missing.
    """
    for name in exhibits:
        if not (page := paths.EXHIBITS / f"{name}.html").is_file():
            raise UserError(f"{page} is missing: run `python -m mgsl report --exhibit {name}`")
    results = front_page.build(datasets)
    made_from = stamps(datasets)
    known = {
        "title": TITLE,
        "subtitle": SUBTITLE,
        "lead": LEAD,
        "scope": front_page.scope(datasets),
        "verdicts": front_page.verdicts(exhibits),
        "sections": arrange([describe(name) for name in exhibits]),
        "sources": _sources(datasets),
        "stamps": made_from,
        "unpromised": unpromised(made_from),
    }
    environment = _environment()
    for template, target, render in (
        ("index.html", "index.html", tables.to_html),
        ("readme.md", "README.md", tables.to_markdown),
    ):
        text = environment.get_template(template).render(headline=render(results), **known)
        write_text(paths.REPORTS / target, text)


def arrange(exhibits: Sequence[Exhibit]) -> list[Section]:
    """The exhibits section by section, each in the order given; no section is empty."""
    named = tuple(name for section in SECTIONS for name in section.names)
    found = [
        replace(
            section,
            exhibits=tuple(
                exhibit
                for exhibit in exhibits
                if exhibit.name.startswith(section.names)
                or not (section.names or exhibit.name.startswith(named))
            ),
        )
        for section in SECTIONS
    ]
    return [section for section in found if section.exhibits]


def describe(name: str) -> Exhibit:
    """What an exhibit is, from its notebook's first cell and the files it left.

    Raises:
        UserError: there is no such notebook, or it does not open with a heading and a claim.
    """
    title, claim = outline(name)
    names = [f"{name}.{suffix}" for suffix in DOWNLOADS]
    files = tuple(file for file in names if (paths.EXHIBITS / file).is_file())
    image = f"{name}.svg" if f"{name}.svg" in files else None
    caption = _caption(paths.EXHIBITS / image) if image else ""
    return Exhibit(name, title, claim, files, image, caption)


def outline(name: str) -> tuple[str, str]:
    """The heading of a notebook and the claim below it.

    Raises:
        UserError: there is no such notebook, or it does not open with a heading and a claim.
    """
    path = paths.NOTEBOOKS / f"{name}.ipynb"
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError:
        raise UserError(f"{path} is missing: an exhibit has the name of its notebook") from None
    lines = "".join(cells[0]["source"]).split("\n\n", maxsplit=1)
    if len(lines) < 2 or not lines[0].startswith("# "):
        raise UserError(f"{path} must open with a heading, an empty line and a claim")
    return lines[0].removeprefix("# "), lines[1].split("\n\n")[0].replace("\n", " ")


def stamps(datasets: Sequence[str], *, studies: bool = False) -> list[list[tuple[str, str]]]:
    """What a page was made from: a list for each dataset, for the studies, and for the commit.

    Args:
        datasets: what it was run on.
        studies: whether it shows what annotations alone tell.
    """
    studied = [Studies(str(paths.STUDIES)).stamp()] if studies else []
    return [
        *map(of_source, _sources(datasets)), *studied, [("Commit", commit()), *of_process()]
    ]  # fmt: skip


def commit() -> str:
    """Id and date of the last commit that changed what the reports are made from.

    A commit of the reports themselves is none, so that building them again gives the same bytes.
    "unknown" without git.
    """
    command = ["git", "log", "-1", "--abbrev=10", "--format=%h, %cs", "--", *_MADE_FROM]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip() or "unknown"


def _sources(datasets: Sequence[str]) -> list[Results]:
    return [Results(dataset) for dataset in datasets]


def _caption(svg: Path) -> str:
    """The caption that `figures.save` put into an SVG."""
    name = "{http://purl.org/dc/elements/1.1/}description"
    return ET.parse(svg).getroot().findtext(f".//{name}") or ""


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=lambda name: bool(name and name.endswith("html")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["format"] = lambda file: DOWNLOADS[file.rsplit(".", 1)[-1]]
    environment.filters["short"] = lambda title: title.split(".")[0]
    return environment
