"""Writing files and folders so that a reader never meets half of one."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mgsl.errors import UserError

PARTIAL = ".mgsl-partial"  # ends the name of a hidden folder in which a process writes


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path to write to; move what is there to `path` only if the block succeeds.

    A full disk, an exception or Ctrl-C leaves what stood at `path` before, and nothing else. What a
    killed process leaves is removed by the next that writes into the same folder (`sweep`).

    Raises:
        UserError: there is no space left on the disk.
    """
    with _workplace(path) as temporary:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # some writers keep their files to themselves
        temporary.replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `path` if the block succeeds.

    After an interruption there is what stood at `path` before, or nothing.

    Raises:
        UserError: there is no space left on the disk.
    """
    with _workplace(path) as folder:
        folder.mkdir()
        yield folder
        if path.exists():
            path.replace(folder.with_suffix(".old"))
        folder.replace(path)


def open_folder(folder: Path, advice: str) -> None:
    """Make a folder, and see that it can be written.

    Args:
        folder: may be there already.
        advice: what to do where it cannot be written, in the imperative.

    Raises:
        UserError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK) else "it is read-only"
    except OSError as error:
        if _is_full(error, folder.parent):
            raise
        reason = str(error)
    if reason:
        raise UserError(f"{folder} cannot be written ({reason}): {advice}")


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Turn the error of a full disk into one that names the file which the block writes.

    Raises:
        UserError: there is no space left on the disk.
    """
    try:
        yield
    except Exception as error:  # of a library that writes by itself, it may be any
        if not _is_full(error, path.parent):
            raise
        final = Path(*(part for part in path.parts if not part.endswith(PARTIAL)))
        raise UserError(
            f"no space left on the disk while writing {final}: free some, then run it again; "
            "what was finished is kept"
        ) from None


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder; what is being written is locked, and stays."""
    for leftover in folder.glob(f".*{PARTIAL}"):
        with suppress(OSError):  # its writer lives, or it is gone by now
            handle = os.open(leftover, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(leftover, ignore_errors=True)
            finally:
                os.close(handle)


def sha256(path: Path) -> str:
    """A file's digest, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, with newlines as they are."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write one JSON document atomically, indented, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line, atomically, without holding the text in memory.

    Other characters than ASCII are escaped: some of them end a line for some readers.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
        for row in rows:
            file.write(json.dumps(row, allow_nan=False) + "\n")


@contextmanager
def _workplace(path: Path) -> Iterator[Path]:
    """Yield a free path of the same name, in a hidden folder beside `path` that goes at the end."""
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        folder, lock = _locked_folder(path)
    try:
        with room_for(path):  # here, as long as what was written fills the disk
            yield folder / path.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(path: Path) -> tuple[Path, int]:
    """A new folder that `sweep` spares until the handle is closed, if by the end of the process."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=PARTIAL))
        with suppress(FileNotFoundError):  # swept before it was locked
            lock = os.open(folder, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks, where nothing is swept either
                fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _is_full(error: Exception, folder: Path) -> bool:
    """Whether an error is that of a full disk, also where NumPy, torch or safetensors raised it."""
    if (number := getattr(error, "errno", None)) is not None:
        return number in (errno.ENOSPC, errno.EDQUOT)
    return not isinstance(error, UserError) and shutil.disk_usage(folder).free == 0


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
