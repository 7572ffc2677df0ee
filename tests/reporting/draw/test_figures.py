"""Figures show what the artefacts hold, in the same bytes each time; no text lies on another."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Annotation, Text

from mgsl.errors import UserError
from mgsl.reporting.draw import figures, style, timeline
from mgsl.reporting.exhibits import (
    embedded_dataset,
    figure_1a,
    figure_1b,
    figure_6,
    long_tail,
    training_curve,
)
from mgsl.reporting.read.results import Results
from mgsl.reporting.site import contents
from tests.reporting import report_workspace

EXHIBITS = [figure_1a, figure_1b, figure_6, long_tail, training_curve, embedded_dataset]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report_workspace.build(folder, ["embedded", "charades_actions"])
    return folder


@pytest.fixture(autouse=True)
def _inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_every_caption_says_what_is_simulated(exhibit: ModuleType) -> None:
    caption = exhibit.draw(["embedded", "charades_actions"]).caption
    assert "Embedded dataset (embedded): SIMULATED data" in caption
    assert "Charades-STA (charades_actions): real data; features: action timelines" in caption


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_drawing_twice_gives_the_same_bytes(suffix: str) -> None:
    first, second = (figures.render(figure_1a.draw(["embedded"]), suffix) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_no_text_lies_on_another_or_outside(exhibit: ModuleType) -> None:
    figure = exhibit.draw(["embedded"]).figure
    figure.draw_without_rendering()
    texts = [
        item.get_window_extent()
        for axes in figure.axes
        for item in (*axes.texts, axes.title, axes._left_title)
        if item.get_text() and (item.get_visible() or isinstance(item, Annotation))
    ]
    assert texts
    for index, box in enumerate(texts):
        assert box.x0 >= -1
        assert box.x1 <= figure.bbox.width + 1
        for other in texts[index + 1 :]:
            width = min(box.x1, other.x1) - max(box.x0, other.x0)
            height = min(box.y1, other.y1) - max(box.y0, other.y0)
            overlap = max(width, 0) * max(height, 0)
            smaller = min(box.width * box.height, other.width * other.height)
            assert overlap < 0.35 * smaller  # boxes hold more than their glyphs


def test_the_svg_is_whole_and_carries_its_caption(tmp_path: Path) -> None:
    drawing = figure_1b.draw(["embedded"])
    figures.save(drawing, str(tmp_path / "f"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.pdf", "f.png", "f.svg"]
    tree = ET.parse(tmp_path / "f.svg").getroot()
    described = tree.findtext(".//{http://purl.org/dc/elements/1.1/}description")
    assert described == drawing.description
    assert tree.find(".//{http://purl.org/dc/elements/1.1/}date") is None


def test_a_method_has_one_colour_in_every_figure() -> None:
    bars = timeline.answers(Results("embedded"), timeline.example(Results("embedded")))
    assert [bar.color for bar in bars] == [style.color("mgsl_net"), style.color("printed")]
    axes = figure_1b.draw(["embedded"]).figure.axes[1]
    assert to_hex(axes.lines[0].get_color()) == style.color("mgsl_net").lower()
    assert len(set(style.METHODS.values())) == len(style.METHODS)
    assert style.color("never_heard_of") == style.MUTED


def test_figure_1a_shows_the_first_rare_test_query_and_its_distractor() -> None:
    results = Results("embedded")
    query = timeline.example(results)
    assert query.sentence == "a man varnishes the red gargoyle"
    assert (
        timeline.rarest_word(results, query) == "rarest word: “varnishes”, never seen in training"
    )
    rows = [(bar.row, bar.text) for bar in timeline.truth(results, query)]
    assert rows == [
        ("queried moment", "man varnishes red gargoyle"),
        ("distractor", "man varnishes red box"),
        ("other event", "man lifts box"),
    ]
    assert timeline.answers(results, query)[0].text == "tIoU 0.78"


def test_without_known_events_the_annotated_moments_are_shown() -> None:
    results = Results("charades_actions")
    bars = timeline.truth(results, timeline.example(results))
    assert [(bar.start_s, bar.end_s) for bar in bars] == [(10.0, 18.0), (2.0, 8.0)]


def test_a_run_without_a_memory_has_no_lines_of_one() -> None:
    results = Results("embedded")
    curve = results.curve("mgsl_net", 0)
    lines = training_curve._lines(curve.filter(regex="^(epoch|loss)"), r"(video|query)_slot_rank")
    assert lines == {}
    without = curve.filter(regex="^(epoch|loss|val_R@1)").assign(loss_penalty=0.0)
    assert training_curve._lines(without, r"loss_(.+)") == {
        "loss_boundary": "boundary", "loss_confidence": "confidence", "loss_overlap": "overlap",
    }  # fmt: skip


def test_figure_6_shows_a_rare_and_a_common_query_and_says_what_was_not_run() -> None:
    results = Results("embedded")
    queries = figure_6.examples(results)
    assert [query.rare for query in queries] == [True, False]
    bars = {bar.row: bar for bar in figure_6.bars(results, queries[0])}
    assert list(bars) == ["ground truth", "2D-TAN", "DRN", "MGSL-Net"]
    assert bars["MGSL-Net"].text == "tIoU 0.78"
    assert bars["DRN"].text == figure_6.NOT_RUN
    assert "Not run on embedded (simulated): 2D-TAN, DRN." in figure_6.draw(["embedded"]).notes


def test_figure_6_scores_the_printed_examples_from_their_times() -> None:
    texts = [t.get_text() for axes in figure_6.draw(["embedded"]).figure.axes for t in axes.texts]
    # (80.57 - 63.74) over (82.08 - 60.63), and (73.33 - 58.81) over (74.52 - 58.15)
    assert "tIoU 0.78" in texts
    assert "tIoU 0.89" in texts
    assert texts.count("paper") == 2


def test_a_missing_training_is_named(root: Path) -> None:
    path = root / "artifacts/charades_actions/runs/printed/0/curve.csv"
    path.unlink()
    with pytest.raises(UserError, match=r"runs/printed/0/curve.csv is missing: run `dvc repro`"):
        training_curve.draw(["charades_actions"])


def test_a_statement_stands_before_its_figure_and_in_place_of_the_image() -> None:
    drawing = figure_1a.draw(["embedded"])
    page = figures.to_html(replace(drawing, statement="Rare costs < 5 & “more”."))
    assert page.startswith('<p class="statement">Rare costs &lt; 5 &amp; “more”.</p>')
    assert '<img alt="Rare costs &lt; 5 &amp; “more”." src=' in page
    assert contents.statement(page) == "Rare costs < 5 & “more”."


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_every_text_of_a_figure_can_be_read_on_white(exhibit: ModuleType) -> None:
    figure = exhibit.draw(["embedded"]).figure
    inks = {to_hex(text.get_color()) for text in figure.findobj(Text) if text.get_text()}
    assert all(style.contrast(to_rgb(ink)) >= 4.5 for ink in inks - {"#ffffff"}), inks


def test_a_pale_colour_is_darkened_for_text_and_a_dark_one_stays() -> None:
    assert style.contrast((0.0, 0.0, 0.0)) == pytest.approx(21)
    assert style.contrast(to_rgb(style.readable("#E69F00"))) >= 4.5
    assert style.readable(style.INK) == style.INK
    assert style.readable("white") == "#ffffff"


def test_one_colour_has_one_meaning() -> None:
    meanings = [*style.METHODS.values(), style.MOMENT, style.DISTRACTOR, style.EVENT, style.PEOPLE]
    meanings += [style.SUPPORTED, style.CONTRADICTED, style.GROUPS["rare"], style.GROUPS["common"]]
    meanings += style.SERIES
    assert len({ink.lower() for ink in meanings}) == len(meanings)


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_every_exhibit_states_its_result_with_a_number(exhibit: ModuleType) -> None:
    statement = exhibit.draw(["embedded"]).statement
    assert statement.endswith(".")
    assert any(letter.isdigit() for letter in statement) or "not measured" in statement


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_no_position_has_digits_in_which_processes_differ(exhibit: ModuleType) -> None:
    figure = exhibit.draw(["embedded"]).figure
    assert figure.get_layout_engine() is None
    places = [axes.get_position(original=True).get_points() for axes in figure.axes]
    places += [part.bbox_relative.get_points() for part in figure.subfigs]
    places += [np.array(text.get_position()) for part in figure.subfigs for text in part.texts]
    for place in places:
        assert np.array_equal(place, place.round(6))
