"""A card for each dataset: what it is, its counts, terms and known flaws.

Counts and terms come from the data itself and from the catalogue; what has to be told in sentences
is read from docs/data.md, where it is kept.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from mgsl.data import sources
from mgsl.data.datasets import DATASETS, Dataset
from mgsl.errors import UserError
from mgsl.queries import SPLITS
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.draw.tables import TextTable
from mgsl.reporting.read import kept_records, published
from mgsl.reporting.read.kept_studies import Studies
from mgsl.reporting.read.published import BENCHMARKS
from mgsl.reporting.read.results import Results

PROSE = Path("docs/data.md")
TOLD = (
    *("What it is.", "What they are.", "The flaw to know before anything else.", "Known flaws."),
    "Known flaws and terms.",
)
_SECTION = re.compile(r"^## (.+)$", re.M)


def build(datasets: Sequence[str], studies: str) -> TextTable:
    """Every dataset that the project knows, those first that this report shows.

    Args:
        datasets: which were prepared and shown.
        studies: the folder that `python -m mgsl study` wrote.

    Raises:
        UserError: docs/data.md is missing, or tells nothing of a dataset.
    """
    studied, sections = Studies(studies), prose(PROSE)
    names = [*datasets, *(name for name in DATASETS if name not in datasets)]
    rows = [
        (f"{DATASETS[name].title} ({name})", point, text)
        for name in names
        for point, text in _card(name, name in datasets, studied, sections)
    ]
    caption = (
        "Data cards. Pairs as counted here, beside the paper’s counts where it gives them. "
        "Only results on real features can be compared with the paper’s."
    )
    columns = ("Dataset", "Point", "What is known")
    return TextTable(caption, columns, tuple(rows), (1.0, 6.0), _statement(names, datasets))


def _statement(names: Sequence[str], datasets: Sequence[str]) -> str:
    """How many datasets there are, how many are simulated, and on which there are numbers."""
    simulated = sum(DATASETS[name].simulated for name in names)
    run = [name for name in names if name in datasets or kept_records.shown_in(name)]
    return (
        f"{simulated} of {len(names)} datasets have simulated features; this report has results of "
        f"trainings on {listed(run) or 'none'}."
    )


def _shown(name: str, shown: bool) -> str:
    """Where a report has numbers of trainings on a dataset."""
    kept = kept_records.shown_in(name)
    studies = f"in the exhibits {listed(kept)}, from kept studies" if kept else ""
    own = "trained and scored for this report" if shown else ""
    return "; ".join(filter(None, (own, studies))) or "no method was trained on it"


def prose(path: Path) -> dict[str, list[tuple[str, str]]]:
    """What the page on data tells of each dataset: (point, sentences), a list item a point.

    Args:
        path: a page whose second headings name datasets in backticks, and whose paragraphs open
            with their subject in bold.

    Raises:
        UserError: the page is missing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is missing: restore it by git") from None
    _, *parts = _SECTION.split(text)
    sections: dict[str, list[tuple[str, str]]] = {}
    for heading, body in zip(parts[::2], parts[1::2], strict=True):
        for name in re.findall(r"`(\w+)`", heading):
            sections.setdefault(name, []).extend(_points(body))
    return sections


def _card(
    name: str, shown: bool, studied: Studies, sections: dict[str, list[tuple[str, str]]]
) -> Iterator[tuple[str, str]]:
    dataset = DATASETS[name]
    points = sections.get(name, [])
    if not points:
        raise UserError(f"{PROSE} tells nothing of the dataset {name!r}")
    yield "In this report", _shown(name, shown)
    yield "Data", "SIMULATED features" if dataset.simulated else "real"
    yield "Features", Results(name).summary["features"] if shown else dataset.features
    yield "Pairs", _pairs(name, dataset, shown, studied)
    yield from ((point, text) for point, text in points if point.startswith("What"))
    files = sources.catalogue(name) if name != "embedded" else []
    yield "Terms", "; ".join(dict.fromkeys(file.terms for file in files)) or "part of this package"
    if files:
        yield (
            "From",
            ", ".join(dict.fromkeys(f"{file.repository} at {file.commit[:10]}" for file in files)),
        )
        yield "Cite", " · ".join(dict.fromkeys(file.citation for file in files if file.citation))
    yield from ((point, text) for point, text in points if not point.startswith("What"))


def _pairs(name: str, dataset: Dataset, shown: bool, studied: Studies) -> str:
    """Counts of each split, ours and the paper's."""
    counts: dict[str, dict[str, int]] = {}
    if shown:
        counts = Results(name).summary["splits"]
    elif dataset.benchmark:
        counts = studied.about["pairs"][dataset.benchmark]
    ours = ", ".join(
        f"{counts[s]['pairs']:,} {s}" for s in SPLITS if counts.get(s, {}).get("pairs")
    )
    if not dataset.benchmark:
        return ours or "not prepared here"
    printed = published.datasets()
    rows = printed[printed["dataset"] == dataset.benchmark]
    theirs = ", ".join(f"{pairs:,} {split}" for split, pairs in _counted(rows))
    return f"{ours}; the paper’s {BENCHMARKS[dataset.benchmark][0]}: {theirs}"


def _counted(table: pd.DataFrame) -> list[tuple[str, int]]:
    return [(str(split), int(n)) for split, n in zip(table["split"], table["pairs"], strict=True)]


def _points(body: str) -> Iterator[tuple[str, str]]:
    """The paragraphs of a section that open with one of `TOLD`; list items apart."""
    for paragraph in body.split("\n\n"):
        opening = re.match(r"\*\*(.+?)\*\*", paragraph)
        if opening and opening[1] in TOLD:
            point = opening[1].removesuffix(".")
            first, *items = re.split(r"\n- ", paragraph[opening.end() :])
            for text in (first, *items):
                if plain := _plain(text):
                    yield point, plain


def _plain(text: str) -> str:
    """Without the marks of Markdown, on one line."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    return " ".join(re.sub(r"[`*]", "", text).split())
