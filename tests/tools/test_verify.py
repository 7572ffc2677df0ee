"""The pipeline is run again in a copy, and what differs is named."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.tools import promise, verify
from mgsl.tools.agreement import Agreement
from mgsl.tools.verify import AGREES, DIFFERS, LACKING, NEW, Result

PIPELINE = {
    "stages": {
        "train": {"cmd": "python make.py", "deps": ["make.py"], "outs": ["artifacts/model.txt"]},
        "report": {
            "cmd": "python show.py",
            "deps": ["artifacts/model.txt", "show.py"],
            "outs": [
                {"reports/exhibits": {"cache": False, "persist": True}},
                {"reports/index.html": {"cache": False}},
            ],
        },
    }
}
MAKE = """from pathlib import Path
Path("artifacts").mkdir(exist_ok=True)
Path("artifacts/model.txt").write_text("weights")
"""
SHOW = """from pathlib import Path
Path("reports/exhibits").mkdir(parents=True, exist_ok=True)
for name in ("table_1.csv", "figure_1b.svg"):
    Path("reports/exhibits", name).write_text(Path("artifacts/model.txt").read_text())
Path("reports/index.html").write_text("front")
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository whose pipeline has run; scratch copies go beside it."""
    folder, scratch = tmp_path / "root", tmp_path / "scratch"
    for path in (folder, scratch):
        path.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    write_json(folder / "dvc.yaml", PIPELINE)  # JSON is YAML
    (folder / "make.py").write_text(MAKE)
    (folder / "show.py").write_text(SHOW)
    (folder / ".gitignore").write_text("/artifacts/\n")
    run("git", "init", "-q")
    run(sys.executable, "-m", "dvc", "init", "-q")
    run(sys.executable, "-m", "dvc", "repro", "-q")
    run("git", "add", "-A")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x")
    return folder


def test_what_agrees_and_what_differs_is_told_and_nothing_is_left(root: Path) -> None:
    said: list[str] = []
    assert verify.verify([], keep=False, say=said.append)
    assert said[-2:] == [
        "REPRODUCED: every result is the same bytes", "4 of 4 results agree to the byte"
    ]  # fmt: skip
    (root / "reports/exhibits/table_1.csv").write_text("by hand")
    (root / "reports/exhibits/old.csv").write_text("left")
    (root / "reports/exhibits/figure_1b.svg").unlink()
    said.clear()
    assert not verify.verify([], keep=False, say=said.append)
    assert "  reports/exhibits/table_1.csv differs" in said
    assert "  reports/exhibits/old.csv stands here, and was not made there" in said
    assert "  reports/exhibits/figure_1b.svg was made there, and stands not here" in said
    assert (root / "reports/exhibits/table_1.csv").read_text() == "by hand"
    assert not list((root.parent / "scratch").iterdir())


def test_code_as_it_is_now_is_run_and_a_target_restricts_it(root: Path) -> None:
    (root / "make.py").write_text(MAKE.replace("weights", "others"))
    said: list[str] = []
    assert not verify.verify(["train"], keep=True, say=said.append)
    assert "  make.py is not what train ran with" in said  # before anything is run
    assert said.index("  make.py is not what train ran with") == 1
    assert "0 of 1 results agree to the byte" in said
    assert said[-1] == "  artifacts/model.txt differs"
    (copy,) = (root.parent / "scratch").glob("*/copy")
    assert (copy / "artifacts/model.txt").read_text() == "others"
    assert not (copy / "reports").exists()


def test_a_failing_pipeline_is_a_users_error_and_cleans_up(root: Path) -> None:
    (root / "make.py").write_text("raise SystemExit(3)")
    with pytest.raises(UserError, match="the pipeline failed in the copy"):
        verify.verify([], keep=False, say=lambda line: None)
    assert not list((root.parent / "scratch").iterdir())


def test_an_interruption_cleans_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(copy: Path, *arguments: str) -> None:
        assert (copy / "make.py").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "reproduce", interrupted)
    with pytest.raises(KeyboardInterrupt):
        verify.verify([], keep=False, say=lambda line: None)
    assert not list((root.parent / "scratch").iterdir())


def test_without_git_or_lock_there_is_nothing_to_verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is not a git repository"):
        verify.verify([], keep=False)
    run("git", "init", "-q")
    with pytest.raises(UserError, match=r"dvc.lock is missing"):
        verify.verify([], keep=False)


def outcome(results: str, reasons: list[str], *measures: str) -> verify.Outcome:
    """Results by the first letter of their outcome, and measures by theirs."""
    known = {"a": AGREES, "d": DIFFERS}
    rows = [
        {"dataset": "embedded", "name": name, "group": "all", "metric": "mIoU", "mean": 0.5,
         "mean_after": 0.6, "noise": 0.01, "outcome": measure}
        for name, measure in enumerate(measures)
    ]  # fmt: skip
    table = pd.DataFrame(rows, dtype=object).astype({"mean": float, "mean_after": float})
    table = table.astype({"noise": float, "name": str})
    return verify.Outcome(
        [Result(f"file {place}", known[letter]) for place, letter in enumerate(results)],
        reasons, Agreement(table, ()), ["  memory (mIoU): supported -> undecided"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("results", "reasons", "measures", "good", "whole"),
    [
        ("aaa", ["no AVX2"], ["same"], True, "REPRODUCED: every result is the same bytes"),
        ("aad", [], ["within"], False, "NOT reproduced: other bytes, on a machine that should"),
        ("aad", ["no AVX2"], ["same", "within"], True, "REPRODUCED within the noise of training"),
        ("aad", ["no AVX2"], ["outside"] * 3, False, "NOT reproduced: other bytes, and results"),
        ("aad", ["no AVX2"], ["one training"], False, "NOT SHOWN: other bytes, and no noise"),
    ],
)
def test_the_first_line_is_the_verdict_of_the_whole(
    results: str, reasons: list[str], measures: list[str], good: bool, whole: str
) -> None:
    met = outcome(results, reasons, *measures)
    assert met.good is good
    first, second, *rest = met.lines()
    assert first.startswith(whole)
    assert second == f"{results.count('a')} of 3 results agree to the byte"
    if "d" in results:
        assert rest[-1] == "  file 2 differs"
        at = rest.index("verdicts of claims that changed: 1")
        assert rest[at + 1] == "  memory (mIoU): supported -> undecided"
        assert (f"this machine does not promise the bytes: {''.join(reasons)}" in rest) == bool(
            reasons
        )


def test_a_machine_without_the_promise_says_why(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "make.py").write_text(MAKE.replace("weights", "others"))
    reason = promise.Reason("this processor has no AVX2", "compare")
    monkeypatch.setattr(promise, "broken", lambda: [reason])
    said: list[str] = []
    assert not verify.verify(["train"], keep=False, say=said.append)
    assert "NOT SHOWN: other bytes, and nothing was evaluated" in said
    assert "this machine does not promise the bytes: this processor has no AVX2" in said


def test_outputs_are_compared_by_digest(tmp_path: Path) -> None:
    def lock(folder: str, **digests: str) -> Path:
        outs = [{"path": path.replace("_", "/"), "md5": md5} for path, md5 in digests.items()]
        (tmp_path / folder).mkdir()
        stages = {"stages": {"s": {"outs": outs}, "frozen": {"cmd": "x"}}}
        write_json(tmp_path / folder / "dvc.lock", stages)
        return tmp_path / folder

    here = lock("here", a_same="1", a_other="2", a_unused="3")
    there = lock("there", a_same="1", a_other="9", a_fresh="5")
    assert verify.compare(here, there) == [
        Result("a/same", AGREES), Result("a/other", DIFFERS), Result("a/fresh", NEW)
    ]  # fmt: skip
    assert LACKING not in {result.outcome for result in verify.compare(here, there)}


def test_a_study_is_compared_file_by_file(tmp_path: Path) -> None:
    for folder, rows in (("here", "1"), ("there", "2")):
        root = tmp_path / folder
        study = root / paths.study("slots", "embedded")
        study.mkdir(parents=True)
        (study / "means.csv").write_text(rows)
        (study / "about.json").write_text("{}")
    assert verify.compare(tmp_path / "here", tmp_path / "there") == []
    write_json(tmp_path / "there" / verify.STUDIES_LOCK, {"stages": {"study@slots_embedded": {}}})
    assert verify.compare(tmp_path / "here", tmp_path / "there") == [
        Result("reports/studies/slots/embedded/about.json", AGREES),
        Result("reports/studies/slots/embedded/means.csv", DIFFERS),
    ]
