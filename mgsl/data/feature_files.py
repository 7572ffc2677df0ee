"""Features computed from video by other people, as a person has them: one file, or a folder.

They stand as `<dataset>.hdf5` or as the folder `<dataset>` where `folder` says, placed by hand or
fetched (`mgsl.data.placing`). How they are stored, `mgsl.data.archives` finds out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from mgsl import paths
from mgsl.data import releases, sources
from mgsl.data.archives import identity
from mgsl.data.archives.array_files import read_array
from mgsl.data.archives.clip_arrays import checked, side_by_side, stretch
from mgsl.data.archives.containers import Archive, open_archive
from mgsl.data.archives.naming import listing, locate_videos
from mgsl.data.archives.near_misses import near_misses
from mgsl.errors import UserError, missing
from mgsl.files import write_json

RECORD = Path("features.json")
_ADVICE = ": place features of this width, or correct data.DATASET.video_dim in params.yaml"


@dataclass
class Census:
    """What was counted while features were read."""

    videos: int = 0  # that the archive has, needed or not
    rows: int = 0  # of the videos read
    casts: Counter[str] = field(default_factory=Counter)  # videos by a type that was cast to floats


def folder() -> Path:
    """`MGSL_FEATURES`, or a folder of the cache."""
    return paths.named_by("MGSL_FEATURES") or sources.cache_folder() / "features"


def places_of(dataset: str) -> list[Path]:
    """The paths that the features of a dataset may have, the best one first."""
    return [folder() / f"{dataset}.hdf5", folder() / f"{dataset}.h5", folder() / dataset]


def locate(dataset: str, hint: str) -> Path:
    """Where the features of a dataset stand.

    Args:
        dataset: its name.
        hint: what is expected and where it comes from, for the message.

    Raises:
        UserError: there are none; the message names the file, its place and the next command, and
            what lies there under another name.
    """
    places = places_of(dataset)
    for path in places:
        if path.exists():
            return path
    raise UserError(
        "\n".join(
            [
                f"the features of {dataset} are not at hand: {hint}.",
                *misplaced(dataset),
                f"`download` fetches the release that data.{dataset}.release of params.yaml names. "
                "Or place your own in one of two ways:",
                f"  {places[0]}: an HDF5 file with the videos",
                f"  {places[-1]}/: a folder with a file a video (.npy, .npz, .pt or .h5), nested "
                "as it may be",
                f"or set MGSL_FEATURES to the folder that has {places[0].name} or {dataset}/.",
                "Then go on: the same `dvc repro` or `dvc exp run` again, or",
                f"  python -m mgsl download --dataset {dataset}",
                "`python -m mgsl doctor` lists what other datasets still need",
            ]
        )
    )


def misplaced(dataset: str) -> list[str]:
    """What lies where the features of a dataset are looked for, under other names; a line each."""
    others = releases.catalogue().keys() - {dataset} | {"releases"}
    return near_misses(folder(), places_of(dataset), others)


def problem(path: Path) -> str:
    """Why an archive cannot be opened; empty if it can. Its arrays are not looked at."""
    try:
        with open_archive(path):
            return ""
    except UserError as error:
        return str(error)


def record(path: Path, place: Path, *, anew: bool = False) -> None:
    """Write which archive stands at a path, so that another one there is noticed.

    The archive itself stays where it is: it may be larger than what is made of it.

    Args:
        path: what `locate` found.
        place: the folder in which `features.json` is written.
        anew: digest all of it, whatever the cache remembers.

    Raises:
        UserError: the archive cannot be opened, or has no array.
    """
    with open_archive(path):
        identity.record(path, place / RECORD, anew=anew)


def record_placed(dataset: str, hint: str | None, place: Path, *, anew: bool) -> None:
    """Record the features that stand where those of a dataset are looked for.

    Where none are needed, nothing is recorded. Where they are gone, what was recorded stays: all
    that was made of them still holds.

    Args:
        dataset: its name.
        hint: what is expected, for the message; None: no features are needed.
        place: the folder of the record.
        anew: digest all of them.

    Raises:
        UserError: they are needed and were never there, or cannot be read.
    """
    if hint is None:
        write_json(place / RECORD, {})
        return
    try:
        path = locate(dataset, hint)
    except UserError:
        if not (place / RECORD).exists():
            raise
        print(f"the features of {dataset} are gone; those recorded before count", flush=True)
    else:
        record(path, place, anew=anew)


def recorded(place: Path, dataset: str) -> identity.Identity:
    """Which archive `record` met.

    Args:
        place: the folder of the record.
        dataset: its name, for the message.

    Raises:
        UserError: none is recorded.
    """
    return identity.recorded(place / RECORD, _again(dataset))


def check_recorded(path: Path, place: Path, dataset: str) -> identity.Identity:
    """Make sure that an archive is the one recorded, by its content; what it is.

    Args:
        path: what `locate` found.
        place: the folder of the record.
        dataset: its name, for the message.

    Raises:
        UserError: it is another one, or none is recorded.
    """
    return identity.check_recorded(path, place / RECORD, _again(dataset))


def lacking(path: Path, videos: Sequence[str], parts: Sequence[str] = ()) -> list[str]:
    """The videos that an archive does not have, in the order given.

    Args:
        path: what `locate` found.
        videos: as the annotations name them.
        parts: of the archive that are read, as `read_stretched` has them.

    Raises:
        UserError: the archive cannot be read, has none of the videos, or several arrays for one.
    """
    with open_archive(path) as archive:
        located = locate_videos(archive, videos, parts)
    return [video for video in videos if any(video not in part.entries for part in located)]


def read_stretched(
    path: Path,
    videos: Sequence[str],
    *,
    num_clips: int,
    video_dim: int,
    parts: Sequence[str] = (),
    census: Census | None = None,
) -> Iterator[Float32[np.ndarray, "clips video_dim"]]:
    """The features of each video, stretched to one length.

    Args:
        path: what `locate` found.
        videos: in the order wanted. All of them are looked up before the first is read.
        num_clips: clips of every video.
        video_dim: length of a clip's feature.
        parts: names of folders, files, endings of names or keys of arrays; several are joined side
            by side, in this order.
        census: counts what is read.

    Raises:
        UserError: the archive cannot be read, lacks videos or changes meanwhile, or a video's array
            has no clips, another width, or holds NaN or infinity.
    """
    census = census or Census()
    before = identity.state(path)
    with open_archive(path) as archive:
        located = locate_videos(archive, videos, parts)
        census.videos = min(part.videos for part in located)
        if absent := [v for v in videos if any(v not in part.entries for part in located)]:
            raise UserError(
                f"{path} lacks {len(absent)} of {len(videos)} videos: {listing(absent)}; it has "
                f"{listing(_names(archive))}. Place all of them, or leave the queries of those out "
                "by data.DATASET.missing: drop in params.yaml"
            )
        for video in videos:
            where = f"{path}: video {video!r}"
            arrays = [archive.read(part.entries[video], part.key) for part in located]
            array = side_by_side(arrays, where)
            clips = checked(array, video_dim, where, _ADVICE)
            census.rows += len(clips)
            if array.dtype.kind != "f":
                census.casts[str(array.dtype)] += 1
            yield stretch(clips, num_clips)
    if identity.state(path) != before:
        raise UserError(f"{path} changed while it was read: {_again(path.stem)}")


def read_clips(path: Path, video_dim: int, where: str) -> Float32[np.ndarray, "clips video_dim"]:
    """The features of one video from a file of its own.

    Args:
        path: .npy, .npz, .pt or HDF5 with one array, [clips, video_dim].
        video_dim: length of a clip's feature.
        where: what opens the message of an error.

    Raises:
        UserError: the file is missing or no array, or the array has no clips, another width, or
            holds NaN or infinity.
    """
    try:
        return checked(read_array(path), video_dim, where)
    except FileNotFoundError:
        raise missing(path, "name a file with the clips of one video") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: name a file with the clips of one video") from None


def _names(archive: Archive) -> list[str]:
    return sorted(str(entry) for entry in next(archive.levels()))


def _again(dataset: str) -> str:
    return f"run `dvc repro` or `python -m mgsl identify --dataset {dataset}`"
