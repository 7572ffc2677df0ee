"""Tables 3, 4 and 5 hold what is printed and what was run, and differences query by query."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mgsl.reporting.draw import ablations, tables
from mgsl.reporting.draw.tables import CHECK, DASH, Cell, Table
from mgsl.reporting.exhibits import table_3, table_4, table_5
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import FULL
from tests.reporting import report_workspace

RUN = ("mgsl_net", "memory_only", "attention_only")  # the second misses the common query


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"], names=RUN)


def row(table: Table, name: str) -> tuple[Cell, ...]:
    return dict(table.rows)[ablations._ALL_PARTS if name == FULL else published.title(name)]


@pytest.mark.parametrize(
    ("number", "build", "rows", "switches"),
    [(3, table_3.build, 4, 2), (4, table_4.build, 7, 6), (5, table_5.build, 4, 3)],
)
def test_rows_and_switches_are_those_of_the_printed_table(
    number: int, build: Callable[[Sequence[str]], Table], rows: int, switches: int
) -> None:
    table = build(["embedded"])
    assert len(table.rows) == rows
    printed = published.ablations(number)
    for name, (_, cells) in zip(printed.index, table.rows, strict=True):
        checked = [cell.text == CHECK for cell in cells[:switches]]
        assert checked == [bool(on) for on in printed.loc[name].iloc[:switches]]
        assert cells[switches].text == f"{printed.loc[name, 'r1_iou0.5']:.2f}"
    assert all(cell.text == CHECK for cell in row(table, "mgsl_net")[:switches])


def test_the_printed_difference_to_the_full_model_is_of_printed_numbers() -> None:
    cells = row(table_3.build(["embedded"]), "attention_only")
    assert [cell.text for cell in cells[2:6]] == ["46.19", "−5.68", "25.73", "−5.69"]


def test_our_difference_to_the_full_model_is_paired() -> None:
    cells = row(table_3.build(["embedded"]), "memory_only")
    everything, rare, common = cells[6:10], cells[10:14], cells[14:18]
    assert everything[1].text == "−50.0"  # one of the two test queries
    assert rare[1] == Cell("+0.0", "[+0.0, +0.0]")
    assert common[1] == Cell("−100.0", "[−100.0, −100.0]")
    assert everything[0] == Cell("45.0", "42.0–48.0")  # from metrics.csv


def test_what_was_not_run_is_a_dash_that_says_why() -> None:
    table = table_3.build(["embedded"])
    dashes = row(table, "baseline")[6:]
    assert {cell.text for cell in dashes} == {DASH}
    assert {cell.reason for cell in dashes} == {"baseline was not run on embedded"}
    assert row(table, "mgsl_net")[7].reason == "the full model itself"
    assert 'title="baseline was not run on embedded">–</td>' in tables.to_html(table)
    tidy = table.tidy
    assert tidy[(tidy["name"] == "baseline") & tidy["simulated"]]["ours_percent"].isna().all()


def test_without_the_full_model_nothing_is_compared_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again"
    again.mkdir()
    monkeypatch.chdir(again)
    report_workspace.build(again, ["charades_actions"], names=("memory_only",))
    cells = row(table_5.build(["charades_actions"]), "memory_only")
    assert cells[7].text == "55.0"
    assert cells[8] == Cell(reason="the full model was not run on charades_actions")


def test_no_gap_stands_where_data_is_not_the_papers() -> None:
    table = table_4.build(["embedded"])
    assert not any("gap" in block.names for block in table.columns)
    assert "No gap to the paper is given for embedded (simulated)" in table.notes
    assert table.tidy["gap_points"].isna().all()


def test_several_seeds_show_their_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = tmp_path / "again"
    again.mkdir()
    monkeypatch.chdir(again)
    report_workspace.build(again, ["embedded"], names=RUN, seeds=(0, 1, 2))
    table = table_3.build(["embedded"])
    assert row(table, "memory_only")[6].text == "46.0 ± 1.0"
    assert "with separate trainings of each configuration" in table.notes
    assert table.tidy["to_full_sd"].dropna().eq(0).all()
    assert set(table.tidy["trainings"].dropna()) == {3}
    assert table.tidy["to_full_better"].dropna().between(0, 1).all()


def test_latex_needs_no_package_for_check_marks() -> None:
    text = tables.to_latex(table_4.build(["embedded"]))
    assert CHECK not in text
    assert r"$\surd$" in text
