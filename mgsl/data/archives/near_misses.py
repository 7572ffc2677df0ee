"""What lies where features are looked for under other names, and what to do about it."""

import difflib
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from mgsl.data.archives.array_files import ENDINGS, kind, refused

_LISTED = 5  # how many a message names
_MANY = 3  # arrays of a folder that should be one level deeper


def near_misses(folder: Path, places: Sequence[Path], others: Collection[str]) -> list[str]:
    """What stands in the way of finding features, a line each.

    Args:
        folder: where they are looked for.
        places: the paths that they may have, the best one first.
        others: names of other datasets, whose features are in their right place.
    """
    if not folder.is_dir():
        return list(_no_folder(folder, places))
    entries = [
        entry
        for entry in sorted(folder.iterdir())
        if not entry.name.startswith(".") and entry.name.partition(".")[0] not in others
    ]
    arrays = [entry for entry in entries if entry.suffix.lower() in (".npy", ".npz", ".pt")]
    if folder.name == places[-1].name and entries:
        return [
            f"{folder} is called as the folder of these features itself. If it is: set "
            f"MGSL_FEATURES to {folder.parent}, in which it stands"
        ]
    if len(arrays) >= _MANY:
        return [
            f"{folder} holds {len(arrays)} arrays itself, such as {arrays[0].name}. If they are "
            f"the ones, move them one level down: mkdir {places[-1]} && mv {folder}/*"
            f"{arrays[0].suffix} {places[-1]}/"
        ]
    stem = places[0].stem
    entries.sort(key=lambda entry: -difflib.SequenceMatcher(None, stem, entry.name).ratio())
    lines = [line for entry in entries[:_LISTED] for line in _advice(entry, places)]
    more = [f"and {len(entries) - _LISTED} more"] if len(entries) > _LISTED else []
    return [f"{folder} holds:", *(f"  {line}" for line in lines + more)] if lines else []


def _no_folder(folder: Path, places: Sequence[Path]) -> Iterator[str]:
    variable = "MGSL_FEATURES" if os.environ.get("MGSL_FEATURES") else "the folder of features"
    if folder.is_file():
        yield f"{variable} is {folder}, a file: set it to the folder in which the file is,"
        yield f"and call the file {places[0].stem}{folder.suffix}"
    elif os.environ.get("MGSL_FEATURES"):
        yield f"{variable} is {folder}, which is no folder: correct it if it is misspelt"


def _advice(entry: Path, places: Sequence[Path]) -> Iterator[str]:
    if not entry.exists():
        yield f"{entry.name}, a link to nothing"
    elif entry.is_dir():
        yield f"{entry.name}/, a folder. If it is the one: mv {entry} {places[-1]}"
    elif entry.suffix == ".part":
        yield f"{entry.name}, an unfinished download"
    elif kind(entry) == "hdf5":
        yield f"{entry.name}, an HDF5 file. If it is the one: mv {entry} {places[0]}"
    elif entry.suffix.lower() in (".h5", ".hdf5"):
        yield f"{entry.name}, by its content {_what(entry, places)}"
        yield f"  If it is the one all the same: mv {entry} {places[0]}"
    elif entry.suffix.lower() == ".npz" and kind(entry) == "zip":
        yield (
            f"{entry.name}, a file of arrays. If it has all videos: mkdir -p {places[-1]} && "
            f"mv {entry} {places[-1]}/"
        )
    elif entry.suffix.lower() in ENDINGS and kind(entry) in ("npy", "zip", "pickle"):
        yield (
            f"{entry.name}, which is neither an HDF5 file nor in a folder of its own. If it has "
            f"all videos, write each into {places[-1]}/, as by `numpy.save('VIDEO.npy', array)`"
        )
    else:
        yield f"{entry.name}, {_what(entry, places)}"


def _what(entry: Path, places: Sequence[Path]) -> str:
    """What a file is that is not read, and what to do about it."""
    return str(refused(entry, places[-1])).removeprefix(f"{entry} is ")
