"""A rehearsal as a person sees it: a line for each method, advice, and nothing left behind."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mgsl import params, paths
from mgsl.errors import UserError
from mgsl.params import Params
from mgsl.tools import first_steps, rehearse
from mgsl.tools.first_steps import GIB
from mgsl.tools.rehearse import Machine
from tests import tiny
from tests.test_pipeline import few_videos


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The repository's params.yaml, in a folder with a few videos of the embedded dataset."""
    settings = params.load(paths.PARAMS)
    few_videos(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return settings


def run(settings: Params, *names: str, limit_s: float = 300.0, **changes: Any) -> bool:
    where = {"dataset": "embedded", "scale": "embedded", "device": "cpu"} | changes
    return rehearse.rehearse(settings, names=names, limit_s=limit_s, **where)


def test_each_method_has_its_line_and_one_that_fails_stops_no_other(
    settings: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    block = settings.models["cmin"]
    too_long = block.model_copy(
        update={"by_dataset": {}, "choices": block.choices | {"anchors": [17]}}
    )
    settings = settings.model_copy(update={"models": settings.models | {"cmin": too_long}})
    assert not run(settings, "prior", "cmin", "drn")
    text = capsys.readouterr().out
    assert "nothing of it is kept" in text
    assert re.search(r"^cmin +fails: .*anchors are longer than 16 clips", text, re.M | re.S)
    (drn,) = re.findall(r"^drn .*", text, re.M)
    numbers = drn.split()
    assert numbers[1] == "64"
    assert numbers[3] == "–"  # no device but the processor
    assert all(float(number.replace(",", "")) >= 0 for number in numbers[4:])
    assert re.search(r"^prior ", text, re.M)
    assert "2 of 3 can be trained here" in text
    assert not (Path.cwd() / paths.ARTIFACTS).exists()


def test_what_takes_too_long_is_stopped_and_no_failure(
    settings: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, "drn", limit_s=0.01)
    (line,) = re.findall(r"^drn .*", capsys.readouterr().out, re.M)
    assert "over 0" in line


def test_what_stops_the_stage_prepare_stops_the_rehearsal(
    settings: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path.cwd() / "data/annotations.jsonl").write_text("{}\n")
    assert not run(settings, "drn")
    assert "prepare fails: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "names", "message"),
    [
        ({"dataset": "nowhere"}, ("drn",), "no dataset 'nowhere'"),
        ({}, ("dnr",), "no method or ablation 'dnr'; did you mean 'drn'?"),
    ],
)
def test_an_unknown_name_is_refused(
    settings: Params, changes: dict[str, Any], names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        run(settings, *names, **changes)


def test_a_dataset_without_a_setting_is_refused(settings: Params) -> None:
    bare = settings.model_copy(update={"settings": {"embedded": {}}})
    with pytest.raises(UserError, match=r"no settings\.embedded for embedded"):
        run(bare, "drn")


def test_the_disk_has_room_for_all_features_once_prepared(
    settings: Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    assert not run(settings, "drn")
    assert re.search(r"prepare fails: the features of .* videos take", capsys.readouterr().out)


def test_memory_that_is_wanting_is_told_with_what_to_change() -> None:
    config, place = tiny.run_config("drn"), Machine("cpu", 2, 3 * GIB)
    met = {"memory": True, "doing": first_steps.STEP, "fails": "RuntimeError: cannot allocate"}
    text = rehearse.advice(met, config, place)
    assert "memory of 3.0 GiB is too small for a training step (RuntimeError" in text
    assert "training.micro_batches: 2 or more" in text
    assert "fewer trainings at once" in text
    later = rehearse.advice(
        met | {"doing": first_steps.EVALUATION}, config, Machine("cpu", 1, None)
    )
    assert "micro_batches" not in later  # they are of no help where nothing is learned
    assert "a batch_size below 8 in the recipe of drn" in later
    assert rehearse.advice({"fails": "width"}, config, place) == "width"


def test_a_line_says_what_is_not_known() -> None:
    config = tiny.run_config("drn")
    met = {"host_gib": 1.25, "step_s": 2.0, "steps_per_epoch": 1000, "epochs": 3, "hours": 1.7}
    line = rehearse.row(config, met | {"over": True, "doing": "an evaluation batch"}, 60.0)
    assert line.split() == [
        "drn", "8", "1.2", "–", "2.00", "over", "60", "1,000", "3", "over", "1.7",
    ]  # fmt: skip
    assert rehearse.row(config, {}, 60.0).split() == ["drn", "8", *7 * "–"]


def test_trainings_share_the_memory_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearse, "free_memory", lambda: 8 * GIB)
    monkeypatch.setattr(rehearse, "num_workers", lambda jobs: min(jobs, 4))
    assert rehearse.find_place("cpu", trainings=99) == Machine("cpu", 4, 2 * GIB)
    assert rehearse.find_place("cpu", trainings=1) == Machine("cpu", 1, 8 * GIB)
    monkeypatch.setattr(rehearse, "free_memory", lambda: None)
    assert rehearse.find_place("cpu", trainings=2) == Machine("cpu", 2, None)
