"""A receipt holds while what decided a training and what it wrote are the same."""

import os
import shutil
from pathlib import Path

import pytest

from mgsl.errors import UserError
from mgsl.processes import alone
from mgsl.training import receipt

FILES = {"checkpoint.safetensors": "weights", "curve.csv": "epoch", "predictions.jsonl": "answers"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished training, of the digest "ab"."""
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/ctrl/0")
    train(folder)
    return folder


def train(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    receipt.write(folder, "ab")


def test_it_holds_for_the_same_digest_and_files_alone(folder: Path) -> None:
    assert receipt.holds(folder, "ab")
    assert not receipt.holds(folder, "cd")
    assert not receipt.holds(folder.with_name("1"), "ab")
    first = (folder / receipt.RECEIPT).read_bytes()
    receipt.write(folder, "ab")
    assert (folder / receipt.RECEIPT).read_bytes() == first


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_changed_or_gone_ends_it(folder: Path, name: str) -> None:
    (folder / name).write_text(FILES[name].upper())
    assert not receipt.holds(folder, "ab")
    (folder / name).unlink()
    assert not receipt.holds(folder, "ab")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00"])
def test_a_damaged_receipt_holds_for_nothing(folder: Path, content: bytes) -> None:
    (folder / receipt.RECEIPT).write_bytes(content)
    assert not receipt.holds(folder, "ab")


def test_what_a_training_did_not_write_ends_it(folder: Path) -> None:
    (folder / "below").mkdir()
    assert not receipt.holds(folder, "ab")


def test_what_is_not_listed_is_removed_and_nothing_else(folder: Path) -> None:
    runs = folder.parents[1]
    for name in ("ctrl/1", "ctrl/7", "tables/0", "tables/1"):
        shutil.copytree(folder, runs / name)
    (runs / "tables/0/printed").mkdir()
    (runs / "note").touch()
    listed = [runs / "ctrl/0", runs / "ctrl/1", runs / "drn/0"]
    receipt.remove_unlisted(runs, listed)
    assert sorted(runs.glob("*")) == [runs / "ctrl"]
    assert sorted(runs.glob("*/*")) == listed[:2]
    assert all(receipt.holds(path, "ab") for path in listed[:2])
    receipt.remove_unlisted(runs.with_name("none"), listed)


def test_what_another_process_trains_is_not_removed(folder: Path) -> None:
    with alone(folder), pytest.raises(UserError, match=f"process {os.getpid()} is at work"):
        receipt.remove_unlisted(folder.parents[1], [])
    assert receipt.holds(folder, "ab")
