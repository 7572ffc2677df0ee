"""The templates of the site, and the filters they use."""

import html
import re
from pathlib import Path

import jinja2
from latex2mathml.converter import convert

from mgsl.reporting.draw import markdown, tables
from mgsl.reporting.draw.templating import prose
from mgsl.reporting.site.contents import kind

FORMULA = re.compile(r"\$([^$\n]+)\$")


def environment() -> jinja2.Environment:
    """Templates by name; what goes into HTML is escaped, a name without a value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=lambda name: bool(name and name.endswith("html")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "formulas": formulas,
        "kind": kind,
        "markdown": tables.to_markdown,
        "plain": markdown.escape,
        "prose": prose,
        "rest": lambda title: title.partition(". ")[2] or title,
        "short": lambda title: title.split(".")[0],
    }
    return environment


def formulas(text: str) -> str:
    """Text as HTML, its `$…$` as MathML."""
    parts = enumerate(FORMULA.split(text))
    return "".join(convert(part) if place % 2 else html.escape(part) for place, part in parts)
