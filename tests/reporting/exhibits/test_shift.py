"""What is left of recall on the other test of Charades-CD, with the interval of the difference."""

import math
from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.evaluation.metrics import METRICS
from mgsl.files import write_json
from mgsl.reporting.exhibits import shift
from tests.reporting import report_workspace

RECALL = {shift.ALIKE: {"drn": 0.2, "ctrl": 0.1}, shift.ELSEWHERE: {"drn": -0.1, "ctrl": 0.0}}


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def keep() -> None:
    """Keep a study in which a method scores half and the given difference."""
    about = {"changes": {}, "epochs": 8, "seeds": [0, 1, 2], "features": "made up"}
    for dataset, runs in RECALL.items():
        rows = report_workspace.study({name: (0, d, d, d) for name, d in runs.items()})
        report_workspace.keep("shift", "means", rows.assign(dataset=dataset))
        write_json(paths.study("shift", dataset) / "about.json", about)


def test_what_is_lost_has_the_interval_of_independent_numbers() -> None:
    keep()
    rows = shift.table()
    assert rows["name"].drop_duplicates().tolist() == ["ctrl", "drn"]  # by what is left elsewhere
    drn = rows[(rows["name"] == "drn") & (rows["metric"] == METRICS[0])].iloc[0]
    half = math.hypot(5, 5)
    assert drn[["alike", "elsewhere", "difference"]].tolist() == pytest.approx([70, 40, -30])
    assert drn["difference_low"] == pytest.approx(-30 - half)
    assert drn["difference_high"] == pytest.approx(-30 + half)
    assert drn["left"] == pytest.approx(100 * 40 / 70)


def test_the_table_and_the_figure_say_it() -> None:
    keep()
    table = shift.build(["embedded"])
    cells = dict(table.rows)["DRN"][:4]
    assert [cell.text for cell in cells] == ["70.0 ± 1.0", "40.0 ± 1.0", "−30.0", "57"]
    drawn = shift.draw(["embedded"])
    assert "CTRL 83 % (−10.0 [−17.1, −2.9]) and DRN 57 % (" in drawn.statement
    labels = [text.get_text() for text in drawn.figure.axes[0].get_yticklabels()]
    assert labels == ["CTRL", "DRN"]


def test_with_one_test_alone_nothing_is_compared() -> None:
    keep()
    (paths.study("shift", shift.ALIKE) / "means.csv").unlink()
    assert shift.table().empty
    assert "Not run on charades_cd_iid_actions" in shift.draw([]).caption
    assert isinstance(shift.build([]).tidy, pd.DataFrame)
