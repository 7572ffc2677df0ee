"""What the first steps of a method tell, and how they fail."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mgsl.documents import read_json
from mgsl.errors import UserError
from mgsl.processes import Workers
from mgsl.recipes import Plateau
from mgsl.tools import first_steps
from mgsl.tools.first_steps import Rehearsal
from tests import tiny

PAIRS = {"train": 1000, "val": 300, "test": 200}


def rehearsal(folder: Path, name: str = "drn", **changes: Any) -> Rehearsal:
    """Of a method at tiny sizes."""
    config = tiny.run_config(name, **changes.pop("config", {}))
    plain: dict[str, Any] = {
        "config": config, "prepared": folder, "notes": folder / "notes.json", "pairs": PAIRS,
        "vocabulary": 10, "device": "cpu", "threads": 1, "memory": None, "patience_s": 60.0,
    }  # fmt: skip
    return Rehearsal(**plain | changes)


def notes(one: Rehearsal) -> dict[str, Any]:
    tiny.prepare(one.prepared)
    first_steps.take(one)
    document: dict[str, Any] = read_json(one.notes)
    return document


@pytest.mark.parametrize("name", ["mgsl_net", "drn"])
def test_steps_and_hours_are_those_of_the_whole_dataset(tmp_path: Path, name: str) -> None:
    met = notes(rehearsal(tmp_path, name))
    assert (met["steps_per_epoch"], met["epochs"], met["doing"]) == (125, 2, "")
    assert met["host_gib"] > 0
    assert "device_gib" not in met
    least_s = met["evaluation_s"] * (2 * 300 + 200) / 10  # ten queries were answered
    if name == "mgsl_net":  # one stage
        assert met["hours"] == pytest.approx((met["step_s"] * 250 + least_s) / 3600)
    assert met["hours"] * 3600 > least_s
    assert "fails" not in met


def test_a_method_that_sees_no_video_has_no_steps(tmp_path: Path) -> None:
    met = notes(rehearsal(tmp_path, "prior", config={}))
    assert "step_s" not in met
    assert met["hours"] > 0


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("qspn", {"vocabulary": 11}, "outputs for vocabulary=10 words, and embedded has 11: "),
        ("drn", {"config": {"batch_size": 1001}, "drop_last": True}, "take a smaller batch_size"),
        ("drn", {"pairs": PAIRS | {"val": 0}}, "there are no validation queries"),
        ("drn", {"memory": 1000, "pairs": PAIRS | {"test": 10**9}}, "train fewer at once"),
    ],
)
def test_what_would_stop_the_training_is_told(
    tmp_path: Path,
    name: str,
    changes: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(first_steps, "limit_memory", lambda size: None)
    drop_last = changes.pop("drop_last", False)
    one = rehearsal(tmp_path, name, **changes)
    training = one.config.training.model_copy(update={"drop_last": drop_last})
    plateau = Plateau(kind="plateau", watch="loss", better="lower", patience=1, factor=0.5)
    schedule = plateau if not one.pairs["val"] else one.config.schedule
    config = one.config.model_copy(update={"training": training, "schedule": schedule})
    met = notes(Rehearsal(**vars(one) | {"config": config}))
    assert message in met["fails"]
    assert not met.get("memory")


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("shapes cannot be multiplied (3x4 and 5x6)\nmore"), False),
    ],
)
def test_an_error_of_a_step_is_noted_and_whether_it_is_one_of_memory(
    tmp_path: Path, error: Exception, memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(first_steps, "train_one_epoch", fail)
    met = notes(rehearsal(tmp_path))
    assert met["doing"] == first_steps.STEP
    assert met["memory"] is memory
    assert met["fails"].startswith(type(error).__name__)
    assert "more" not in met["fails"]


def test_the_first_batch_has_the_longest_queries() -> None:
    split = tiny.split(12)
    rows = first_steps.first_batch(split, 3)
    lengths = (split.words > 0).sum(1)
    assert sorted(lengths[rows]) == sorted(lengths)[-3:]
    assert len(first_steps.head(split, 5)) == len(first_steps.head(split, 5).videos) == 5


def test_words_are_counted_where_a_method_tells_them_apart() -> None:
    first_steps.refuse_words(10**6, tiny.run_config("drn"))
    first_steps.refuse_words(10, tiny.run_config("qspn"))
    with pytest.raises(UserError, match=r"correct data\.embedded\.vocabulary"):
        first_steps.refuse_words(11, tiny.run_config("qspn"))


def overreach() -> str:
    """What a process meets that takes more than it may."""
    first_steps.limit_memory(1 << 30)
    try:
        torch.ones(1 << 29)  # 2 GiB
    except RuntimeError as error:
        return str(error)
    return "nothing"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not count what is written")
def test_a_process_that_takes_more_than_it_may_meets_an_error_of_memory() -> None:
    with Workers(1) as worker:
        message = worker.submit(overreach).result()
    assert first_steps._OUT_OF_MEMORY.search(message)
