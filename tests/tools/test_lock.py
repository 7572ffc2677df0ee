"""The committed dvc.lock is of this tree; one that is not is told file by file."""

import subprocess
import sys
from pathlib import Path

import pytest

from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.tools import lock

PIPELINE = {
    "stages": {
        "train": {
            "matrix": {"dataset": "${datasets}", "name": ["a", "b"]},
            "cmd": "python make.py ${item.dataset} ${item.name}",
            "deps": ["code", "make.py"],
            "outs": ["artifacts/${item.dataset}/${item.name}"],
        },
        "report": {
            "cmd": "python show.py",
            "params": ["rates.slow"],
            "deps": ["artifacts/small/a", "show.py"],
            "outs": [{"shown.txt": {"cache": False}}],
        },
    }
}
MAKE = """import sys
from pathlib import Path
Path("artifacts", sys.argv[1]).mkdir(parents=True, exist_ok=True)
Path("artifacts", *sys.argv[1:]).write_text("made")
"""
LEFT_OVER = """  old@small:
    cmd: python old.py
    deps:
    - path: code
      md5: 1.dir
"""


def test_the_committed_lock_fits_the_tree() -> None:
    """Reports that are older than the code cannot be committed unseen."""
    misfits = lock.misfits()
    assert not misfits, "\n".join(misfits)


def git(*command: str) -> None:
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *author, *command], check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose pipeline was run, and committed with its lock."""
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "dvc.yaml", PIPELINE)  # JSON is YAML
    (tmp_path / "params.yaml").write_text("datasets: [small]\nrates: {slow: 0.00001}\n")
    (tmp_path / "make.py").write_text(MAKE)
    (tmp_path / "show.py").write_text('open("shown.txt", "w").write("shown")\n')
    (tmp_path / "code/deep").mkdir(parents=True)
    for name in ("b.py", "a.py", "deep/c.py"):
        (tmp_path / "code" / name).write_text(name)
    (tmp_path / ".gitignore").write_text("/artifacts/\n")
    (tmp_path / ".dvcignore").touch()
    git("init", "-q")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q"], check=True, capture_output=True)
    subprocess.run([*dvc, "repro", "-q"], check=True, capture_output=True)
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    return tmp_path


def test_what_dvc_has_just_run_fits(tree: Path) -> None:
    assert lock.misfits() == []
    assert sorted(lock.expanded()) == ["report", "train@small-a", "train@small-b"]


def test_a_changed_file_is_named_with_the_stages_that_it_concerns(tree: Path) -> None:
    (tree / "code/deep/c.py").write_text("changed")
    (tree / "show.py").write_text("changed")
    (tree / "params.yaml").write_text("datasets: [small]\nrates: {slow: 0.1}\n")
    assert lock.misfits() == [
        "code/deep/c.py is not what train@small-a and 1 more ran with",
        "show.py is not what report ran with",
        "params.yaml: rates.slow is not what report ran with",
    ]


def test_a_file_that_was_added_or_is_gone_changes_its_folder(tree: Path) -> None:
    (tree / "code/a.py").unlink()
    assert lock.misfits() == ["code/a.py is not what train@small-a and 1 more ran with"]
    git("checkout", "-q", "code/a.py")
    (tree / "code/new.py").touch()
    assert lock.misfits() == []  # not of the tree yet
    git("add", "code/new.py")
    assert lock.misfits() == ["code/new.py is not what train@small-a and 1 more ran with"]


def test_a_lock_that_was_committed_with_other_files_names_the_folder(tree: Path) -> None:
    (tree / "code/a.py").write_text("changed")
    (tree / "dvc.lock").write_text((tree / "dvc.lock").read_text() + "\n")
    git("commit", "-q", "-a", "-m", "x")
    assert lock.misfits() == ["code is not what train@small-a and 1 more ran with"]


def test_stages_that_either_file_lacks_are_named_and_left_over_ones_can_be_removed(
    tree: Path,
) -> None:
    before = (tree / "dvc.lock").read_text()
    (tree / "dvc.lock").write_text(before + LEFT_OVER)
    (line,) = lock.misfits()
    assert line.startswith("dvc.lock: old@small: no stages of dvc.yaml; to remove them: python -c")
    lock.prune()
    assert (tree / "dvc.lock").read_text() == before
    (tree / "params.yaml").write_text("datasets: [small, large]\nrates: {slow: 0.00001}\n")
    assert lock.misfits() == ["dvc.lock: not run yet: train@large-a, train@large-b"]
    text = (tree / "dvc.yaml").read_text().replace("python show.py", "python -B show.py")
    (tree / "dvc.yaml").write_text(text.replace('"make.py"', '"make.py", "show.py"'))
    assert "dvc.lock: report ran `python show.py`, now `python -B show.py`" in lock.misfits()
    same = "did not have the same dependencies"
    assert f"dvc.lock: train@small-a {same}: show.py" in lock.misfits()


def test_without_git_or_lock_nothing_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"dvc.lock is missing"):
        lock.misfits()
    with pytest.raises(UserError, match="no git repository"):
        lock.tracked_digests()
