"""Tables sort and filter in a browser; the library that does it is the one that was published."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from mgsl.files import write_text
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table, TextTable, to_html
from mgsl.reporting.site import scripts
from mgsl.reporting.site.page_templates import environment
from tests.reporting.site import browser

PUBLISHED = "38017a5586acd9c6eb6bbfe8b6938e1a25bdc717c5acfcb07e0c9d663282c59d"  # 3.1.5
ROWS = {  # a number with its spread, a difference, words
    "One": (Cell("7.90 ± 1.10", "5.0–9.9"), Cell("−12.5"), Cell("undecided")),
    "Two": (Cell("57.90 ± 5.20", "50.0–65.0"), Cell("+1,024"), Cell(DASH)),
    "Three": (Cell(reason="not run"), Cell("more than 99"), Cell("supported")),
    "Four": (Cell("24.00"), Cell("more than 99"), Cell("Figure 10")),
    "Five": (Cell("×3.10"), Cell("none"), Cell("Figure 9")),
}
DONE = "new Promise(done => setTimeout(done, 50))"  # what a click sets off
NAMES = "[...document.querySelectorAll('.table tbody tr')].map(row => row.cells[0].innerText)"


def test_the_library_is_as_published_with_its_licence() -> None:
    library = (scripts.STATIC / "datatables.min.js").read_bytes()
    assert hashlib.sha256(library).hexdigest() == PUBLISHED
    assert b"DataTables 3.1.5" in library[:100]
    assert "MIT License" in (scripts.STATIC / "datatables.LICENSE.txt").read_text()


def test_a_script_that_stands_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scripts.place()
    before = {path.name: path.stat().st_mtime_ns for path in Path("reports/scripts").iterdir()}
    assert before.keys() == {path.name for path in scripts.STATIC.iterdir()}
    scripts.place()
    after = {path.name: path.stat().st_mtime_ns for path in Path("reports/scripts").iterdir()}
    assert after == before


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    if browser.CHROMIUM is None:
        pytest.skip("there is no Chromium to open the page in")
    with browser.running(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium.tab()


def page(folder: Path, *tables: Table | TextTable) -> Path:
    """A page with some tables, as those of exhibits are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        scripts.place()
    text = environment().get_template("exhibit.html").render(
        title="Tables", name="tables", body="".join(map(to_html, tables)), code="", files=(),
        sources=(), stamps=(), unpromised=(), root="../",
    )  # fmt: skip
    path = folder / "reports/exhibits/tables.html"
    write_text(path, text)
    return path


def numbers(rows: dict[str, tuple[Cell, ...]]) -> Table:
    columns = (Columns("ours", ("R@1", "Difference"), ours=True), Columns("", ("Says",), ours=True))
    return Table("A caption.", columns, tuple(rows.items()), pd.DataFrame())


def sort(tab: browser.Page, column: int) -> list[str]:
    """Click the heading of a column; the names of the rows then."""
    heading = f"DataTable.tables({{api: true}}).column({column}).header()"
    tab.evaluate(f"{heading}.click(), {DONE}")
    return tab.evaluate(NAMES)


def test_numbers_sort_by_what_they_begin_with_and_dashes_come_last(
    tab: browser.Page, tmp_path: Path
) -> None:
    tab.open(page(tmp_path, numbers(ROWS)))
    assert tab.complaints == []
    assert tab.evaluate(NAMES) == list(ROWS)
    assert sort(tab, 1) == ["Two", "Four", "One", "Five", "Three"]
    assert sort(tab, 1) == ["Five", "One", "Four", "Two", "Three"]
    assert sort(tab, 1) == list(ROWS)
    assert sort(tab, 2) == ["Two", "Three", "Four", "One", "Five"]
    assert sort(tab, 2) == ["One", "Three", "Four", "Two", "Five"]


def test_words_sort_as_people_read_them(tab: browser.Page, tmp_path: Path) -> None:
    tab.open(page(tmp_path, numbers(ROWS)))
    assert sort(tab, 3) == ["Five", "Four", "Three", "One", "Two"]
    assert sort(tab, 3) == ["One", "Three", "Four", "Five", "Two"]
    assert sort(tab, 0) == ["Five", "Four", "One", "Three", "Two"]


def test_the_keyboard_sorts_too(tab: browser.Page, tmp_path: Path) -> None:
    tab.open(page(tmp_path, numbers(ROWS)))
    tab.evaluate("document.querySelectorAll('.table .dt-column-order')[1].focus()")
    tab.press("Enter")
    tab.evaluate(DONE)
    assert tab.evaluate(NAMES)[0] == "Two"
    assert tab.evaluate("document.querySelector('[aria-sort]').innerText").startswith("R@1")


def test_a_heading_of_several_columns_sorts_none(tab: browser.Page, tmp_path: Path) -> None:
    tab.open(page(tmp_path, numbers(ROWS)))
    tab.evaluate(f"document.querySelector('th[scope=colgroup]').click(), {DONE}")
    assert tab.evaluate(NAMES) == list(ROWS)
    assert tab.evaluate("document.querySelectorAll('.dt-column-order').length") == 4


def test_only_long_tables_can_be_filtered(tab: browser.Page, tmp_path: Path) -> None:
    many = {f"Row {number}": ROWS["One"] for number in range(20)}
    tab.open(page(tmp_path, numbers(ROWS)))
    assert tab.evaluate("document.querySelectorAll('input').length") == 0
    tab.open(page(tmp_path, numbers(many)))
    write(tab, "row 13")
    assert tab.evaluate(NAMES) == ["Row 13"]
    write(tab, "")
    assert tab.evaluate(NAMES) == list(many)


def test_a_table_of_sentences_is_filtered_below_its_headings(
    tab: browser.Page, tmp_path: Path
) -> None:
    rows = tuple((("First", "Second")[n // 10], f"claim {n}", "supported") for n in range(20))
    table = TextTable("A caption.", ("Topic", "Claim", "Verdict"), rows, (0.5, 0.5))
    tab.open(page(tmp_path, table))
    shown = "document.querySelector('.register').innerText"
    write(tab, "Supported 17")
    assert "claim 17" in tab.evaluate(shown)
    assert "claim 16" not in tab.evaluate(shown)
    assert "First" not in tab.evaluate(shown)
    write(tab, "first")
    assert "claim 9" in tab.evaluate(shown)
    assert "claim 10" not in tab.evaluate(shown)


@pytest.mark.parametrize("width", [browser.PHONE, 390, browser.DESK])
def test_what_sorts_is_no_wider_than_the_screen(
    tab: browser.Page, tmp_path: Path, width: int
) -> None:
    tab.open(page(tmp_path, numbers(ROWS)), width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_a_table_is_what_it_was(tab: browser.Page, tmp_path: Path) -> None:
    tab.open(page(tmp_path, numbers(ROWS)), scripts=False)
    assert tab.evaluate(NAMES) == list(ROWS)
    assert tab.evaluate("document.querySelectorAll('.dt-column-order').length") == 0
    assert DASH in tab.evaluate("document.querySelector('.table').innerText")


def write(tab: browser.Page, text: str) -> None:
    """Type into the field that filters the rows."""
    tab.evaluate(f"document.querySelector('.filter input').value = {text!r}")
    tab.evaluate("document.querySelector('.filter input').dispatchEvent(new Event('input'))")
