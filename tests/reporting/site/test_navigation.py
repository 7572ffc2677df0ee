"""Every page leads to every other, to the one before it and to the next."""

import pytest

from mgsl.reporting.site import navigation
from tests import ROOT

EXHIBITS = {"paper": ["table_1", "figure_1b"], "none": [], "data": ["environment"]}


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def names(here: str) -> tuple[str | None, str | None]:
    around = navigation.around(here, EXHIBITS)
    before, after = around.previous, around.next
    return (before.name if before else None, after.name if after else None)


def test_one_follows_the_other_from_the_front_page_to_the_last_across_sections() -> None:
    assert names(navigation.FRONT) == (None, "table_1")
    assert names("table_1") == (None, "figure_1b")
    assert names("figure_1b") == ("table_1", "environment")
    assert names("environment") == ("figure_1b", None)


def test_the_first_exhibit_follows_the_front_page() -> None:
    places = [navigation.around(name, EXHIBITS) for name in ("index", "table_1", "figure_1b")]
    assert [one.is_front for one in places] == [True, False, False]
    assert [one.is_first for one in places] == [False, True, False]


def test_a_page_that_no_list_has_stands_beside_none() -> None:
    assert names("figure_7") == (None, None)


def test_the_list_has_every_exhibit_by_its_section_and_leaves_out_empty_ones() -> None:
    around = navigation.around("table_1", EXHIBITS)
    assert [title for title, _ in around.sections] == ["The paper", "Data and environment"]
    assert [step.short for _, steps in around.sections for step in steps] == [
        "Table 1", "Figure 1b", "Environment"
    ]  # fmt: skip
