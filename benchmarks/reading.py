"""How fast stored features are read and stretched, beside a plain read of the same files.

Videos of the real shapes are made up in a temporary folder, a share of their real number, once as
one HDF5 file and once as a folder of .npy. What is read is in the cache of the system already, so
that the disk does not hide the rest; with `--cold` the system is asked to forget it before.

Run from the repository's root: python -m benchmarks.reading [--share 0.1] [--cold]
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mgsl.data.archives.containers import files_of
from mgsl.data.feature_files import read_stretched
from mgsl.data.features import store_features

_PIECE = 1 << 22  # bytes of a plain read


@dataclass(frozen=True)
class Shape:
    """What a dataset's features are like; `rows` is the mean of a video."""

    dataset: str
    videos: int
    rows: int
    width: int
    num_clips: int
    dtype: str


SHAPES = (
    Shape("activitynet_c3d", 14_927, 415, 500, 200, "float64"),
    Shape("tacos_c3d", 127, 697, 4096, 200, "float32"),
    Shape("charades_i3d", 6_672, 62, 1024, 64, "float32"),
)


def write_hdf5(folder: Path, shape: Shape, videos: list[str]) -> Path:
    path = folder / f"{shape.dataset}.hdf5"
    with h5py.File(path, "w") as file:
        for number, video in enumerate(videos):
            file[video] = clips(shape, number)
    return path


def write_arrays(folder: Path, shape: Shape, videos: list[str]) -> Path:
    path = folder / shape.dataset
    path.mkdir()
    for number, video in enumerate(videos):
        np.save(path / f"{video}.npy", clips(shape, number))
    return path


def clips(shape: Shape, seed: int) -> np.ndarray:
    """Of one video, between half and one and a half as long as the mean."""
    rng = np.random.default_rng(seed)
    rows = int(shape.rows * rng.uniform(0.5, 1.5))
    return rng.random((rows, shape.width), dtype=np.float32).astype(shape.dtype)


def plain(path: Path) -> None:
    """Read all bytes and do nothing with them."""
    for file in files_of(path):
        with file.open("rb", buffering=0) as stream:
            while stream.read(_PIECE):
                pass


def forget(path: Path) -> None:
    """Ask the system to drop files from its cache."""
    for file in files_of(path):
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def seconds(work: Callable[[], None], path: Path, *, cold: bool) -> float:
    if cold:
        forget(path)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(shape: Shape, path: Path, videos: list[str], *, share: float, cold: bool) -> None:
    """Print the rates of one archive, and how long the whole dataset would take."""

    def stretched() -> None:
        for _ in read_stretched(path, videos, num_clips=shape.num_clips, video_dim=shape.width):
            pass

    def stored() -> None:
        size = (len(videos), shape.num_clips, shape.width)
        arrays = read_stretched(path, videos, num_clips=shape.num_clips, video_dim=shape.width)
        store_features(
            path.with_name("features.npy"),
            zip(videos, arrays, strict=True),
            shape=size,
            dtype=np.float16,
        )

    size = sum(file.stat().st_size for file in files_of(path))
    works = {"plain read": lambda: plain(path), "stretched": stretched, "and stored": stored}
    plain(path)
    times = {name: seconds(work, path, cold=cold) for name, work in works.items()}
    rates = ", ".join(
        f"{name} {size / taken / 1e6:,.0f} MB/s ({times['plain read'] / taken:.2f})"
        for name, taken in times.items()
    )
    whole = times["and stored"] / share
    print(f"{path.name:<22} {size / 1e9:5.2f} GB  {rates}; all of it {whole:,.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.1, help="of the videos of each dataset")
    parser.add_argument("--cold", action="store_true", help="forget what was read before")
    given = parser.parse_args()
    print("in brackets: the rate as a share of the plain read's")
    for shape in SHAPES:
        videos = [f"v_{i:011}" for i in range(max(round(given.share * shape.videos), 1))]
        for write in (write_hdf5, write_arrays):
            with tempfile.TemporaryDirectory() as folder:
                path = write(Path(folder), shape, videos)
                measure(shape, path, videos, share=given.share, cold=given.cold)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
