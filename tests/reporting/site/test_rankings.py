"""The front page's table: real data first, best first, the paper's numbers apart from ours."""

import shutil
from pathlib import Path

import pytest

from mgsl import paths
from mgsl.reporting.read import kept_records
from mgsl.reporting.site import rankings
from mgsl.reporting.site.rankings import Ranking
from tests.reporting import report_workspace


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        names = ("mgsl_net", "printed", "attention_only", "drn")
        report_workspace.build(folder, ["embedded"], names=names)
    return folder


@pytest.fixture(autouse=True)
def _inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def of(dataset: str) -> Ranking:
    return next(one for one in rankings.build(["embedded"]) if one.dataset == dataset)


def column(ranking: Ranking, place: int) -> dict[str, str]:
    return {name: cells[place].text for name, cells in ranking.table.rows}


def test_real_data_comes_first_then_what_was_run_then_what_was_studied() -> None:
    order = [(one.dataset, one.simulated, one.exhibit) for one in rankings.build(["embedded"])]
    assert order == [
        ("charades_actions", False, "other_datasets"),
        ("embedded", True, "table_1"),
        ("tacos_planted", True, "other_datasets"),
    ]


def test_rows_are_sorted_by_recall_and_the_paper_s_own_comes_last() -> None:
    recall = column(of("embedded"), 0)
    numbers = [float(text) for text in list(recall.values())[:-1]]
    assert numbers == sorted(numbers, reverse=True)
    assert list(recall)[-1] == "MGSL-Net (paper)"
    assert recall["MGSL-Net (paper)"] == "–"
    assert "MGSL-Net (repaired), without its memories" in recall


def test_printed_numbers_stand_in_columns_and_a_row_of_their_own() -> None:
    ranking = of("embedded")
    whose = [block.ours for block in ranking.table.columns]
    assert whose == sorted(whose, reverse=True)
    assert [block.title.partition(":")[0] for block in ranking.table.columns] == [
        "ours", "ours", "paper, ActivityNet Captions (C3D)"
    ]  # fmt: skip
    assert ranking.table.columns[2].names == ("R@1, IoU=0.5", "rare", "common", "R@1, IoU=0.7")
    paper = column(ranking, 4)
    assert (paper["MGSL-Net (paper)"], paper["DRN"]) == ("51.9", "45.5")
    assert (paper["MGSL-Net (repaired)"], paper["MGSL-Net (literal)"]) == ("–", "–")


def test_the_best_of_each_column_is_marked() -> None:
    ranking = of("charades_actions")
    rows = [name for name, _ in ranking.table.rows]
    ours = len(rankings.COLUMNS)
    best = {column: rows[row] for row, column in ranking.table.best}
    for place in range(ours):
        shown = {name: text for name, text in column(ranking, place).items() if text != "–"}
        assert best[place] == max(shown, key=lambda name: float(shown[name]))
    assert best[ours] == "MGSL-Net (paper)"


def test_rare_and_common_are_those_of_the_row_with_what_the_paper_prints() -> None:
    ranking = of("charades_actions")
    strips = dict(zip((name for name, _ in ranking.table.rows), ranking.strips, strict=True))
    assert strips["DRN"].printed == (22.46, 48.29)
    assert f"{strips['DRN'].rare:.1f}" == column(ranking, 1)["DRN"]
    assert strips["MGSL-Net (paper)"].rare is None
    assert strips["TGN"].printed is None


def test_epochs_and_seeds_are_those_of_the_study_or_of_the_runs() -> None:
    studied, run = (" ".join(of(name).how) for name in ("tacos_planted", "embedded"))
    epochs = kept_records.record("methods")["tacos_planted"]["epochs"]
    assert f"{epochs} epochs." in studied
    assert "One training of each (seed 0)" in studied
    assert "10 epochs." in run
    assert "(seed 0)" in run


def test_without_a_kept_study_there_is_what_was_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["charades_actions"])
    shutil.rmtree(paths.STUDIES / "methods")
    assert [one.dataset for one in rankings.build(["charades_actions"])] == ["charades_actions"]
