"""The browser of queries: what its page holds, and what it does in a browser."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest

from mgsl import paths
from mgsl.reporting.read import answered
from mgsl.reporting.read.results import Results
from mgsl.reporting.site import pages, query_pages
from tests.reporting import report_workspace
from tests.reporting.site import browser

PAGE = paths.QUERIES / "embedded.html"
NAMES = ("printed", "mgsl_net", "attention_only")  # those at odd places miss the common query
COMMON, RARE = "v2-3", "v2-4"
IDS = "[...document.querySelectorAll('#queries tbody tr')].map(row => row.id)"
DONE = "new Promise(done => setTimeout(done, 50))"  # what a click sets off
STATUS = "document.querySelector('.dt-info').textContent"

in_a_browser = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="there is no Chromium to open the page in"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report_workspace.build(folder, ["embedded", "charades_actions"], names=NAMES)
        query_pages.build("embedded")
        pages.build_index({}, ["embedded"])
    return folder


@pytest.fixture(autouse=True)
def _inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    with browser.running(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium.tab()


def data() -> dict:
    text = (paths.QUERIES / "embedded.js").read_text(encoding="utf-8")
    return json.loads(text.partition("const ANSWERED = ")[2].removesuffix(";\n"))


def choose(tab: browser.Page, **values: str) -> list[str]:
    """Set fields of the filters as a person does; the queries that are shown then."""
    for name, value in values.items():
        field = f"document.getElementById('filters').elements['{name}']"
        tab.evaluate(f"{field}.value = {json.dumps(value)}")
        tab.evaluate(f"{field}.dispatchEvent(new Event('input', {{bubbles: true}}))")
    return tab.evaluate(IDS)


def test_an_answer_is_the_best_of_the_first_training_and_right_by_the_metric() -> None:
    answers = {answer.name: answer for answer in answered.first_trainings(Results("embedded"))}
    assert answers["printed"].spans_s.tolist() == [[2, 7], [9, 17]]
    assert answers["printed"].tiou == pytest.approx([5 / 6, 7 / 9])
    assert answers["printed"].right.tolist() == [True, True]
    assert answers["mgsl_net"].tiou == pytest.approx([0, 7 / 9])
    assert answers["mgsl_net"].right.tolist() == [False, True]


def test_methods_come_by_how_often_they_are_right_and_one_lacks_its_memory() -> None:
    assert [method["title"] for method in data()["methods"]] == [
        "MGSL-Net (literal)",
        "MGSL-Net, no memory",
        "MGSL-Net (repaired)",
    ]


def test_a_query_has_its_moment_its_rarest_word_and_every_answer() -> None:
    common, rare = data()["queries"]
    assert common[:8] == ["v2-3", "v2", "a man lifts the box", 20, 80, 200, "man", 40]
    assert rare[6:10] == ["varnishes", 0, 0, 1]
    right, spans, tiou = common[10:]
    assert (right, spans, tiou) == ("110", [20, 70, 20, 70, 120, 140], [83, 83, 0])


def test_building_twice_gives_the_same_bytes() -> None:
    files = [*paths.QUERIES.iterdir(), *paths.SCRIPTS.iterdir()]
    before = {file: file.read_bytes() for file in files}
    assert len(before) == 6
    query_pages.build("embedded")
    assert {file: file.read_bytes() for file in files} == before


def test_real_sentences_come_with_their_terms_and_generated_ones_without() -> None:
    query_pages.build("charades_actions")
    real = (paths.QUERIES / "charades_actions.html").read_text(encoding="utf-8")
    assert "do not commit it" in real
    assert "do not commit it" not in PAGE.read_text(encoding="utf-8")


def test_the_front_page_leads_to_it() -> None:
    text = (paths.REPORTS / "index.html").read_text(encoding="utf-8")
    assert 'href="queries/embedded.html"' in text


@in_a_browser
def test_it_asks_the_disk_alone_and_shows_the_rarest_query_first(tab: browser.Page) -> None:
    tab.open(PAGE)
    assert {urlparse(url).scheme for url in tab.asked} <= {"file", "data"}, tab.asked
    assert tab.complaints == []
    assert tab.evaluate(IDS) == [RARE, COMMON]
    assert "1 to 2 of 2" in tab.evaluate(STATUS)


@in_a_browser
def test_filters_leave_the_queries_that_are_so(tab: browser.Page) -> None:
    tab.open(PAGE)
    assert choose(tab, group="common") == [COMMON]
    assert choose(tab, group="bin 0") == [RARE]
    assert choose(tab, group="", text="varnishes") == [RARE]
    assert choose(tab, text="BOX man") == [COMMON]
    assert choose(tab, text=COMMON) == [COMMON]
    assert choose(tab, text="", first="2", first_outcome="right") == [RARE]
    assert choose(tab, first_outcome="wrong") == [COMMON]
    assert choose(tab, second="0", second_outcome="right") == [COMMON]
    assert "(of 2 in all)" in tab.evaluate(STATUS)
    tab.evaluate("document.querySelector('#filters button').click()")
    tab.evaluate(DONE)
    assert tab.evaluate(IDS) == [RARE, COMMON]


@in_a_browser
def test_a_column_sorts_the_queries(tab: browser.Page) -> None:
    tab.open(PAGE)
    heading = "document.querySelector('#queries th:nth-child(3)')"
    tab.evaluate(f"{heading}.click(), {DONE}")
    assert tab.evaluate(IDS) == [COMMON, RARE]
    assert tab.evaluate(f"{heading}.getAttribute('aria-sort')") == "ascending"
    tab.evaluate(f"{heading}.click(), {DONE}")
    assert tab.evaluate(IDS) == [RARE, COMMON]


@in_a_browser
def test_an_address_with_an_id_opens_that_query_and_a_wrong_one_says_so(tab: browser.Page) -> None:
    tab.open(PAGE, fragment=COMMON)
    alone = "document.getElementById('alone')"
    assert tab.evaluate(IDS) == [COMMON]
    assert f"Only query {COMMON} is shown." in tab.evaluate(f"{alone}.textContent")
    assert 0 <= tab.evaluate(f"{alone}.getBoundingClientRect().top") < 900  # on the screen
    tab.evaluate(f"{alone}.querySelector('button').click(), {DONE}")
    assert tab.evaluate(IDS) == [RARE, COMMON]
    assert tab.evaluate(f"{alone}.hidden") is True
    tab.evaluate("document.querySelector('#queries a').click()")
    tab.evaluate(DONE)
    assert tab.evaluate(IDS) == [RARE]
    tab.open(PAGE, fragment="v9-%9")
    assert tab.evaluate(IDS) == [RARE, COMMON]
    assert "There is no test query v9-%9." in tab.evaluate(f"{alone}.textContent")


@in_a_browser
def test_bars_stand_where_the_spans_are_on_the_time_of_the_video(tab: browser.Page) -> None:
    tab.open(PAGE, fragment=RARE)
    places = tab.evaluate("""[...document.querySelectorAll('.track')].map(track => {
        const [whole, bar] = [track, track.firstChild].map(e => e.getBoundingClientRect());
        return [(bar.left - whole.left) / whole.width, (bar.right - whole.left) / whole.width];
    })""")
    for place, expected in zip(places, [[10 / 20, 18 / 20], *[[9 / 20, 17 / 20]] * 3], strict=True):
        assert place == pytest.approx(expected, abs=0.02)
    lines = tab.evaluate("document.querySelector('.timeline').innerText")
    assert "10.0–18.0 s" in lines
    assert lines.count("0.78 ✓") == 3


@in_a_browser
@pytest.mark.parametrize("width", [browser.PHONE, 390, browser.DESK])
def test_nothing_is_wider_than_the_screen(tab: browser.Page, width: int) -> None:
    tab.open(PAGE, width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1"
    wide += " && !e.matches('.who, i, select, input') && getComputedStyle(e).display != 'inline')"
    assert tab.evaluate(f"{wide}.map(e => e.outerHTML.slice(0, 200))") == []


@in_a_browser
def test_without_scripts_the_rarest_stand_in_a_plain_table(tab: browser.Page) -> None:
    tab.open(PAGE, scripts=False)
    assert tab.evaluate(IDS) == [RARE, COMMON]
    text = tab.evaluate("document.querySelector('#queries tbody').innerText")
    assert "10.0–18.0 s" in text
    assert "right: MGSL-Net (literal), MGSL-Net, no memory" in text
    assert tab.evaluate("getComputedStyle(document.getElementById('filters')).display") == "none"
    assert "Scripts are off" in tab.evaluate("document.querySelector('main').innerText")
