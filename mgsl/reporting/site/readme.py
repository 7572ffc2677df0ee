"""The tables and numbers of README.md, written between its markers.

What stands between `<!-- mgsl:NAME -->` and `<!-- /mgsl:NAME -->` is made by the template
`templates/readme/NAME.md` from the files that reports/ keeps in git, so that a fresh clone can make
it again. README.md is no output of the pipeline, for DVC removes outputs before a stage runs: the
stage `report` writes into it on the way, and a test compares.
"""

import re
from collections.abc import Callable
from pathlib import Path

from jinja2 import TemplateNotFound

from mgsl.errors import UserError
from mgsl.files import write_text
from mgsl.reporting.draw import phrases
from mgsl.reporting.site import readme_numbers
from mgsl.reporting.site.page_templates import environment
from mgsl.reporting.site.readme_numbers import CLAIMS, DATASET, RUNS, ReadmeNumbers

README = Path("README.md")
FILTERS = (
    *(readme_numbers.percent, readme_numbers.points, readme_numbers.ends),
    *(readme_numbers.in_words, phrases.listed),
)
_BLOCK = re.compile(
    r"(?P<start><!-- mgsl:(?P<name>\w+) -->\n).*?(?P<end><!-- /mgsl:(?P=name) -->)", re.DOTALL
)


def update(say: Callable[[str], None] = print) -> None:
    """Write the blocks of README.md anew; a file in which nothing changes is left untouched.

    It is left as it is too where the reports do not show what README speaks of.

    Args:
        say: tells the person who waits why README.md was left as it is.

    Raises:
        UserError: a marker has no template.
    """
    if not README.is_file():
        return
    numbers = ReadmeNumbers()
    if not numbers.complete:
        say(f"{README} keeps its numbers: of {DATASET} there is no {RUNS.name} or {CLAIMS.name}")
        return
    before = README.read_text(encoding="utf-8")
    after = fill(before, numbers)
    if after != before:
        write_text(README, after)


def fill(text: str, numbers: ReadmeNumbers) -> str:
    """A text with everything between its markers made anew.

    Args:
        text: of README.md.
        numbers: what is filled in.

    Raises:
        UserError: a marker has no template.
    """
    templates = environment()
    templates.filters |= {function.__name__: function for function in FILTERS}

    def block(match: "re.Match[str]") -> str:
        try:
            template = templates.get_template(f"readme/{match['name']}.md")
        except TemplateNotFound as error:
            raise UserError(f"{README}: mgsl:{match['name']} has no template {error}") from None
        return f"{match['start']}{template.render(numbers=numbers)}{match['end']}"

    return _BLOCK.sub(block, text)
