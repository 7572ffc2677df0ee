"""A stamp tells the schedule of each method, the slots, and the numerics, in few words."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mgsl import numerics, paths
from mgsl.reporting.read import stamps
from mgsl.reporting.read.results import Results
from tests.reporting import report_workspace

NAMES = ("prior", "tgn", "mgsl_net", "printed", "baseline", "memory_only", "memory_v")
KEPT = numerics.PROMISE


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"], names=NAMES, seeds=(0, 1))
    for name in ("prior", "tgn"):
        change(name, method=name, model={})
    for name in NAMES[2:]:
        change(name, model={"video_slots": 128, "query_slots": 64})
    yield
    numerics.current.cache_clear()


def change(name: str, **changes: Any) -> None:
    path = paths.config("embedded", name)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def stamp() -> dict[str, str]:
    return dict(stamps.of_source(Results("embedded")))


def test_methods_that_share_a_schedule_stand_together() -> None:
    falling = {"kind": "linear", "warmup_steps": 20, "initial_rate": 0.0, "count_from": 1}
    change("tgn", epochs=8, batch_size=64, learning_rate=0.003, schedule=falling)
    for name in NAMES[2:]:
        change(name, epochs=8, batch_size=32, learning_rate=0.001, schedule={"kind": "constant"})
    assert stamp()["Schedule"] == (
        "prior: fitted once, no schedule; tgn: 8 epochs, batch 64, learning rate 0.003, "
        "warm-up over 20 steps, then falling (linear); "
        "mgsl_net and 4 ablations: 8 epochs, batch 32, learning rate 0.001"
    )
    assert stamp()["Slots"] == "mgsl_net and 4 ablations: 128 for videos, 64 for queries"


def test_an_ablation_with_a_schedule_or_slots_of_its_own_is_named() -> None:
    change("printed", epochs=3)
    change("memory_v", model={"video_slots": 512, "query_slots": 512})
    assert "; printed: 3 epochs, " in stamp()["Schedule"]
    assert stamp()["Slots"].endswith("; memory_v: 512 for videos, 512 for queries")


def test_ablations_are_counted_beside_their_own_method_alone() -> None:
    for name in NAMES[4:]:
        change(name, method="gdp")
    schedule = stamp()["Schedule"]
    assert "printed, baseline, memory_only, memory_v: " in schedule


def test_without_memories_no_slots_are_told() -> None:
    for name in NAMES:
        change(name, model={})
    assert "Slots" not in stamp()


def test_numerics_are_those_of_the_checkpoints() -> None:
    assert stamp()["Numerics"] == KEPT
    assert stamps.unpromised([list(stamp().items())]) == []
    late = f"{numerics.BROKEN}: numpy had been loaded before mgsl"
    report_workspace.checkpoint(paths.run("embedded", "tgn", 1), late)
    (paths.run("embedded", "prior", 0) / numerics.CHECKPOINT).unlink()
    assert (
        stamp()["Numerics"] == f"{KEPT}; but prior, seed 0: not recorded; but tgn, seed 1: {late}"
    )
    assert stamps.unpromised([list(stamp().items())]) == [stamp()["Numerics"]]


def test_a_page_drawn_without_the_promise_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stamps.of_process() == []
    monkeypatch.setenv(numerics.SWITCH, numerics.NATIVE)
    numerics.current.cache_clear()
    (line,) = stamps.unpromised([stamps.of_process()])
    assert line.startswith("of this page: NOT reproducible to the byte: MGSL_NUMERICS=native")


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert stamps.commit() == "unknown"


def test_the_stamp_is_of_the_last_commit_that_changed_what_reports_are_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    assert stamps.commit() == "unknown"
    for date, name in (("2001-02-03", "params.yaml"), ("2004-05-06", "reports.html")):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{date}T04:05:06Z")
        Path(name).touch()
        subprocess.run(["git", "add", name], check=True)
        author = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *author, "commit", "-q", "-m", "x"], check=True)
    assert re.fullmatch(r"[0-9a-f]{10}, 2001-02-03", stamps.commit())
