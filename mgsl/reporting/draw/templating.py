"""Filling the templates of tables: whatever is filled in is escaped as its format wants it."""

import functools
import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from mgsl.reporting.draw import latex


def coded(text: str) -> Markup:
    """Text as HTML; what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text)))


def prose(text: str) -> str:
    """Markdown of one paragraph as HTML: code, emphasis, and the words of links."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", html.escape(text, quote=False))
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)


def fill(name: str, **values: Any) -> str:
    """A template of this folder, filled.

    Args:
        name: of the file: .html, or .tex, where tags are <% %> and values << >>.
        values: what it is filled with.
    """
    return _environment(Path(name).suffix).get_template(name).render(values)


def statement(text: str) -> Markup:
    """The result of an exhibit in a sentence, as a page shows it; nothing where there is none."""
    return Markup('<p class="statement">{}</p>\n').format(coded(text)) if text else Markup()


def how_to_read(text: str) -> Markup:
    """What is to be known of a figure or table beyond its caption, unfolded by who wants it."""
    template = '<details class="reading"><summary>How to read</summary><p>{}</p></details>\n'
    return Markup(template).format(coded(text)) if text else Markup()


@functools.cache
def _environment(suffix: str) -> jinja2.Environment:
    tags: dict[str, Any] = {}
    if suffix == ".tex":  # whose own braces would be read as tags
        tags = {
            **{"block_start_string": "<%", "block_end_string": "%>"},
            **{"variable_start_string": "<<", "variable_end_string": ">>"},
            **{"comment_start_string": "<#", "comment_end_string": "#>"},
        }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        finalize=_escape_by(latex.escape if suffix == ".tex" else html.escape),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        **tags,
    )
    environment.filters |= {
        "breakable": latex.breakable,
        "brief": latex.brief,
        "coded": coded,
        "heading": latex.heading,
        "rest": latex.rest,
        "how_to_read": how_to_read,
    }
    return environment


def _escape_by(escape: Callable[[str], str]) -> Callable[[Any], str]:
    """What is no Markup yet is text."""
    return lambda value: value if isinstance(value, Markup) else escape(str(value))
