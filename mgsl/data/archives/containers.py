"""What holds the arrays of many videos: a file, or a folder of files, nested as it may be."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np

from mgsl.data.archives.array_files import (
    DAMAGED,
    ENDINGS,
    REFUSED,
    choose_array,
    kind,
    read_array,
    refused,
)
from mgsl.errors import UserError

_OF_MANY = (".h5", ".hdf5", ".npz")  # endings of files that may hold many videos
_FEW = 32  # such files of a folder, and groups of a file, that are looked into for videos
_DEPTH = 4  # groups of a file that may stand one in another
_TRIED = 100  # files of a folder without features that are told apart
_TRUNCATED = re.compile(r"eof = (\d+).*stored_eof = (\d+)")


@dataclass(frozen=True)
class StoredArray:
    """Where one array stands: a file below the archive's path, and a place inside that file.

    `file` is empty where the archive is one file, `inside` where the file is one array.
    """

    file: str
    inside: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.file, self.inside)))

    @property
    def name(self) -> str:
        """What may be a video's name."""
        if self.inside:
            return PurePosixPath(self.inside).name
        path = PurePosixPath(self.file)
        return path.stem if path.suffix.lower() in ENDINGS else path.name

    @property
    def folders(self) -> str:
        """What stands above the name, between slashes; of a file that holds videos, its stem."""
        path = PurePosixPath(self.file)
        above = path.parent / path.stem if self.inside else path.parent
        return f"/{above}/{PurePosixPath(self.inside).parent}/"


class Archive:
    """The arrays below a path. Files of many videos stay open until it is closed."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self._stack = stack
        self._files: dict[str, Any] = {}
        self._listed = sorted(_listed(path)) if path.is_dir() else []
        if not path.is_dir():
            self._file("")
        elif not self._listed:
            raise _nothing(path)

    def levels(self) -> Iterator[list[StoredArray]]:
        """Everything that may be a video, from the top downwards: files, then what they hold.

        Raises:
            UserError: a file of many arrays is damaged.
        """
        entries = [StoredArray("")]
        if self._listed:
            yield [StoredArray(name) for name in self._listed]
            entries = [StoredArray(n) for n in self._listed if n.lower().endswith(_OF_MANY)]
        for _ in range(_DEPTH):
            if not 0 < len(entries) <= _FEW:
                return
            entries = [below for entry in entries for below in self._below(entry)]
            yield entries

    def read(self, entry: StoredArray, key: str | None = None) -> np.ndarray:
        """The array of an entry, as stored.

        Args:
            entry: one of `levels`.
            key: which of several arrays.

        Raises:
            UserError: it cannot be read, or may be one of several.
        """
        if not entry.inside:
            return read_array(self.path / entry.file, key)
        where = str(self.path / str(entry))
        try:
            return np.asarray(choose_array(self._file(entry.file)[entry.inside], key, where)[()])
        except DAMAGED as error:
            raise UserError(f"{where} cannot be read ({error})") from None

    def _below(self, entry: StoredArray) -> list[StoredArray]:
        """What a file or a group in it has; of an array nothing."""
        try:
            group = self._file(entry.file)
            if entry.inside:  # of an .npz always an array; in HDF5 a link may lead nowhere
                group = group.get(entry.inside) if isinstance(group, h5py.File) else None
            names = list(group) if isinstance(group, h5py.Group | np.lib.npyio.NpzFile) else []
        except DAMAGED as error:
            where = self.path / str(entry)
            raise UserError(f"{where} cannot be read, it is damaged ({error})") from None
        return [StoredArray(entry.file, "/".join(filter(None, (entry.inside, n)))) for n in names]

    def _file(self, name: str) -> Any:
        if name not in self._files:
            path = self.path / name
            is_npz = name.lower().endswith(".npz")
            opened = np.load(path, allow_pickle=False) if is_npz else _open_hdf5(path)
            self._files[name] = self._stack.enter_context(opened)
        return self._files[name]


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a file or folder of features.

    Args:
        path: an HDF5 file, or a folder.

    Raises:
        UserError: it is something else, is cut off, or the folder has no file that may be read;
            the message says what it is and how it is converted.
    """
    with ExitStack() as stack:
        yield Archive(path, stack)


def files_of(path: Path) -> list[Path]:
    """The files that an archive is made of, sorted; those that are no features are left out."""
    return [path / name for name in sorted(_listed(path))] if path.is_dir() else [path]


def _listed(folder: Path) -> Iterator[str]:
    """The files with features of a folder and of those below it, each folder once."""
    entered = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in entered else [n for n in sorted(folders) if not _hidden(n)]
        if real in entered:  # a link to a folder above or beside it
            continue
        entered.add(real)
        above = Path(place).relative_to(folder)
        for name in names:
            if not _hidden(name) and Path(name).suffix.lower() in ENDINGS:
                yield (above / name).as_posix()


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _open_hdf5(path: Path) -> h5py.File:
    if kind(path) != "hdf5":
        raise refused(path)
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if sizes := _TRUNCATED.search(str(error)):
            size, whole = map(int, sizes.groups())
            raise UserError(
                f"{path} is no whole HDF5 file: truncated, it has {size:,} of {whole:,} bytes. If "
                f"it came in pieces, join all of them in order: `cat NAME_* > {path.name}`; else "
                "fetch it again"
            ) from None
        raise UserError(f"{path} is no whole HDF5 file ({error}): fetch it again") from None


def _nothing(folder: Path) -> UserError:
    """The error for a folder without features: what else is in it, and how that is converted."""
    others: dict[str, Path] = {}
    for place, _, names in os.walk(folder):
        for name in sorted(names)[:_TRIED]:
            if not _hidden(name):
                others.setdefault(kind(Path(place, name)), Path(place, name))
    for name in REFUSED:  # what lies beside features, such as a note, is last
        if name in others:
            return UserError(
                f"{folder} has no VIDEO.npy or the like: {refused(others[name], folder)}"
            )
    return UserError(
        f"{folder} has no VIDEO.npy, nor any other file of features ({', '.join(ENDINGS)})"
    )
