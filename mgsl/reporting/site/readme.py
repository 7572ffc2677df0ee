"""The tables and numbers of README.md and of two pages of docs/, between their markers.

What stands between `<!-- mgsl:NAME -->` and `<!-- /mgsl:NAME -->` is made by the template
`templates/readme/NAME.md` from the files that reports/ keeps in git, so that a fresh clone can make
it again. They are no outputs of the pipeline, for DVC removes outputs before a stage runs: the
stage `report` writes into them on the way, and a test compares.
"""

import re
from collections.abc import Callable
from pathlib import Path

from jinja2 import TemplateNotFound

from mgsl.errors import UserError
from mgsl.files import write_text
from mgsl.reporting.draw import phrases
from mgsl.reporting.read import equations
from mgsl.reporting.site import readme_numbers
from mgsl.reporting.site.page_templates import environment
from mgsl.reporting.site.readme_numbers import CLAIMS, DATASET, RUNS, ReadmeNumbers

README = Path("README.md")
DOCUMENTS = (README, equations.QUESTIONS, Path("docs/tuning.md"))
FILTERS = (
    *(readme_numbers.percent, readme_numbers.points, readme_numbers.ends),
    *(readme_numbers.in_words, phrases.listed),
)
_BLOCK = re.compile(
    r"(?P<start><!-- mgsl:(?P<name>\w+) -->\n).*?(?P<end><!-- /mgsl:(?P=name) -->)", re.DOTALL
)


def update(say: Callable[[str], None] = print) -> None:
    """Write the blocks of `DOCUMENTS` anew; a file in which nothing changes is left untouched.

    They are left as they are too where the reports do not show what README speaks of.

    Args:
        say: tells the person who waits why they were left as they are.

    Raises:
        UserError: a marker has no template.
    """
    documents = [path for path in DOCUMENTS if path.is_file()]
    numbers = ReadmeNumbers()
    if documents and not numbers.complete:
        there = " and ".join(map(str, documents))
        say(f"{there} not written: of {DATASET} there is no {RUNS.name} or {CLAIMS.name}")
        return
    for path in documents:
        before = path.read_text(encoding="utf-8")
        after = fill(before, numbers, path)
        if after != before:
            write_text(path, after)


def fill(text: str, numbers: ReadmeNumbers, document: Path) -> str:
    """A text with everything between its markers made anew.

    Args:
        text: of one of `DOCUMENTS`.
        numbers: what is filled in.
        document: its path, for messages.

    Raises:
        UserError: a marker has no template.
    """
    templates = environment()
    templates.filters |= {function.__name__: function for function in FILTERS}

    def block(match: "re.Match[str]") -> str:
        try:
            template = templates.get_template(f"readme/{match['name']}.md")
        except TemplateNotFound as error:
            raise UserError(f"{document}: mgsl:{match['name']} has no template {error}") from None
        return f"{match['start']}{template.render(numbers=numbers)}{match['end']}"

    return _BLOCK.sub(block, text)
