"""The reports that stand in the repository, as a browser on a desk and on a phone shows them."""

import csv
import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from mgsl import params, paths
from mgsl.reporting.site import pages
from tests import ROOT
from tests.reporting.site import browser

pytestmark = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="there is no Chromium to open the reports in"
)
REPORTS = ROOT / paths.REPORTS
PAGES = sorted(REPORTS.rglob("*.html"))
EXHIBITS = sorted((ROOT / paths.EXHIBITS).glob("*.html"))
SIZES = """[...document.querySelectorAll("%s")].filter(e => e.checkVisibility())
    .map(e => e.getBoundingClientRect()).map(box => [box.width, box.height])"""
LINKS = '[...document.querySelectorAll("a[href]")].map(a => a.href)'
UNDRAWN = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
OVERFLOWING = """[...document.querySelectorAll("body *")].filter(
    e => getComputedStyle(e).overflowX == "auto" && e.scrollWidth > e.clientWidth)"""
CUT = """[...document.querySelectorAll("figure, table, h1, h2, p, li")].filter(
    e => !e.closest(".scroll, details, table") && e.scrollWidth > e.clientWidth + 1
    ).map(e => e.outerHTML.slice(0, 200))"""
BEYOND = """[...document.querySelectorAll("%s")].filter(
    e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1
    ).map(e => e.outerHTML.slice(0, 200))"""
REPEATED = """[...document.querySelectorAll("[id]")].map(e => e.id)
    .filter((id, place, ids) => ids.indexOf(id) != place)"""
BARE = """[...document.querySelectorAll("main h1, .table tbody tr, .register tbody tr")]
    .filter(e => !e.id && e.closest(".cell")).map(e => e.outerHTML.slice(0, 200))"""
PALE = """(() => {
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    const over = ([r, g, b, a = 1], under) => [r, g, b].map((c, i) => a * c + (1 - a) * under[i]);
    const light = colour => colour.map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = e => !e ? [255, 255, 255]
        : over(numbers(getComputedStyle(e).backgroundColor), behind(e.parentElement));
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const pale = new Set();
    while (words.nextNode()) {
        const e = words.currentNode.parentElement;
        const look = getComputedStyle(e);
        if (!words.currentNode.data.trim() || !e.checkVisibility() || look.opacity == 0) continue;
        const [a, b] = [over(numbers(look.color), behind(e)), behind(e)].map(light);
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) pale.add(`${ratio.toFixed(1)} ${e.outerHTML.slice(0, 100)}`);
    }
    return [...pale];
})()"""
STEPS = """["prev", "next"].map(rel => document.querySelector(`a[rel=${rel}]`))
    .map(a => a && a.href)"""
OPEN = """[...document.querySelectorAll(".panel")].map(e => e.checkVisibility())"""
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
        if link == pages.PAPER:  # the only one that leads off the disk, and only who clicks it
            continue
        assert url.scheme == "file", link
        assert Path(unquote(url.path)).is_file(), link
        anchor = unquote(url.fragment)
        if anchor and Path(unquote(url.path)) == page.resolve():
            assert tab.evaluate(f"!!document.getElementById({json.dumps(anchor)})"), link
        elif anchor:
            assert f'id="{anchor}"' in unescape(text_of(url.path)), link


def test_tables_mathematics_and_figures_are_drawn(tab: browser.Page, page: Path) -> None:
    tab.open(page)
    text = page.read_text(encoding="utf-8")
    for tag in ("math", "img", "table"):
        assert tab.evaluate(f'document.querySelectorAll("{tag}").length') == text.count(f"<{tag}")
        drawn = tab.evaluate(SIZES % tag)
        assert all(width > 0 and height > 0 for width, height in drawn), tag
    beside = page.with_suffix(".csv")
    if beside.is_file() and beside.with_suffix(".tex").is_file():
        assert len(list(csv.reader(beside.open(encoding="utf-8")))) > 1
        assert tab.evaluate("document.querySelectorAll('tbody tr').length") > 1


@pytest.mark.parametrize("width", [browser.SMALL_PHONE, browser.PHONE])
def test_a_phone_shows_all_of_it_and_what_is_wide_scrolls_by_itself(
    tab: browser.Page, page: Path, width: int
) -> None:
    tab.open(page, width=width)
    assert tab.complaints == []
    assert tab.evaluate(CUT) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
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


def test_headings_and_rows_can_be_linked_to_and_no_id_stands_twice(
    tab: browser.Page, page: Path
) -> None:
    tab.open(page)
    assert tab.evaluate(REPEATED) == []
    assert tab.evaluate(BARE) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_its_own_words_stand_out_from_what_is_behind_them(
    tab: browser.Page, page: Path, *, dark: bool
) -> None:
    tab.open(page, dark=dark)
    assert tab.evaluate(PALE) == []


def test_from_the_front_page_next_leads_through_every_exhibit_and_previous_back(
    tab: browser.Page,
) -> None:
    front = REPORTS / "index.html"
    way = [front.resolve().as_uri()]
    while way[-1]:
        tab.open(Path(unquote(urlparse(way[-1]).path)))
        before, after = tab.evaluate(STEPS)
        assert before == (way[-2] if len(way) > 1 else None)
        way.append(after)
    exhibits = params.load(ROOT / paths.PARAMS).exhibit_names()
    assert [Path(unquote(url)).stem for url in way[1:-1]] == [*exhibits]


def test_every_page_lists_all_exhibits_and_says_which_it_is(tab: browser.Page, page: Path) -> None:
    tab.open(page)
    listed = tab.evaluate('[...document.querySelectorAll(".side a")].map(a => a.href)')
    assert {Path(unquote(url)).stem for url in listed} == {path.stem for path in EXHIBITS}
    current = tab.evaluate('document.querySelector(".side [aria-current]")?.href')
    assert current == (page.resolve().as_uri() if page in EXHIBITS else None)
    assert tab.evaluate('document.querySelector(".side li").checkVisibility()')
    tab.open(page, width=browser.PHONE)
    hidden = '!document.querySelector(".side li").checkVisibility({contentVisibilityAuto: true})'
    assert tab.evaluate(f'{hidden} && !document.querySelector(".side details").open')


def test_one_dataset_is_shown_at_a_time_and_its_button_shows_another(tab: browser.Page) -> None:
    tab.open(REPORTS / "index.html")
    shown = tab.evaluate(OPEN)
    assert shown == [True, *[False] * (len(shown) - 1)]
    for place in range(len(shown)):
        tab.evaluate(f'document.querySelectorAll(".switch > label")[{place}].click()')
        assert tab.evaluate(OPEN) == [place == other for other in range(len(shown))]
        assert tab.evaluate(PALE) == []
        assert tab.evaluate(CUT) == []


def test_a_mark_of_a_claim_leads_to_its_row(tab: browser.Page) -> None:
    tab.open(REPORTS / "index.html")
    marks = tab.evaluate('[...document.querySelectorAll("a.mark")].map(a => [a.href, a.title])')
    assert marks
    tab.open(REPORTS / "exhibits" / "claims.html")
    for href, title in marks:
        row = f"document.getElementById({json.dumps(urlparse(href).fragment)})"
        assert tab.evaluate(f"{row}.querySelector('th').textContent") in title


def test_on_paper_every_dataset_is_shown(tab: browser.Page) -> None:
    tab.open(REPORTS / "index.html")
    tab.send("Emulation.setEmulatedMedia", media="print")
    assert all(tab.evaluate(OPEN))
    tab.send("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize(
    ("width", "tables"),
    [(browser.UPRIGHT, "figure:not(.broad) > .scroll > table"), (browser.ACROSS, ".broad table")],
)
def test_on_paper_no_table_is_cut(tab: browser.Page, page: Path, width: int, tables: str) -> None:
    tab.open(page, width=width, paper=True)
    assert tab.evaluate(BEYOND % tables) == []


def test_the_front_page_prints(tab: browser.Page) -> None:
    tab.open(REPORTS / "index.html")
    assert tab.print().startswith(b"%PDF")


def text_of(path: str) -> str:
    """A page by its address."""
    return Path(unquote(path)).read_text(encoding="utf-8")


def brightness(colour: str) -> float:
    """The mean of red, green and blue of what a browser calls rgb(…)."""
    numbers = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3
