"""A page of a kept study tells how that study was made, not how runs are made today."""

from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.files import write_json
from mgsl.reporting.read import kept_records, stamps
from tests.reporting import report_workspace

RECORD = {
    "scale": "embedded", "seeds": [0, 1, 2], "epochs": 3, "batch_size": 32, "learning_rate": 0.001,
    "num_clips": 32, "commit": "abc", "changes": {},
    "evaluation": {"strict": False, "nms": "per_metric", "confidence": 0.95},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = report_workspace.study({"mgsl_net": (64, 0.0, 0.0, 0.0)})
    real = table.assign(dataset="charades_actions", queries=3720)
    report_workspace.keep("slots", "means", pd.concat([table, real]))
    one = RECORD | {"seeds": [0], "epochs": 8}
    write_json(paths.study("slots", "embedded") / "about.json", RECORD)
    write_json(paths.study("slots", "charades_actions") / "about.json", one)


def test_each_dataset_has_the_seeds_and_epochs_of_its_own_record() -> None:
    first, second = map(dict, kept_records.stamps("slots"))
    assert first["Seeds"] == "0, 1, 2"
    assert first["Schedule"].startswith("3 epochs, batch 32")
    assert (first["Data"], second["Data"]) == ("SIMULATED", "real")
    assert second["Seeds"] == "0"
    assert second["Schedule"].startswith("8 epochs")
    assert second["Queries"] == "3,720 test queries"
    assert first["Scored"] == "A hit is tIoU >= m in seconds, after NMS at m - 0.05; 95% intervals"


def test_what_a_study_shows_is_said_to_be_simulated_where_it_is() -> None:
    sources = {source.dataset: source.simulated for source in kept_records.sources("slots")}
    assert sources == {"embedded": True, "charades_actions": False}
    assert kept_records.sources("table_1") == []
    assert kept_records.shown_in("charades_actions") == ["slots", "claims"]


def test_a_page_of_a_study_alone_rests_on_no_runs_at_hand() -> None:
    assert stamps.sources_of("slots", ["embedded"]) == []
    assert [source.dataset for source in stamps.sources_of("claims", ["embedded"])] == ["embedded"]
    assert [source.dataset for source in stamps.sources_of("table_1", ["embedded"])] == ["embedded"]


def test_a_study_without_a_record_says_what_its_rows_say() -> None:
    rows = [
        {"dataset": "embedded", "name": "printed", "seed": 0, "step": step} for step in (0, 256)
    ]
    report_workspace.keep("collapse", "rows", pd.DataFrame(rows))
    (stamp,) = map(dict, kept_records.stamps("collapse"))
    assert (stamp["Seeds"], stamp["Steps"], stamp["Data"]) == ("seed 0", "up to 256", "SIMULATED")


@pytest.mark.parametrize(
    ("seeds", "words"), [([0], "seed 0"), ([0, 1, 2], "seeds 0–2"), ([1, 4], "seeds 1, 4")]
)
def test_seeds_in_words(seeds: list[int], words: str) -> None:
    assert kept_records.seeds_in_words(seeds) == words
