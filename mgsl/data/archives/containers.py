"""What holds the arrays of many videos: an HDF5 file, or a folder of files, nested as it may be."""

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
    ENDINGS,
    REFUSED,
    choose_dataset,
    kind,
    read_array,
    refused,
)
from mgsl.errors import UserError

_FEW = 32  # HDF5 files of a folder, and groups of a file, that are looked into for videos
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
    """The arrays below a path. HDF5 files of many videos stay open until it is closed."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self._stack = stack
        self._files: dict[str, h5py.File] = {}
        self._listed = sorted(_listed(path)) if path.is_dir() else []
        if not path.is_dir():
            self._file("")
        elif not self._listed:
            raise _nothing(path)

    def levels(self) -> Iterator[list[StoredArray]]:
        """Everything that may be a video, from the top downwards: files, then what they hold."""
        if self._listed:
            yield [StoredArray(name) for name in self._listed]
        tops = [name for name in self._listed if name.endswith((".h5", ".hdf5"))] or [""]
        if len(tops) > _FEW or (self._listed and tops == [""]):
            return
        entries = [StoredArray(top, name) for top in tops for name in self._file(top)]
        yield entries
        if len(entries) <= _FEW:
            groups = [(e, self._file(e.file)[e.inside]) for e in entries]
            yield [
                StoredArray(entry.file, f"{entry.inside}/{name}")
                for entry, group in groups
                if isinstance(group, h5py.Group)
                for name in group
            ]

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
            return np.asarray(choose_dataset(self._file(entry.file)[entry.inside], key, where)[()])
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise UserError(f"{where} cannot be read ({error})") from None

    def _file(self, name: str) -> Any:
        if name not in self._files:
            self._files[name] = self._stack.enter_context(_open_hdf5(self.path / name))
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
    """The files with features of a folder and of those below it; links to folders are left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _hidden(name)]
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
    for name in (*REFUSED, "hdf5"):  # what lies beside features, such as a text, is last
        if name in others:
            return UserError(f"{folder} has no VIDEO.npy or the like: {refused(others[name])}")
    return UserError(
        f"{folder} has no VIDEO.npy, nor any other file of features ({', '.join(ENDINGS)})"
    )
