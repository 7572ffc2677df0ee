"""Offline pages: one for each exhibit, and the front page that leads to them.

A page holds its style and its mathematics; it asks for nothing but images and scripts that lie
beside it, and leads to every other. It says what it was made from: data, parameters, and the
commit, so that equal inputs give equal bytes.
"""

from collections.abc import Mapping, Sequence

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import write_text
from mgsl.reporting.read import kept_records, stamps
from mgsl.reporting.read.kept_records import KeptSource
from mgsl.reporting.read.results import Results
from mgsl.reporting.read.stamps import Stamp
from mgsl.reporting.site import (
    claim_matrix,
    contents,
    front_page,
    glossary,
    navigation,
    paper_map,
    rankings,
    scripts,
)
from mgsl.reporting.site.page_templates import environment

TITLE = "MGSL-Net, replicated"
SUBTITLE = "Temporal sentence grounding with rare words"
LEAD = (
    "Given a video and a sentence, find the moment that the sentence describes, even if one of its "
    "words is rare in training. Here are the tables and figures of the paper (AAAI 2022) and ours, "
    "each with the data it rests on. The code was written from the paper’s text, without its "
    "authors’ code or weights."
)
PAPER = "https://arxiv.org/abs/2201.00454"
LINKS = (  # of the front page; all but the paper lie in this repository
    ("The paper (arXiv 2201.00454)", PAPER),
    ("Code", "../README.md"),
    ("How to use it", "../docs/usage.md"),
    ("Data", "../docs/data.md"),
    ("Glossary and open questions", glossary.PAGE.name),
    ("Citation", "../CITATION.cff"),
)


def write_page(
    name: str,
    body: str,
    code: str,
    sources: Sequence[Results | KeptSource],
    made_from: Sequence[Stamp],
    around: navigation.Navigation,
) -> None:
    """Write the page of one exhibit, beside its tables and figures.

    Args:
        name: of the exhibit.
        body: the executed notebook as an HTML fragment.
        code: the notebook's code, shown on demand.
        sources: the datasets of which it shows numbers; several may be one dataset.
        made_from: what `stamps.of_page` returned for them.
        around: the other exhibits.
    """
    exhibit = contents.describe(name)
    by_dataset = {source.dataset: source for source in sources}
    linked = glossary.link(_lead_with_statement(body), f"../{glossary.PAGE.name}")
    page = environment().get_template("exhibit.html").render(
        title=exhibit.title, name=name, body=linked, code=code,
        files=exhibit.files, sources=list(by_dataset.values()), stamps=made_from,
        outdated=kept_records.outdated(name), unpromised=stamps.unpromised(made_from),
        navigation=around, root="../",
    )  # fmt: skip
    scripts.place()
    write_text(paths.EXHIBITS / f"{name}.html", page)


def build_index(exhibits: Mapping[str, Sequence[str]], datasets: Sequence[str]) -> None:
    """Write reports/index.html and reports/README.md, and the glossary beside them.

    Args:
        exhibits: names of the exhibits by section, in the order shown; their pages must stand.
        datasets: what they were run on.

    Raises:
        UserError: the page of an exhibit is missing.
    """
    names = [name for section in exhibits.values() for name in section]
    for name in names:
        if not (page := paths.EXHIBITS / f"{name}.html").is_file():
            raise UserError(f"{page} is missing: run `python -m mgsl report --exhibit {name}`")
    ranked = rankings.build(datasets)
    sources = [Results(dataset) for dataset in datasets]
    made_from = stamps.of_page(sources)
    values = {
        "title": TITLE,
        "subtitle": SUBTITLE,
        "lead": LEAD,
        "links": LINKS,
        "navigation": navigation.around(navigation.FRONT, exhibits),
        "verdict": front_page.verdict(datasets, names, ranked),
        "rankings": ranked,
        "verdicts": claim_matrix.verdicts(names),
        "marks": claim_matrix.marks(names),
        "signs": claim_matrix.SIGNS,
        "places": paper_map.build(datasets, names),
        "exhibits": names,
        "sections": contents.arrange(exhibits),
        "sources": sources,
        "stamps": made_from,
        "unpromised": stamps.unpromised(made_from),
        "root": "",
    }
    scripts.place()
    for target, template in (("index.html", "index.html"), ("README.md", "reports_readme.md")):
        text = environment().get_template(template).render(values)
        if target.endswith("html"):
            text = glossary.link(text, glossary.PAGE.name)
        write_text(paths.REPORTS / target, text)
    glossary.write(exhibits)


def _lead_with_statement(body: str) -> str:
    """The body with its first statement right under its title."""
    match = contents.STATEMENT.search(body)
    if not match:
        return body
    rest = body[: match.start()] + body[match.end() :]
    return rest.replace("</h1>", f"</h1>\n{match[0]}", 1)
