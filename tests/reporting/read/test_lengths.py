"""Whether trainings are finished: twice the length, and what the reports say of it."""

from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.evaluation.metrics import VALIDATION
from mgsl.reporting.draw import tables
from mgsl.reporting.exhibits import training_curve
from mgsl.reporting.read import lengths
from mgsl.studies import trials
from tests import tiny
from tests.reporting import report_workspace


def test_the_epoch_kept_is_the_best_of_the_last_stage() -> None:
    config = tiny.run_config("drn", epochs=10)  # stages of 6, 2 and 2 epochs
    recall = [0.1, 0.2, 0.3, 0.9, 0.2, 0.1, 0.8, 0.5, 0.4, 0.3]
    curve = pd.DataFrame({"epoch": range(1, 11), "val_R@1, IoU=0.5": recall})
    assert trials.kept_epoch(curve, config)["epoch"] == 9
    flat = tiny.run_config("mgsl_net", epochs=10)
    assert trials.kept_epoch(curve, flat)["epoch"] == 4


def test_a_trial_that_is_done_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny.run_config()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trials, "digests", lambda prepared: {})
    monkeypatch.setattr(trials.fingerprint, "fingerprint", lambda *_: "digest")
    kept = paths.trial(config.dataset, config.name, 3, "digest")
    kept.parent.mkdir(parents=True)
    kept.write_text("epoch,loss\n1,0.5\n")
    assert trials.train((config, 3)).to_dict("list") == {"epoch": [1], "loss": [0.5]}


def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What twice the length adds, on the mean of two seeds: CTRL 0.9 points, DRN 1.1."""
    gains = {
        ("embedded", "ctrl"): 0.009, ("embedded", "drn"): 0.011,
        ("charades_actions", "ctrl"): 0.009,
    }  # fmt: skip
    monkeypatch.chdir(tmp_path)
    rows = [
        {"dataset": dataset, "name": name, "times": times, "seed": seed, "epochs": 10 * times}
        | dict.fromkeys(VALIDATION, 0.5 + 0.02 * seed + (times - 1) * gain)
        for (dataset, name), gain in gains.items()
        for times in (1, 2)
        for seed in (0, 1)
    ]
    report_workspace.keep("lengths", "rows", pd.DataFrame(rows))


def test_more_than_a_point_in_twice_the_length_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(tmp_path, monkeypatch)
    assert lengths.unfinished("embedded") == {"drn": pytest.approx(1.1)}
    table = training_curve.build()
    assert [block.title for block in table.columns[1:-1]] == [
        "IoU=0.5", "IoU=0.7", "rare, IoU=0.5",
    ]  # fmt: skip
    ctrl, drn, _ = table.rows
    assert [cell.text for cell in ctrl[1]][:3] == ["10", "51.0", "+0.9"]
    assert (ctrl[1][-1].text, drn[1][-1].text) == ("yes", "no")
    assert drn[0] == "DRN, embedded (simulated)"


def test_it_is_said_of_each_dataset_what_converged_and_what_gains_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(tmp_path, monkeypatch)
    assert training_curve.statement() == (
        "On embedded (simulated) 1 of 2 runs converged (CTRL); twice the length adds most to DRN, "
        "+1.1 points on validation. On charades_actions 1 of 1 runs converged."
    )


@pytest.mark.parametrize(
    ("dataset", "names", "said"),
    [
        (
            "embedded",
            ["ctrl", "drn"],
            "† not converged on embedded: twice the length adds 1.1 (DRN) p",
        ),
        ("embedded", ["ctrl", "prior"], ""),
        ("embedded", ["prior"], "Whether these trainings on embedded have converged was not"),
        ("tacos_planted", ["drn"], "Whether these trainings on tacos_planted have converged was"),
        ("charades_actions", ["ctrl", "drn"], "Not measured on charades_actions: DRN."),
    ],
)
def test_it_is_said_what_has_not_converged_and_what_was_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, names: list[str], said: str
) -> None:
    study(tmp_path, monkeypatch)
    sentence = lengths.sentence(dataset, names)
    assert said in sentence
    assert bool(sentence) == bool(said)
    assert ("adds 1.1 (DRN) points" in sentence) == ("drn" in names and dataset == "embedded")


def test_of_several_the_least_and_the_most_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(tmp_path, monkeypatch)
    monkeypatch.setattr(lengths, "FINISHED", 0.5)
    assert lengths.sentence("embedded", ["drn", "ctrl"]).endswith(
        "twice the length adds 0.9 (CTRL) to 1.1 (DRN) points on validation."
    )


def test_without_the_study_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert lengths.unfinished("embedded") == {}
    assert "not measured" in training_curve.build().caption
    tables.save(training_curve.build(), "empty")
