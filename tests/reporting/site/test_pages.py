"""Pages are whole, say what they were made from, and ask for nothing beyond the disk."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlparse

import pytest

from mgsl import paths
from mgsl.errors import UserError
from mgsl.prepared import read_summary, write_summary
from mgsl.reporting.site import contents, pages, query_pages
from mgsl.reporting.site.notebooks import run_exhibit
from mgsl.reporting.site.page_templates import formulas
from tests.reporting import report_workspace

EXHIBITS = ["table_1", "figure_1b"]
PAGES = {name: paths.EXHIBITS / f"{name}.html" for name in EXHIBITS}
PAGES["index"] = paths.REPORTS / "index.html"


class Links(HTMLParser):
    """Collects what a page points at and what it runs."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.targets += [value or "" for key, value in attrs if key in ("href", "src")]
        self.ids += [value or "" for key, value in attrs if key == "id"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report_workspace.build(folder, ["embedded", "charades_actions"])
        for name in EXHIBITS:
            run_exhibit(name, ["embedded"], {"paper": EXHIBITS})
        query_pages.build("embedded")
        pages.build_index({"paper": EXHIBITS}, ["embedded"])
    return folder


@pytest.fixture(autouse=True)
def _inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, root: Path) -> Path:
    return root / PAGES[request.param]


def test_every_link_and_image_stands_beside_the_page_or_is_the_paper(page: Path) -> None:
    links = Links(page)
    assert links.targets
    for target in links.targets:
        name, _, anchor = target.partition("#")
        if urlparse(target).scheme == "https":
            assert target == pages.PAPER
        elif not target.startswith("data:"):
            assert urlparse(target).scheme == "", target
            path = page.parent / name if name else page
            assert path.is_file(), target
            assert not anchor or anchor in Links(path).ids, target


def test_no_id_stands_twice_on_a_page_and_headings_and_rows_have_one(page: Path) -> None:
    links = Links(page)
    assert len(links.ids) == len(set(links.ids))
    if page.stem == "table_1":
        assert "method-cbln" in links.ids
        assert any(name.startswith("table-1-fifteen-methods") for name in links.ids)


def test_pages_lead_to_the_one_before_and_to_the_next(root: Path) -> None:
    front, first, last = (PAGES[name].read_text("utf-8") for name in ("index", *EXHIBITS))
    assert '<a rel="next" href="exhibits/table_1.html">Table 1 →</a>' in front
    assert '<a rel="prev" href="../index.html">← Front page</a>' in first
    assert '<a rel="next" href="../exhibits/figure_1b.html">Figure 1b →</a>' in first
    assert '<a rel="prev" href="../exhibits/table_1.html">← Table 1</a>' in last
    assert 'rel="next"' not in last
    for text in (front, first, last):
        assert text.count('class="side"') == 1


def test_a_page_runs_the_scripts_beside_it_and_loads_no_style(page: Path) -> None:
    links, text = Links(page), page.read_text(encoding="utf-8")
    assert not {"iframe", "object", "embed"} & set(links.tags)
    assert "@import" not in text
    beside = [target for target in links.targets if target.endswith(".js")]
    assert links.tags.count("script") == len(beside)
    assert {(page.parent / target).parent.resolve() for target in beside} == {
        paths.SCRIPTS.resolve()
    }
    assert "default-src 'none'" in text


def test_every_page_says_what_it_was_made_from(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for stamp in ("Embedded dataset (embedded)", "<dd>SIMULATED</dd>", "<dt>Seeds</dt><dd>0</dd>",
                  "<dt>Scale</dt><dd>embedded</dd>", "<dt>Commit</dt>", "learning rate",
                  "<strong>Simulated data.</strong>"):  # fmt: skip
        assert stamp in text, stamp


def test_building_twice_gives_the_same_bytes(root: Path) -> None:
    kept = {path: path.read_bytes() for path in (root / "reports").rglob("*") if path.is_file()}
    for name in EXHIBITS:
        run_exhibit(name, ["embedded"], {"paper": EXHIBITS})
    pages.build_index({"paper": EXHIBITS}, ["embedded"])
    for path, before in kept.items():
        assert path.read_bytes() == before, path


def test_the_readme_shows_the_figures_and_the_results(root: Path) -> None:
    text = (root / "reports/README.md").read_text(encoding="utf-8")
    assert "![Figure 1b. Word frequency, and what rarity costs](exhibits/figure_1b.svg)" in text
    assert "SIMULATED data" in text
    assert "| MGSL-Net (repaired) | 55.0 (52.0–58.0)" in text
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (root / "reports" / target).is_file(), target


def test_real_data_is_not_called_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["charades_actions"])
    shutil.rmtree(paths.STUDIES / "methods")  # some of it is on simulated features
    pages.build_index({}, ["charades_actions"])
    text = Path("reports/index.html").read_text(encoding="utf-8")
    assert "Simulated data" not in text
    assert "<dt>Data</dt><dd>real</dd>" in text


def test_an_exhibit_without_its_page_is_named() -> None:
    with pytest.raises(UserError, match=r"figure_1a.html is missing: run"):
        pages.build_index({"paper": ["figure_1a"]}, ["embedded"])


def test_an_exhibit_without_a_notebook_is_named() -> None:
    with pytest.raises(UserError, match=r"notebooks/figure_9.ipynb is missing"):
        run_exhibit("figure_9", ["embedded"])


def test_a_notebook_without_a_claim_is_refused(root: Path) -> None:
    cells = [{"cell_type": "markdown", "source": ["# Only a heading"]}]
    (root / "notebooks/bare.ipynb").write_text(json.dumps({"cells": cells}))
    with pytest.raises(UserError, match="must open with a heading"):
        contents.outline("bare")


def test_a_notebook_that_is_cut_off_is_named(root: Path) -> None:
    (root / "notebooks/cut.ipynb").write_text('{"cells": [{"cell_ty')
    with pytest.raises(UserError, match=r"cut\.ipynb is no JSON, or is cut off"):
        contents.outline("cut")


def test_titles_and_features_are_shown_letter_by_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"])
    prepared = paths.prepared("embedded")
    odd = {"features": "*seen* <b>by</b> `x`", "title": "[T](y) <script>"}
    write_summary(prepared, read_summary(prepared) | odd)
    cells = [{"cell_type": "markdown", "source": ["# A <b> of *all*\n", "\n", "Claim."]}]
    Path("notebooks/odd.ipynb").write_text(json.dumps({"cells": cells}))
    paths.EXHIBITS.mkdir(parents=True, exist_ok=True)
    (paths.EXHIBITS / "odd.html").touch()
    pages.build_index({"paper": ["odd"]}, ["embedded"])
    markdown, page = (
        (paths.REPORTS / name).read_text(encoding="utf-8") for name in ("README.md", "index.html")
    )
    assert r"## A \<b> of \*all\*" in markdown
    assert r"\*seen\* \<b>by\</b> \`x\`" in markdown
    assert not re.search(r"(?<!\\)(<b>|<script>|\[T\])", markdown)
    assert "<script>" not in page
    assert "<b>" not in page


def test_sections_are_those_of_params_in_their_order() -> None:
    listed = {"data": ["figure_1b"], "none": [], "paper": ["table_1"], "further_tests": ["audit"]}
    sections = contents.arrange(listed)
    assert [(section.anchor, section.title) for section in sections] == [
        ("data", "Data and environment"),
        ("paper", "The paper"),
        ("further_tests", "Further tests"),
    ]
    assert [[e.name for e in section.exhibits] for section in sections] == [
        ["figure_1b"], ["table_1"], ["audit"]
    ]  # fmt: skip


def test_the_front_page_says_how_much_was_run_and_what_the_numbers_rest_on(root: Path) -> None:
    text = (root / "reports/index.html").read_text(encoding="utf-8")
    assert "1 of the 15 methods of Table 1" in text
    assert '<span class="badge">SIMULATED</span>' in text
    order = ['id="verdict"', 'id="results"', 'id="map"', 'id="paper"']
    assert sorted(order, key=text.index) == order
    for name in EXHIBITS:
        assert f'href="exhibits/{name}.html"' in text


def test_formulas_of_a_claim_are_drawn_and_the_rest_is_escaped() -> None:
    html = formulas("a < b, $D = 1$")
    assert html.startswith("a &lt; b, <math")
    assert "$" not in html
