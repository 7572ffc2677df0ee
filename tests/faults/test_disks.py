"""Disks that are full or may not be written: a message says so, and what stood there stands."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgsl import paths
from mgsl.data import sources
from mgsl.data.sources import fetch
from tests import ROOT
from tests.faults.test_downloads import CONTENT, Server, honest, left_in, source
from tests.reporting import report_workspace

DATASET = "embedded"
FULL, READ_ONLY = "No space left on device", "Read-only file system"
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


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace on a disk of 64 MB: what the commands read, and an older result of each."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no small disk can be mounted here, which takes root on Linux")
    try:
        monkeypatch.chdir(folder)
        report_workspace.build(folder, [DATASET])
        shutil.copytree(ROOT / "mgsl/resources/embedded", folder / paths.EMBEDDED)
        for path in [path for built in BUILT.values() for path in built]:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("old")
        yield folder
    finally:
        monkeypatch.undo()
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave not a byte free; the file that takes the room."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
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
    """Every file but the locks, which say nothing once their holder has ended."""
    paths = (path for path in folder.rglob("*") if path.suffix != ".lock")
    return {path: path.read_bytes() for path in paths if path.is_file()}


@pytest.mark.parametrize("command", BUILT, ids=lambda command: command[0])
def test_on_a_full_disk_a_stage_says_so_and_what_stood_there_stands(
    command: tuple[str, ...], disk: Path
) -> None:
    ballast = fill(disk)
    before = files(disk)
    done = run(command)
    assert done.returncode in (1, 2)
    assert "error: " in done.stderr
    assert FULL in done.stderr
    assert "Traceback" not in done.stderr
    assert files(disk) == before
    ballast.unlink()
    assert run(command).returncode == 0
    for path in BUILT[command]:
        assert path.read_bytes() != before.get(disk / path), path


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
    with pytest.raises(OSError, match=FULL):
        fetch([source()], tmp_path / "raw", server=server.root)
    assert not (tmp_path / "raw").exists()
    ballast.unlink()
    fetch([source()], tmp_path / "raw", server=server.root)
    server.socket.close()
    assert server.begins[0] == 0 < server.begins[1]
    assert (tmp_path / "raw/owner/name/data/file.bin").read_bytes() == CONTENT
    assert left_in(sources.cache_folder()) == [source().sha256]
