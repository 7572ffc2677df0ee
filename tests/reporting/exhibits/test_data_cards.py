"""Data cards tell of every dataset, in the words of the page on data and in counted numbers."""

from pathlib import Path

import pytest

from mgsl.data.datasets import DATASETS
from mgsl.errors import UserError
from mgsl.reporting.exhibits import data_cards
from tests.reporting import report_workspace

STUDIES = "reports/studies"
PAGE = """# Data

## `one`, `two`

**What it is.** A [paper](x.md) of
`words`.

**Terms.** None.

**Known flaws.**
- The *first*
  of them.
- The second.

## Else

**What it is.** Of nothing.
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"])
    return tmp_path


def test_paragraphs_are_read_by_their_subject_and_items_apart(tmp_path: Path) -> None:
    (tmp_path / "data.md").write_text(PAGE)
    sections = data_cards.prose(tmp_path / "data.md")
    points = [
        ("What it is", "A paper of words."),
        ("Known flaws", "The first of them."),
        ("Known flaws", "The second."),
    ]
    assert sections == {"one": points, "two": points}


def test_every_dataset_has_a_card_and_those_shown_come_first(root: Path) -> None:
    rows = data_cards.build(["embedded"], STUDIES).rows
    titles = list(dict.fromkeys(title for title, *_ in rows))
    assert len(titles) == len(DATASETS)
    assert titles[0] == "Embedded (embedded)"
    for title in titles:
        card = {point: text for name, point, text in rows if name == title}
        assert {"Data", "Features", "Pairs", "Terms"} <= card.keys(), title
        assert any(point.startswith("What") for point in card), title
        assert any("flaw" in point for point in card), title


def test_counts_stand_beside_the_papers(root: Path) -> None:
    rows = data_cards.build(["embedded"], STUDIES).rows
    pairs = {title: text for title, point, text in rows if point == "Pairs"}
    assert pairs["Embedded (embedded)"] == "2 train, 2 val, 2 test"
    counts = "10,146 train, 4,589 val, 4,083 test"
    assert pairs["TACoS, C3D (tacos_c3d)"] == f"{counts}; the paper’s TACoS: {counts}"
    kinds = {title: text for title, point, text in rows if point == "Data"}
    assert kinds["Embedded (embedded)"] == "SIMULATED features"
    assert kinds["Charades-STA, action timelines (charades_actions)"] == "real"


def test_a_dataset_that_the_page_does_not_tell_of_is_named(root: Path) -> None:
    (root / data_cards.PROSE).write_text("# Data\n")
    with pytest.raises(UserError, match=r"docs/data.md tells nothing of the dataset 'embedded'"):
        data_cards.build(["embedded"], STUDIES)
    (root / data_cards.PROSE).unlink()
    with pytest.raises(UserError, match=r"docs/data.md is missing"):
        data_cards.build(["embedded"], STUDIES)
