"""The reports that stand in the repository, as a browser on a desk and on a phone shows them."""

import csv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from mgsl import paths
from tests import ROOT
from tests.reporting.site import browser

pytestmark = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="there is no Chromium to open the reports in"
)
REPORTS = ROOT / paths.REPORTS
PAGES = sorted(REPORTS.rglob("*.html"))
SIZES = """[...document.querySelectorAll("%s")]
    .map(e => e.getBoundingClientRect()).map(box => [box.width, box.height])"""
LINKS = '[...document.querySelectorAll("a[href]")].map(a => a.href)'
UNDRAWN = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
OVERFLOWING = """[...document.querySelectorAll("body *")].filter(
    e => getComputedStyle(e).overflowX == "auto" && e.scrollWidth > e.clientWidth)"""
CUT = """[...document.querySelectorAll("figure, table, h1, h2, p, li")].filter(
    e => !e.closest(".scroll, details, table") && e.scrollWidth > e.clientWidth + 1
    ).map(e => e.outerHTML.slice(0, 200))"""
STOPS = "a, summary, input, select, button, [tabindex]"  # of the Tab key, at most
COLOURS = """(e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor])
    (document.body)"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    with browser.running(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium.tab()


def named(path: Path) -> str:
    return path.relative_to(REPORTS).as_posix()


@pytest.fixture(params=PAGES, ids=named)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_page_asks_the_disk_alone_and_its_console_is_silent(
    tab: browser.Page, page: Path
) -> None:
    tab.open(page)
    assert tab.asked
    assert {urlparse(url).scheme for url in tab.asked} <= {"file", "data"}, tab.asked
    assert tab.complaints == []
    assert tab.evaluate("document.title")


def test_every_link_and_image_resolves(tab: browser.Page, page: Path) -> None:
    tab.open(page)
    assert tab.evaluate(UNDRAWN) == []
    links = tab.evaluate(LINKS)
    assert links
    for link in links:
        url = urlparse(link)
        assert url.scheme == "file", link
        assert Path(unquote(url.path)).is_file(), link
        if url.fragment and Path(unquote(url.path)) == page.resolve():
            assert tab.evaluate(f"!!document.getElementById('{url.fragment}')"), link


def test_tables_mathematics_and_figures_are_drawn(tab: browser.Page, page: Path) -> None:
    tab.open(page)
    text = page.read_text(encoding="utf-8")
    for tag in ("math", "img", "table"):
        drawn = tab.evaluate(SIZES % tag)
        assert len(drawn) == text.count(f"<{tag}")
        assert all(width > 0 and height > 0 for width, height in drawn), tag
    beside = page.with_suffix(".csv")
    if beside.is_file() and beside.with_suffix(".tex").is_file():
        assert len(list(csv.reader(beside.open(encoding="utf-8")))) > 1
        assert tab.evaluate("document.querySelectorAll('tbody tr').length") > 1


def test_a_phone_shows_all_of_it_and_what_is_wide_scrolls_by_itself(
    tab: browser.Page, page: Path
) -> None:
    tab.open(page, width=browser.PHONE)
    assert tab.complaints == []
    assert tab.evaluate(CUT) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= browser.PHONE
    assert tab.evaluate(f"{OVERFLOWING}.filter(e => e.tabIndex < 0).length") == 0


def test_it_is_dark_where_the_reader_wants_it_dark(tab: browser.Page, page: Path) -> None:
    tab.open(page)
    light = tab.evaluate(COLOURS)
    tab.open(page, dark=True)
    dark = tab.evaluate(COLOURS)
    assert brightness(light[1]) > 200 > 100 > brightness(light[0])
    assert brightness(dark[0]) > 180 > 60 > brightness(dark[1])


def test_the_keyboard_reaches_every_exhibit_from_the_front_page(tab: browser.Page) -> None:
    front = REPORTS / "index.html"
    tab.open(front)
    reached = []
    for _ in range(tab.evaluate(f"document.querySelectorAll('{STOPS}').length")):
        tab.press("Tab")
        reached.append(tab.evaluate("document.activeElement.href"))
    for path in PAGES:
        assert path == front or path.resolve().as_uri() in reached, path


def test_the_front_page_prints(tab: browser.Page) -> None:
    tab.open(REPORTS / "index.html")
    assert tab.print().startswith(b"%PDF")


def brightness(colour: str) -> float:
    """The mean of red, green and blue of what a browser calls rgb(…)."""
    numbers = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3
