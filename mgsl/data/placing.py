"""Features come to their place: by hand, or fetched as the release that params.yaml names.

In `feature_files.folder`, releases stand as published, in `releases/DATASET/RELEASE/FILE`, or
unpacked beside. The place `DATASET.hdf5` or `DATASET` is then a link into it, which so names the
release; what else stands there was placed by hand and is left alone.
"""

import os
from pathlib import Path

from mgsl.data import feature_files
from mgsl.data.fetching import by_hand, fetch
from mgsl.data.releases import Release, catalogue, find
from mgsl.data.resuming import held
from mgsl.data.unpacking import unpack
from mgsl.errors import UserError

RELEASES, UNPACKED = "releases", "unpacked"
_HDF5 = (".hdf5", ".h5")


def bring(dataset: str, hint: str, name: str | None) -> Path:
    """Have the features of a dataset in their place; what a person placed there is left alone.

    Args:
        dataset: its name.
        hint: what is expected, for the message.
        name: the release to fetch, of the catalogue; None fetches nothing.

    Returns:
        Where they stand.

    Raises:
        UserError: they cannot be had; the message says what a person can do.
    """
    place = _placed(dataset, hint)
    linked = release_of(dataset, place) if place else None
    if place and (name is None or linked in (None, name)):
        if name and linked is None:
            print(f"{place} was placed by hand: release {name} is not fetched", flush=True)
        if problem := feature_files.problem(place):
            raise UserError(problem)
        return place
    if name is None:
        return feature_files.locate(dataset, hint)  # says what to place
    release = find(dataset, name)
    for path in feature_files.places_of(dataset):
        if path.is_symlink() and not path.exists() and release_of(dataset, path) is None:
            raise UserError(f"{path} is a link to {path.readlink()}, which is not there: remove it")
    folder = feature_files.folder()
    home = folder / RELEASES / dataset / name
    misplaced = feature_files.misplaced(dataset)
    if folder.is_file():
        raise UserError("\n".join(misplaced))
    print(*misplaced, sep="\n", end="\n" * bool(misplaced), flush=True)  # before 25 GB are fetched
    try:
        features = _features(release, home)
    except UserError as error:
        lines = [str(error), *misplaced, _ways_out(dataset, name)]
        raise UserError("\n".join(lines)) from None
    place = folder / f"{dataset}{'' if features.is_dir() else '.hdf5'}"
    _link(dataset, place, features)
    return place


def release_of(dataset: str, place: Path) -> str | None:
    """The name of the release that was fetched to a place, None if a person placed something."""
    if not place.is_symlink():
        return None
    parts = place.readlink().parts
    return parts[2] if parts[:2] == (RELEASES, dataset) and len(parts) > 3 else None


def _placed(dataset: str, hint: str) -> Path | None:
    try:
        return feature_files.locate(dataset, hint)
    except UserError:
        return None


def _features(release: Release, home: Path) -> Path:
    """The file or folder of arrays of a release, fetched and unpacked if need be."""
    if release.file is None:
        raise UserError(by_hand(release, feature_files.folder() / home.parent.name))
    archive = home / release.file
    if release.unpack is None:
        fetch(release, archive)
        return archive
    unpacked = home / UNPACKED
    with held(home / "lock"):  # or who waits for the archive would fetch it anew
        if not unpacked.is_dir():
            was_placed = archive.exists()
            fetch(release, archive)
            print(f"unpacking {archive}", flush=True)
            unpack(archive, release.unpack, unpacked)
            if not was_placed:
                archive.unlink()
    return _inside(unpacked)


def _inside(folder: Path) -> Path:
    """The one HDF5 file, or the one folder of arrays, that was in an archive."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in _HDF5)
    arrays = sorted({path.parent for path in folder.rglob("*.np[yz]")})
    if len(files) + len(arrays) != 1:
        names = ", ".join(str(path.relative_to(folder)) for path in [*files, *arrays]) or "none"
        raise UserError(
            f"{folder} should have one HDF5 file or one folder of arrays, it has: {names}"
        )
    return [*files, *arrays][0]


def _link(dataset: str, place: Path, features: Path) -> None:
    """Let a place lead to what was fetched; an earlier link at the other place goes."""
    folder = place.parent
    temporary = folder / f".{place.name}.{os.getpid()}"
    temporary.symlink_to(features.relative_to(folder))
    temporary.replace(place)
    for other in feature_files.places_of(dataset):
        if other != place and release_of(dataset, other):
            other.unlink(missing_ok=True)


def _ways_out(dataset: str, name: str) -> str:
    """What else there is: other releases, and the features that somebody has already."""
    folder = feature_files.folder()
    others = [
        f"    {other}: {release.title}; {release.page}"
        for other, release in catalogue()[dataset].items()
        if other != name
    ]
    return "\n".join(
        [
            f"  (`python -m mgsl download --dataset {dataset}`, or the same `dvc repro`).",
            f"Or place features that you have as {folder / dataset}.hdf5, or as the folder "
            f"{folder / dataset}/, or set MGSL_FEATURES to the folder that has them.",
            f"Or set data.{dataset}.release of params.yaml to another release, of other numbers:",
            *others,
        ]
    )
