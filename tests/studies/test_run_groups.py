"""Readings and slots: what was studied is shown, what was not says so."""

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from mgsl import paths
from mgsl.evaluation.metrics import METRICS
from mgsl.files import write_json
from mgsl.reporting.draw import effects
from mgsl.reporting.draw.tables import DASH, Cell
from mgsl.reporting.exhibits import details, memories, other_datasets, readings, slots
from mgsl.reporting.read.kept_runs import RunStudy, of_readings, of_slots
from tests.reporting import report_workspace

READINGS = {
    "mgsl_net": (128, 0.0, 0.0, 0.0),
    "own_last": (128, -0.01, -0.03, 0.01),
    "half_width": (128, 0.02, 0.01, 0.03),
    "nms_none": (128, 0.0, 0.0, 0.0),
}
SWEEP = {
    "slots_2048": (2048, 0.01, -0.01, 0.03),
    "mgsl_net": (128, 0.0, 0.0, 0.0),
    "slots_64": (64, -0.04, -0.06, -0.02),
    "nms_fixed": (128, 0.0, 0.0, 0.0),
}


@pytest.fixture
def _studied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, runs in (("readings", READINGS), ("slots", SWEEP)):
        report_workspace.keep(name, "means", report_workspace.study(runs))
    changes = {"half_width": {"dim": 32}}
    about = {"changes": changes, "epochs": 3, "seeds": [0, 1, 2], "features": "made up"}
    write_json(paths.study("readings", "embedded") / "about.json", about)


@pytest.mark.usefixtures("_studied")
def test_the_table_has_what_a_reading_reaches_and_what_it_changes() -> None:
    table = readings.build(["embedded"])
    rows = dict(table.rows)
    assert [block.title for block in table.columns] == [
        f"ours: embedded (simulated), 3 epochs, seeds 0–2, {metric}" for metric in METRICS
    ]
    cells = next(cells for name, cells in table.rows if "half" in name.lower())
    assert cells[:2] == (Cell("52.0 ± 1.0", "47.0–57.0"), Cell("+2.0 ± 1.0", "[+1.0, +3.0]"))
    base = next(cells for name, cells in rows.items() if "repaired" in name)
    assert [cell.text for cell in base[1:4]] == [DASH] * 3
    tidy = table.tidy.set_index("name")
    assert set(tidy.loc["half_width", "changes"]) == {"dim: 32"}
    assert "SIMULATED" in table.notes
    assert "features: made up; 2 test queries; mean over 3 trainings; 3 epochs" in table.notes


@pytest.mark.usefixtures("_studied")
def test_the_readings_that_gain_most_are_on_top_and_rules_of_nms_are_left_out() -> None:
    assert effects._sorted(of_readings(), "embedded") == ["half_width", "own_last"]
    axes = readings.draw(["embedded"]).figure.axes[0]
    assert len(axes.get_yticks()) == 2


@pytest.mark.usefixtures("_studied")
def test_several_studies_are_shown_as_one() -> None:
    more = {"mgsl_net": (64, 0.3, 0.3, 0.3), "iou_gradient": (128, 0.05, 0.01, 0.09)}
    table = report_workspace.study(more).assign(trainings=1)
    report_workspace.keep("more_readings", "means", table)
    study = RunStudy("readings", ("more_readings",), title="", lead="")
    assert effects._sorted(study, "embedded") == ["iou_gradient", "half_width", "own_last"]
    base = study.row("embedded", "mgsl_net", "all", "R@1, IoU=0.5")
    assert base is not None
    assert base["slots"] == 128
    assert "mean over 1 to 3 trainings" in study.caption("embedded")


@pytest.mark.usefixtures("_studied")
def test_a_sweep_is_sorted_by_slots_and_names_its_default() -> None:
    study = of_slots()
    rows = study.sweep("embedded", "rare", "R@1, IoU=0.5")
    assert rows["slots"].tolist() == [64, 128, 2048]
    assert rows["value"].tolist() == pytest.approx([46.0, 50.0, 51.0])
    assert study.default_slots("embedded") == 128
    drawn = slots.draw(["embedded"])
    labels = [text.get_text() for text in drawn.figure.axes[2].get_xticklabels()]
    assert labels == ["64", "128", "2,048"]
    assert "SIMULATED" in drawn.notes


@pytest.mark.usefixtures("_studied")
def test_a_dataset_that_was_not_studied_is_named_beside_those_that_were() -> None:
    caption = readings.draw(["charades_actions", "embedded"]).caption
    assert "Not run on charades_actions (see studies/params.yaml)." in caption
    assert "Embedded (embedded): SIMULATED data" in slots.draw(["charades_actions"]).notes


def test_without_a_study_the_page_says_that_it_was_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for drawing in (readings.draw(["embedded"]), slots.draw(["embedded"])):
        assert drawing.caption == "Not run on embedded (see studies/params.yaml)."
    table = readings.build(["embedded"])
    assert table.rows == ()
    assert "Not run on embedded" in table.caption


def test_a_memory_has_content_where_zeroing_and_shuffling_both_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert memories.draw(["embedded"]).caption.startswith("Not run on embedded")
    damages = {"mgsl_net": (0.48, 0.44), "keys_written": (0.5, 0.4), "attention_only": (None, None)}
    rows = [
        {"dataset": "embedded", "name": name, "seed": seed}
        | {
            f"{label}, {metric}": value if value is None else value + seed / 100
            for metric in METRICS
            for label, value in (
                ("intact", 0.5), ("zeroed", zeroed), ("shuffled", shuffled), ("initial", shuffled),
            )
        }
        | {f"{side}_slot_rank": 0.25 for side in ("video", "query")}
        | {f"{side}_used_slots": 0.25 for side in ("video", "query")}
        for name, (zeroed, shuffled) in damages.items()
        for seed in (0, 1, 2)
    ]  # fmt: skip
    report_workspace.keep("memories", "validation", pd.DataFrame(rows))
    runs = dict.fromkeys(damages, (128, 0.0, 0.0, 0.0))
    report_workspace.keep("memories", "means", report_workspace.study(runs))
    table = memories.summary().set_index("name")
    assert table["content"].to_dict() == {
        "mgsl_net": True, "keys_written": False, "attention_only": False,
    }  # fmt: skip
    assert table.loc["mgsl_net", "intact, R@1, IoU=0.7"] == pytest.approx(51)
    assert table.loc["mgsl_net", "high, R@1, IoU=0.5"] == pytest.approx(52)
    assert memories.choice(memories.summary()) == "mgsl_net"
    drawn = memories.draw(["embedded"])
    assert "SIMULATED" in drawn.notes
    assert drawn.statement == (
        "The rule recommends “MGSL-Net (repaired)”, whose memory holds content on 1 of 1 datasets."
    )
    held = [text.get_text() for text in drawn.figure.axes[2].texts]
    assert held.count("yes") == 1
    assert {"0.2 / 0.2", "25 / 25"} <= set(held)


def test_the_rule_prefers_content_then_recall_and_wants_every_dataset() -> None:
    rows = [
        ("a", "mgsl_net", True, 40.0), ("b", "mgsl_net", False, 40.0),
        ("a", "own_last", True, 30.0), ("b", "own_last", False, 52.0),
        ("a", "attention_only", False, 90.0), ("b", "attention_only", False, 90.0),
        ("a", "keys_written", True, 99.0),
    ]  # fmt: skip
    means = pd.DataFrame(rows, columns=["dataset", "name", "content", "intact, R@1, IoU=0.5"])
    means["intact, R@1, IoU=0.7"] = means["intact, R@1, IoU=0.5"]
    assert memories.choice(means) == "own_last"
    assert "that is not the repaired reading" in memories._verdict(means)
    means.loc[1, "content"] = True
    assert memories.choice(means) == "mgsl_net"


@pytest.mark.parametrize("exhibit", [readings, details, memories, other_datasets])
@pytest.mark.parametrize("kind", ["draw", "build"])
def test_each_exhibit_shows_the_study_that_it_is_named_for(
    exhibit: ModuleType, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = exhibit.__name__.rpartition(".")[2].replace("other_datasets", "methods")
    report_workspace.keep(name, "means", report_workspace.study(READINGS))
    assert "Not run" not in getattr(exhibit, kind)(["embedded"]).caption
    assert "Not run on tacos_planted" in getattr(exhibit, kind)(["tacos_planted"]).caption
