"""Features computed from video by other people: one HDF5 file, or a folder of one .npy a video.

They stand as `<dataset>.hdf5` or as the folder `<dataset>` where `folder` says, placed by hand or
fetched (`mgsl.data.placing`).
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
from jaxtyping import Float32

from mgsl.data import sources
from mgsl.errors import UserError, missing
from mgsl.files import sha256, write_json

RECORD = Path("features.json")

_LISTED = 5  # how many videos a message names
_OFFICIAL = "c3d_features"  # the dataset of each group in ActivityNet's own file


class Archive(Protocol):
    """The features of many videos, read one video at a time."""

    def __contains__(self, video: str) -> bool:
        """Whether it has this video."""

    def read(self, video: str) -> np.ndarray:
        """The array of a video, as stored."""

    def names(self) -> list[str]:
        """What it has, as it calls it."""


def folder() -> Path:
    """`MGSL_FEATURES`, or a folder of the cache."""
    return Path(os.environ.get("MGSL_FEATURES") or sources.cache_folder() / "features")


def locate(dataset: str, hint: str) -> Path:
    """Where the features of a dataset stand.

    Args:
        dataset: its name.
        hint: what is expected and where it comes from, for the message.

    Raises:
        UserError: there are none; the message names the file, its place and the next command.
    """
    candidates = [folder() / f"{dataset}.hdf5", folder() / dataset]
    for path in candidates:
        if path.exists():
            return path
    raise UserError(
        f"the features of {dataset} are not at hand: {hint}.\n"
        f"`download` fetches the release that data.{dataset}.release of params.yaml names. "
        "Or place your own in one of two ways:\n"
        f"  {candidates[0]}: an HDF5 file with a dataset, or a group with one dataset, a video\n"
        f"  {candidates[1]}/: a folder with one VIDEO.npy a video\n"
        f"or set MGSL_FEATURES to the folder that has {candidates[0].name} or {dataset}/.\n"
        "Then go on: the same `dvc repro` or `dvc exp run` again, or\n"
        f"  python -m mgsl download --dataset {dataset}\n"
        "`python -m mgsl doctor` lists what other datasets still need"
    )


def record(path: Path, raw: Path) -> None:
    """Write which archive stands at a place, so that another one there is noticed.

    The archive itself stays where it is: it may be larger than what is made of it.

    Args:
        path: what `locate` found.
        raw: the folder of the published files; `features.json` is written there.

    Raises:
        UserError: the archive cannot be opened, or the folder has no array.
    """
    with open_archive(path):
        write_json(raw / RECORD, _fingerprint(path) | {"sha256": _digest(path)})


def check_recorded(path: Path, raw: Path, dataset: str) -> None:
    """Make sure that an archive is the one recorded, by its size.

    Args:
        path: what `locate` found.
        raw: the folder of the published files.
        dataset: its name, for the message.

    Raises:
        UserError: it is another one, or none is recorded.
    """
    again = f"run `dvc repro --force --single-item download@{dataset}`"
    again += f" or `python -m mgsl download --dataset {dataset}`"
    try:
        recorded = json.loads((raw / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(raw / RECORD, again) from None
    fingerprint = _fingerprint(path)
    if met := [f"{key} {value}" for key, value in fingerprint.items() if recorded[key] != value]:
        before = ", ".join(f"{key} {recorded[key]}" for key in fingerprint)
        raise UserError(
            f"{path} is not what the stage `download` recorded ({before}), "
            f"it has {', '.join(met)}: {again}"
        )


def read_stretched(
    path: Path, videos: Sequence[str], *, num_clips: int, video_dim: int
) -> Iterator[Float32[np.ndarray, "clips video_dim"]]:
    """The features of each video, stretched to one length.

    Args:
        path: what `locate` found.
        videos: in the order wanted. All of them are looked up before the first is read.
        num_clips: clips of every video.
        video_dim: length of a clip's feature.

    Raises:
        UserError: the archive cannot be read or lacks videos, or a video's array has no clips,
            another width, or holds NaN or infinity.
    """
    with open_archive(path) as archive:
        if missing := [video for video in videos if video not in archive]:
            raise UserError(
                f"{path} lacks {len(missing)} of {len(videos)} videos: {_listing(missing)}; "
                f"it has {_listing(archive.names()) or 'nothing'}"
            )
        for video in videos:
            try:
                array = archive.read(video)
            except (OSError, ValueError, EOFError, KeyError, RuntimeError) as error:
                raise UserError(f"{path}: video {video!r} cannot be read ({error})") from None
            yield stretch(checked(array, video_dim, f"{path}: video {video!r}"), num_clips)


def read_clips(path: Path, video_dim: int, where: str) -> Float32[np.ndarray, "clips video_dim"]:
    """The features of one video from a .npy file of its own.

    Args:
        path: an array of floats, [clips, video_dim].
        video_dim: length of a clip's feature.
        where: what opens the message of an error.

    Raises:
        UserError: the file is missing or no array, or the array has no clips, another width, or
            holds NaN or infinity.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise missing(path, "name a .npy file with the clips of one video") from None
    except (OSError, ValueError, EOFError):
        raise UserError(f"{path} is no whole .npy file of numbers") from None
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path} holds several arrays: name a .npy file with one")
    return checked(array, video_dim, where)


def stretch(
    clips: Float32[np.ndarray, "published video_dim"], num_clips: int
) -> Float32[np.ndarray, "clips video_dim"]:
    """Cut a video into `num_clips` bins and average in each; a short video repeats (Q14).

    Bin i holds the published clips from floor(i n / T) to before floor((i + 1) n / T), and the
    first of them where there is none. Sums run in one order and in double precision, so that every
    machine gets the same bytes without rounding.

    Args:
        clips: at least one.
        num_clips: at least 1.
    """
    edges = np.arange(num_clips + 1) * len(clips) // num_clips
    sizes = np.maximum(np.diff(edges), 1)
    sums = np.add.reduceat(clips, edges[:-1], axis=0, dtype=np.float64)
    return (sums / sizes[:, None]).astype(np.float32)


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open what `locate` found.

    Raises:
        UserError: it is neither a folder nor an HDF5 file, or that is truncated.
    """
    if path.is_dir():
        yield _Arrays(path)
        return
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} is no whole HDF5 file ({error}): place it again") from None
    with file:
        yield _Hdf5(file)


def checked(
    array: np.ndarray, video_dim: int, where: str
) -> Float32[np.ndarray, "published video_dim"]:
    """The clips of one video, if they can be used.

    Args:
        array: [clips, video_dim]; axes of size 1 between the two are dropped.
        video_dim: length of a clip's feature.
        where: what opens the message of an error.

    Raises:
        UserError: there are no clips, or of another width; they are no floats, NaN or infinite.
    """
    between = array.shape[1:-1]  # spatial axes of size 1, which some releases keep
    if array.ndim < 2 or set(between) - {1} or array.shape[-1] != video_dim or not len(array):
        raise UserError(
            f"{where} has features of shape {array.shape}, expected [clips, {video_dim}]: "
            "correct video_dim in params.yaml, or place the right features"
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"{where} has features of type {array.dtype}, expected floats")
    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if not finite.all():
        raise UserError(
            f"{where} has features that hold NaN or infinity, in clip {finite.argmin()}"
        )
    return array.reshape(len(array), video_dim).astype(np.float32)


def _fingerprint(path: Path) -> dict[str, str | int]:
    files = _files(path)
    if not files:
        raise UserError(f"{path} has no VIDEO.npy")
    size = sum(file.stat().st_size for file in files)
    return {"file": path.name, "files": len(files), "bytes": size}


def _digest(path: Path) -> str:
    """Of the file, or of the list of names and digests of a folder's arrays."""
    if path.is_file():
        return sha256(path)
    lines = [f"{sha256(file)}  {file.name}\n" for file in _files(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.npy")) if path.is_dir() else [path]


class _Arrays:
    """A folder of one .npy a video."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = {entry.name for entry in path.iterdir()}

    def __contains__(self, video: str) -> bool:
        return any(f"{name}.npy" in self._names for name in _names(video))

    def read(self, video: str) -> np.ndarray:
        names = [name for name in _names(video) if f"{name}.npy" in self._names]
        return np.asarray(np.load(self._path / f"{names[0]}.npy", allow_pickle=False))

    def names(self) -> list[str]:
        return sorted(self._names)


class _Hdf5:
    """One dataset a video, or one group a video with one dataset, or with `c3d_features`."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def __contains__(self, video: str) -> bool:
        return any(name in self._file for name in _names(video))

    def read(self, video: str) -> np.ndarray:
        entry = next(self._file[name] for name in _names(video) if name in self._file)
        if isinstance(entry, h5py.Group):
            inside = [_OFFICIAL] if _OFFICIAL in entry else list(entry)
            if len(inside) != 1 or not isinstance(entry[inside[0]], h5py.Dataset):
                raise ValueError(f"expected one dataset in the group, got {inside}")
            entry = entry[inside[0]]
        return np.asarray(entry[()])

    def names(self) -> list[str]:
        return sorted(self._file)


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")


def _names(video: str) -> tuple[str, ...]:
    """As annotations name a video, and without the extension, which some releases leave out."""
    return (video, video.removesuffix(".avi"))
