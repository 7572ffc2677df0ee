"""The glossary: one page of words, questions and evidence, to which the other pages link.

The words are in glossary.yaml; questions (Q22), evidence (A5) and the prototype (G) are read from
docs/open_questions.md, where they are kept. A page links a word where it first uses it, and a
question wherever it stands.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mgsl import paths
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.files import write_text
from mgsl.reporting.read import equations, stamps
from mgsl.reporting.site import navigation
from mgsl.reporting.site.page_templates import environment

PAGE = paths.REPORTS / "glossary.html"
_WORDS = Path(__file__).parent / "glossary.yaml"
_EVIDENCE = re.compile(r"^- \*\*(A\d)\. (.*?)\*\*,? (.*?)(?=\n- \*\*|\n\n|\Z)", re.M | re.S)
_PROTOTYPE = re.compile(r"^## G\. (.*?)\n\n(.*?)\n\n", re.M | re.S)
_TAG = re.compile(r"(<[^>]+>)")
_CLOSED = (  # what stays as it is in a page
    *(
        "a",
        "button",
        "code",
        "footer",
        "h1",
        "h2",
        "h3",
        "label",
        "math",
        "nav",
        "option",
        "pre",
        "script",
    ),
    *("style", "summary", "svg", "title"),
)


@dataclass(frozen=True)
class Entry:
    """A word, a question or a piece of evidence: `find` is the text of a page that is linked.

    Where `every` is not so, only its first use on a page is. `see` names another entry.
    """

    name: str
    title: str
    text: str
    find: str
    every: bool = True
    see: str = ""

    @property
    def anchor(self) -> str:
        """Where it stands on the page of the glossary."""
        return re.sub(r"\W", "-", self.name.lower())


def words() -> list[Entry]:
    """The words, in the order of their file."""
    return [
        Entry(
            row["term"], row["term"], row["says"], rf"\b(?:{row['find']})\b",
            row.get("every", False), row.get("see", ""),
        )
        for row in read_yaml(_WORDS)
    ]  # fmt: skip


def questions() -> list[Entry]:
    """What docs/open_questions.md numbers: evidence, questions, and what a prototype showed.

    Raises:
        UserError: the page is missing.
    """
    try:
        text = equations.QUESTIONS.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{equations.QUESTIONS} is missing: restore it by git") from None
    numbered = [(number, title, body) for number, title, body in _EVIDENCE.findall(text)]
    read = sorted(equations.read_questions().values(), key=lambda q: int(q.number[1:]))
    numbered += [(q.number, q.title, q.text) for q in read]
    entries = [Entry(name, title, _line(body), rf"\b{name}\b") for name, title, body in numbered]
    prototype = [
        Entry("G", title, _line(body), r"(?<=\()G(?=[),;])|^G(?= ·)")
        for title, body in _PROTOTYPE.findall(text)
    ]
    return [*entries, *prototype]


def write(exhibits: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
    """Write reports/glossary.html.

    Args:
        exhibits: names by section, to which the page leads.

    Raises:
        UserError: docs/open_questions.md is missing.
    """
    page = environment().get_template("glossary.html").render(
        title="Glossary and open questions", words=words(), questions=questions(), root="",
        docs=f"../{equations.QUESTIONS.as_posix()}", sources=[], unpromised=[],
        stamps=[[("Commit", stamps.commit())]], navigation=navigation.around(PAGE.stem, exhibits),
    )  # fmt: skip
    write_text(PAGE, page)


def link(body: str, page: str) -> str:
    """HTML in which words and questions lead to the glossary.

    Args:
        body: HTML; what is a link, a heading, code or mathematics in it stays.
        page: the address of the glossary, as seen from where the HTML stands.
    """
    entries = [*questions(), *words()]
    pattern = re.compile("|".join(f"({entry.find})" for entry in entries))
    linked: set[str] = set()

    def anchor(match: "re.Match[str]") -> str:
        entry = entries[(match.lastindex or 1) - 1]
        if entry.name in linked and not entry.every:
            return match[0]
        linked.add(entry.name)
        return f'<a class="term" href="{page}#{entry.anchor}">{match[0]}</a>'

    parts, closed = _TAG.split(body), 0
    for place, part in enumerate(parts):
        if not place % 2:
            parts[place] = part if closed else pattern.sub(anchor, part)
        elif (name := re.match(r"</?(\w+)", part)) and name[1] in _CLOSED:
            closed += -1 if part.startswith("</") else 1
    return "".join(parts)


def _line(text: str) -> str:
    return " ".join(text.split())
