"""Offline pages: one for each exhibit, and the front page that leads to them.

A page holds its style and its mathematics; it asks for nothing but images and scripts that lie
beside it. It says what it was made from: data, parameters, and the commit, so that equal inputs
give equal bytes.
"""

from collections.abc import Mapping, Sequence

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import write_text
from mgsl.reporting.draw import tables
from mgsl.reporting.read import stamps
from mgsl.reporting.read.results import Results
from mgsl.reporting.read.stamps import Stamp
from mgsl.reporting.site import contents, front_page, scripts
from mgsl.reporting.site.page_templates import environment

TITLE = "MGSL-Net, replicated"
SUBTITLE = "Temporal sentence grounding with rare words"
LEAD = (
    "Find the moment of a video that a sentence describes, also where a word of the sentence is "
    "rarely seen in training. The tables and figures of the paper (AAAI 2022), ours beside the "
    "printed number, each naming the data it saw; written anew from the paper, without the "
    "authors’ code or weights."
)


def write_page(
    name: str, body: str, code: str, sources: Sequence[Results], made_from: Sequence[Stamp]
) -> None:
    """Write the page of one exhibit, beside its tables and figures.

    Args:
        name: of the exhibit.
        body: the executed notebook as an HTML fragment.
        code: the notebook's code, shown on demand.
        sources: the datasets that the notebook was run on.
        made_from: what `stamps.of_page` returned for them.
    """
    exhibit = contents.describe(name)
    page = environment().get_template("exhibit.html").render(
        title=exhibit.title, name=name, body=body, code=code, files=exhibit.files,
        sources=sources, stamps=made_from, unpromised=stamps.unpromised(made_from), root="../",
    )  # fmt: skip
    scripts.place()
    write_text(paths.EXHIBITS / f"{name}.html", page)


def build_index(exhibits: Mapping[str, Sequence[str]], datasets: Sequence[str]) -> None:
    """Write reports/index.html and reports/README.md.

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
    results = front_page.build(datasets)
    sources = [Results(dataset) for dataset in datasets]
    made_from = stamps.of_page(sources)
    values = {
        "title": TITLE,
        "subtitle": SUBTITLE,
        "lead": LEAD,
        "scope": front_page.scope(datasets),
        "verdicts": front_page.verdicts(names),
        "sections": contents.arrange(exhibits),
        "sources": sources,
        "stamps": made_from,
        "unpromised": stamps.unpromised(made_from),
        "root": "",
    }
    scripts.place()
    for target, template, headline in (
        ("index.html", "index.html", tables.to_html(results)),
        ("README.md", "reports_readme.md", tables.to_markdown(results)),
    ):
        text = environment().get_template(template).render(headline=headline, **values)
        write_text(paths.REPORTS / target, text)
