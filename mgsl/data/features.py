"""Video features: one array per dataset, `[videos, clips, video_dim]`, mapped into memory."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mgsl.errors import UserError, missing
from mgsl.files import atomic_path


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
    again = "prepare the dataset, with `dvc repro` or `python -m mgsl prepare`"
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise missing(path, again) from None
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}): {again}") from None
    if features.shape != shape or not np.issubdtype(features.dtype, np.floating):
        raise UserError(
            f"{path} holds {features.dtype} {features.shape}, expected floats {shape}: {again}"
        )
    return features
