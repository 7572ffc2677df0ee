"""A study whose runs would be trained otherwise today is told by the names of these runs."""

from pathlib import Path

import pytest

from mgsl import paths
from mgsl.files import write_json
from mgsl.models import CONFIGS
from mgsl.reporting.read import kept_records
from mgsl.resolving import resolve_alone
from mgsl.studies import age
from tests.tiny import parameters


def test_a_changed_number_or_a_lost_run_makes_a_study_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = parameters()
    runs = resolve_alone(
        today, "embedded", CONFIGS, scale="embedded", methods=["ctrl", "mgsl_net"],
        ablations=["one_head"],
    ).runs  # fmt: skip
    monkeypatch.chdir(tmp_path)
    made = age.made_with(runs)
    for study, made_with in (("details", made), ("slots", made | {"gone": "x"})):
        write_json(paths.study(study, "embedded") / "about.json", {"made_with": made_with})
    write_json(paths.study("old", "embedded") / "about.json", {"changes": {"ctrl": {}}})
    assert age.outdated(today, CONFIGS) == {
        "slots": {"embedded": ["gone"]}, "old": {"embedded": ["ctrl"]},
    }  # fmt: skip
    changed = runs["ctrl"].model_copy(update={"batch_size": 63})
    about = {"made_with": made | age.made_with({"ctrl": changed})}
    write_json(paths.study("details", "embedded") / "about.json", about)
    ages = age.outdated(today, CONFIGS)
    assert ages["details"] == {"embedded": ["ctrl"]}
    write_json(paths.AGES, ages)
    line = kept_records.outdated("details")
    assert line.startswith("Made by earlier code or numbers: the studies details on embedded (1 of")
    assert kept_records.outdated("table_1") == ""


def test_a_study_that_does_not_tell_how_it_was_made_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = paths.study("lengths", "embedded") / "rows.csv"
    rows.parent.mkdir(parents=True)
    rows.write_text("dataset,name,seed\nembedded,ctrl,0\nembedded,ctrl,1\nembedded,drn,0\n")
    line = kept_records.outdated("training_curve")
    assert "the studies lengths on embedded (2 of its runs)" in line
    write_json(rows.parent / "about.json", {"made_with": {}})
    assert kept_records.outdated("training_curve") == ""
