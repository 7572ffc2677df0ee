"""Whatever happens while a file is written, a reader meets the old one or the new one."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mgsl import files
from mgsl.files import atomic_path, write_json, write_json_lines, write_text

FULL = OSError(errno.ENOSPC, "No space left on device")


def fail(path: Path, cause: BaseException) -> None:
    """Write half a file, then fail."""
    with atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise cause


def only_the_old(path: Path) -> None:
    """The old file stands as it was, and no temporary lies beside it."""
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file.json").write_text("old")
    return tmp_path / "file.json"


def test_a_block_that_succeeds_puts_its_file_in_place(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a/b/c.txt", "text\n")
    assert (tmp_path / "a/b/c.txt").read_bytes() == b"text\n"


@pytest.mark.parametrize("cause", [FULL, KeyboardInterrupt(), SystemExit(1), ValueError("x")])
def test_a_block_that_fails_leaves_the_old_file(path: Path, cause: BaseException) -> None:
    with pytest.raises(type(cause)):
        fail(path, cause)
    only_the_old(path)


def test_a_block_that_fails_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "new.txt", KeyboardInterrupt())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cause", [FULL, KeyboardInterrupt()])
def test_rows_that_stop_coming_leave_the_old_file(path: Path, cause: BaseException) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from ({"row": i} for i in range(100_000))  # more than a buffer holds
        raise cause

    with pytest.raises(type(cause)):
        write_json_lines(path, rows())
    only_the_old(path)


def test_a_disk_that_fills_up_at_the_last_byte_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise FULL

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"key": 1})
    only_the_old(path)


def test_numbers_that_json_does_not_have_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"key": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json_lines(path, [{"key": 1}, {"key": float("inf")}])
    only_the_old(path)


def test_the_same_value_gives_the_same_bytes_in_its_own_order(path: Path) -> None:
    write_json(path, {"b": "β", "a": [1.5]})
    assert path.read_bytes() == '{\n  "b": "β",\n  "a": [\n    1.5\n  ]\n}\n'.encode()
    write_json_lines(path, [{"b": "β\u2028"}, {"a": 1}])
    assert path.read_text("ascii").splitlines() == ['{"b": "\\u03b2\\u2028"}', '{"a": 1}']


def test_a_file_is_readable_to_whom_the_umask_admits(path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(path, "new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)
