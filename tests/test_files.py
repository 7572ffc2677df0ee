"""Whatever happens while a file is written, a reader meets the old one or the new one."""

import errno
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mgsl import files
from mgsl.errors import UserError
from mgsl.files import (
    atomic_folder,
    atomic_path,
    open_folder,
    sweep,
    write_json,
    write_json_lines,
    write_text,
)

FULL = OSError(errno.ENOSPC, "No space left on device")
NO_SPACE = "no space left on the disk while writing {}: free some, then run it again"

WRITER = """
import sys, time
from pathlib import Path
from mgsl.files import atomic_folder, atomic_path
with {}(Path(sys.argv[1])) as place:
    file = place / "inside" if place.is_dir() else place
    file.write_text("half of the n")
    print("writing", flush=True)
    time.sleep(600)
"""


@contextmanager
def writer(path: Path, kind: str = "atomic_path") -> Iterator[subprocess.Popen[str]]:
    """A process that is writing to a path and does not come to an end."""
    command = [sys.executable, "-c", WRITER.format(kind), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "writing\n"
            yield process
        finally:
            process.kill()


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
    with pytest.raises(UserError if cause is FULL else type(cause)):
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

    with pytest.raises(UserError if cause is FULL else type(cause)):
        write_json_lines(path, rows())
    only_the_old(path)


def test_a_disk_that_fills_up_at_the_last_byte_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise FULL

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(UserError, match=NO_SPACE.format(path)):
        write_json(path, {"key": 1})
    only_the_old(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_the_error_of_a_full_disk_names_the_file_that_was_to_be(tmp_path: Path) -> None:
    def write_on_the_full_disk() -> None:
        with atomic_folder(tmp_path / "out") as folder, atomic_path(folder / "in") as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_text("new")

    with pytest.raises(UserError, match=NO_SPACE.format(tmp_path / "out/in")):
        write_on_the_full_disk()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("free", [0, 1])
@pytest.mark.parametrize(
    ("cause", "may_be_full"),
    [
        (OSError("10 requested and 3 written"), True),  # as NumPy's
        (RuntimeError("PytorchStreamWriter failed writing file"), True),
        (UserError("a moment is empty"), False),
        (OSError(errno.EACCES, "Permission denied"), False),
    ],
    ids=repr,
)
def test_an_error_without_a_number_is_that_of_a_full_disk_where_the_disk_is_full(
    cause: Exception, may_be_full: bool, free: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(path)._replace(free=free)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: usage)
    full = may_be_full and free == 0
    message = NO_SPACE.format(path) if full else re.escape(str(cause))
    with pytest.raises(UserError if full else type(cause), match=message):
        fail(path, cause)
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


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "out") as folder:
            assert not list(folder.iterdir())
            (folder / name).touch()
        assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_a_folder_that_is_interrupted_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()

    def interrupt() -> None:
        with atomic_folder(tmp_path / "out") as folder:
            (folder / "new").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


@pytest.mark.parametrize("kind", ["atomic_path", "atomic_folder"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_writer_leaves_is_gone_after_the_next_write(
    path: Path, kind: str, number: signal.Signals
) -> None:
    with writer(path, kind) as process:
        process.send_signal(number)
        process.wait()
    assert path.read_text() == "old"
    assert len(list(path.parent.iterdir())) == 2
    write_text(path.with_name("another"), "new")
    assert sorted(path.parent.iterdir()) == [path.with_name("another"), path]


def test_what_is_being_written_is_not_swept(path: Path) -> None:
    with writer(path) as process:
        sweep(path.parent)
        write_text(path, "new")
        (hidden,) = path.parent.glob(f".*{files.PARTIAL}")
        assert (hidden / path.name).read_text() == "half of the n"
        process.kill()
        process.wait()
        sweep(path.parent)
    assert list(path.parent.iterdir()) == [path]


def test_files_of_others_are_not_swept(tmp_path: Path) -> None:
    others = [tmp_path / name for name in (".hidden", f"a{files.PARTIAL}", f".b{files.PARTIAL}")]
    for other in others:
        other.write_text("of a person")
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(others)
    sweep(tmp_path / "nowhere")


def test_a_folder_swept_before_it_was_locked_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, swept = files.fcntl.flock, []

    def late(handle: int, flags: int) -> None:
        if not swept:
            swept.append(True)
            sweep(path.parent)
        flock(handle, flags)

    monkeypatch.setattr(files.fcntl, "flock", late)
    write_text(path, "new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_system_without_locks_is_written_to_and_not_swept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(handle: int, flags: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    (path.parent / f".old{files.PARTIAL}").mkdir()
    monkeypatch.setattr(files.fcntl, "flock", none)
    write_text(path, "new")
    assert path.read_text() == "new"
    assert (path.parent / f".old{files.PARTIAL}").is_dir()


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_folder(tmp_path / "a/b", "buy a disk")
    assert (tmp_path / "a/b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/b cannot be written \(.*file.*\): buy a disk"):
        open_folder(tmp_path / "file/b", "buy a disk")
    monkeypatch.setattr(os, "access", lambda folder, mode: False)  # root may write anywhere
    with pytest.raises(UserError, match=r"a/b cannot be written \(it is read-only\): buy a disk"):
        open_folder(tmp_path / "a/b", "buy a disk")
