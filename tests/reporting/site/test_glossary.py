"""Words and questions lead to one page, which has each of them once."""

import re
from pathlib import Path

import pytest

from mgsl.errors import UserError
from mgsl.reporting.site import contents, glossary
from tests import ROOT

PAGE = "../glossary.html"


@pytest.fixture(autouse=True)
def _inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_word_is_linked_where_it_is_first_used() -> None:
    text = glossary.link("<p>Rare queries, and rare ones.</p>", PAGE)
    assert text == (
        f'<p><a class="term" href="{PAGE}#rare">Rare</a> '
        f'<a class="term" href="{PAGE}#query">queries</a>, and rare ones.</p>'
    )


@pytest.mark.parametrize("name", ["Q22", "A5", "Q1"])
def test_a_question_is_linked_wherever_it_stands(name: str) -> None:
    text = glossary.link(f"<p>{name}</p><td>({name})</td>", PAGE)
    assert text.count(f'href="{PAGE}#{name.lower()}"') == 2


def test_the_prototype_and_the_splits_are_linked() -> None:
    text = glossary.link("<p>by a rule (G)</p><th>G · Keys</th><td>val_1 + val_2</td>", PAGE)
    assert text.count(f'href="{PAGE}#g"') == 2
    assert text.count(f'href="{PAGE}#val_1"') == 2


@pytest.mark.parametrize(
    "body",
    [
        '<a href="x">A rare query</a>',
        "<code>Q22</code>",
        "<h2>Rare</h2>",
        '<img alt="rare">',
        "<p>BQ22, rarely, $G$</p>",
    ],
)
def test_links_headings_code_and_attributes_stay(body: str) -> None:
    assert glossary.link(body, PAGE) == body


def test_every_entry_has_an_anchor_of_its_own_and_a_text() -> None:
    entries = [*glossary.words(), *glossary.questions()]
    anchors = [entry.anchor for entry in entries]
    assert len(set(anchors)) == len(anchors)
    assert {"q1", "q25", "a1", "a5", "g", "tiou", "val_1"} <= set(anchors)
    assert all(entry.text and "**" not in entry.title for entry in entries)
    assert {entry.see.lower() for entry in entries if entry.see} <= set(anchors)


def test_the_page_has_every_anchor_that_is_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glossary, "PAGE", tmp_path / "glossary.html")
    glossary.write()
    page = (tmp_path / "glossary.html").read_text(encoding="utf-8")
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert {entry.anchor for entry in (*glossary.words(), *glossary.questions())} <= set(ids)
    assert 'href="../docs/open_questions.md"' in page


def test_without_its_questions_there_is_no_glossary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"open_questions.md is missing: restore it by git"):
        glossary.questions()


def test_a_statement_is_read_without_its_links() -> None:
    page = glossary.link('<p class="statement">Rare queries cost 5 points.</p>', PAGE)
    assert "<a " in page
    assert contents.statement(page) == "Rare queries cost 5 points."
