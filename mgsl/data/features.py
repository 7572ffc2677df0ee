"""The arrays of a prepared dataset: features, mapped into memory, and word vectors.

Features are `[videos, clips, video_dim]`, word vectors `[vocabulary, word_dim]`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32

from mgsl.errors import UserError, missing
from mgsl.files import atomic_path
from mgsl.prepared import again, check_array, read_summary


def store_features(
    path: Path,
    arrays: Iterable[tuple[str, np.ndarray]],
    *,
    shape: tuple[int, int, int],
    dtype: type[np.floating],
) -> None:
    """Write the features of all videos, one video in memory at a time.

    Args:
        path: the .npy file; it appears only when it is whole.
        arrays: video and its features, in the order of the file's rows.
        shape: videos, clips, video_dim.
        dtype: float16 or float32.

    Raises:
        UserError: a video's features have another shape, or hold NaN or infinity, or there are
            more or fewer videos than promised.
    """
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header | {"shape": shape})
        count = 0
        for video, array in arrays:
            if array.shape != shape[1:]:
                raise UserError(
                    f"video {video!r}: features are {array.shape} [clips, video_dim], "
                    f"expected {shape[1:]}: check num_clips and video_dim in params.yaml"
                )
            with np.errstate(over="ignore"):
                array = array.astype(dtype, copy=False)
            if not np.isfinite(array).all():
                raise UserError(
                    f"video {video!r}: features hold NaN, infinity or more than "
                    f"{np.dtype(dtype).name} can"
                )
            file.write(array.tobytes())
            count += 1
        if count != shape[0]:
            raise UserError(f"{path}: features of {count} videos, expected {shape[0]}")


def open_features(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Map stored features into memory, read-only.

    Args:
        path: what `store_features` wrote.
        shape: videos, clips, video_dim.

    Raises:
        UserError: the file is missing, truncated, no array of floats, or of another shape.
    """
    return _load(path, shape, mmap_mode="r")


def read_features(prepared: Path, videos: Sequence[str]) -> np.ndarray:
    """The features of a prepared dataset, mapped into memory: a row for each video.

    Args:
        prepared: its folder.
        videos: what `read_videos` read there.

    Raises:
        UserError: a file is missing, or not what the stage `prepare` wrote.
    """
    path, summary = prepared / "features.npy", read_summary(prepared)
    check_array(path)
    shape = (len(videos), summary["num_clips"], summary["video_dim"])
    return open_features(path, shape)


def read_vectors(
    prepared: Path, words: Sequence[str]
) -> Float32[np.ndarray, "vocabulary word_dim"]:
    """The word vectors of a prepared dataset: a row for each word.

    Args:
        prepared: its folder.
        words: what `read_vocabulary` read there.

    Raises:
        UserError: a file is missing, or not what the stage `prepare` wrote; a vector is not finite.
    """
    path = prepared / "word_vectors.npy"
    check_array(path)
    vectors = _load(path, (len(words), read_summary(prepared)["word_dim"]))
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        word = words[int(finite.argmin())]
        raise UserError(f"{path}: the vector of {word!r} is not finite; {again(prepared)}")
    return vectors


def _load(path: Path, shape: tuple[int, ...], mmap_mode: Literal["r"] | None = None) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except FileNotFoundError:
        raise missing(path, again(path.parent)) from None
    except Exception as error:  # whatever the bytes provoke
        raise UserError(f"{path} cannot be read ({error}): {again(path.parent)}") from None
    if array.shape != shape or not np.issubdtype(array.dtype, np.floating):
        raise UserError(
            f"{path} holds {array.dtype} {array.shape}, expected floats {shape}: "
            f"{again(path.parent)}"
        )
    return array
