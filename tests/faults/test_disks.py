"""Disks that are full or may not be written: a message says so, and what stood there stands."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgsl import cli, paths
from mgsl.data import sources
from mgsl.data.sources import fetch
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.processes import alone
from tests import ROOT
from tests.faults.test_downloads import CONTENT, Server, honest, left_in, source
from tests.reporting import report_workspace

DATASET = "embedded"
FULL, READ_ONLY = "no space left on the disk while writing ", "Read-only file system"
PAGE = 4096  # bytes, in which disks give room
BUILT = {  # a command, and what it would write
    ("download", "--dataset", DATASET): [paths.raw(DATASET) / "annotations.jsonl"],
    ("evaluate", "--dataset", DATASET): [
        paths.metrics(DATASET),
        paths.headline(DATASET),
        paths.trainings(DATASET),
    ],
    ("report", "--exhibit", "table_1"): [
        paths.EXHIBITS / f"table_1.{suffix}" for suffix in ("html", "csv", "md", "tex")
    ],
}


LOCKED = [paths.raw(DATASET), paths.metrics(DATASET), paths.EXHIBITS]  # by these commands


def build(folder: Path) -> None:
    """Write what the commands read, and an older result of each; `folder` is the working folder."""
    report_workspace.build(folder, [DATASET])
    shutil.copytree(ROOT / "mgsl/resources/embedded", folder / paths.EMBEDDED)
    download = {"dataset": DATASET, "release": None, "glove": None}
    write_json(paths.config(DATASET, "download"), download)
    for path in [path for built in BUILT.values() for path in built]:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("old")
    for output in LOCKED:
        with alone(output):
            pass


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace on a disk of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no small disk can be mounted here, which takes root on Linux")
    try:
        monkeypatch.chdir(folder)
        build(folder)
        yield folder
    finally:
        monkeypatch.undo()
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, *, free: int = 0) -> Path:
    """Leave no more bytes free than these; the file that takes the room."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
        file.truncate(file.tell() - free)
    return ballast


def run(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mgsl", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def files(folder: Path) -> dict[Path, bytes]:
    """Every file, with what it holds."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def named(errors: str) -> Path:
    """The file for which there was no room, as the one message says."""
    assert "Traceback" not in errors
    told = errors[errors.index("error: ") :]
    assert told.endswith(": free some, then run it again; what was finished is kept\n")
    return Path(told.partition(FULL)[2].partition(":")[0])


@pytest.mark.parametrize("command", BUILT, ids=lambda command: command[0])
def test_on_a_full_disk_a_stage_says_so_and_what_stood_there_stands(
    command: tuple[str, ...], disk: Path
) -> None:
    ballast = fill(disk, free=PAGE)  # which the lock takes
    before = files(disk)
    done = run(command)
    assert done.returncode == 2
    assert named(done.stderr) in BUILT[command]
    assert files(disk) == before
    ballast.unlink()
    assert run(command).returncode == 0
    for path in BUILT[command]:
        assert path.read_bytes() != before.get(disk / path), path


@pytest.mark.parametrize("command", [*BUILT][:2], ids=lambda command: command[0])
def test_a_stage_that_is_told_of_a_full_disk_says_so(
    command: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(tmp_path)
    build(tmp_path)
    before = files(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(sys, "argv", ["mgsl", *command])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert named(capsys.readouterr().err) in BUILT[command]
    assert files(tmp_path) == before


def test_a_lock_for_which_there_is_no_room_is_named(disk: Path) -> None:
    fill(disk)
    with pytest.raises(UserError, match=f"{FULL}{paths.lock(LOCKED[0])}: "), alone(LOCKED[0]):
        pass


@pytest.mark.parametrize("command", [*BUILT][:2], ids=lambda command: command[0])
def test_on_a_disk_that_may_not_be_written_a_stage_says_so(
    command: tuple[str, ...], disk: Path
) -> None:
    before = files(disk)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    done = run(command)
    assert done.returncode == 1
    assert READ_ONLY in done.stderr
    assert "Traceback" not in done.stderr
    assert files(disk) == before


def test_a_download_that_fills_the_disk_goes_on_where_there_is_room(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSL_CACHE", str(disk / "cache"))
    monkeypatch.delenv("MGSL_MIRROR", raising=False)
    server = Server(honest)
    ballast = fill(disk)
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - len(CONTENT) // 2)
    with pytest.raises(UserError, match=f"{FULL}{sources.cached(source())}"):
        fetch([source()], tmp_path / "raw", server=server.root)
    assert not (tmp_path / "raw").exists()
    ballast.unlink()
    fetch([source()], tmp_path / "raw", server=server.root)
    server.socket.close()
    assert server.begins[0] == 0 < server.begins[1]
    assert (tmp_path / "raw/owner/name/data/file.bin").read_bytes() == CONTENT
    assert left_in(sources.cache_folder()) == [source().sha256]
