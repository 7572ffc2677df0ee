"""Video features: one array per dataset, `[videos, clips, video_dim]`, mapped into memory."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float16

from mgsl.data.annotations import seconds
from mgsl.data.annotations.charades import read_charades_videos
from mgsl.errors import UserError
from mgsl.files import atomic_path

NUM_ACTIONS = 157  # classes c000 to c156 of Charades


def action_timelines(
    raw: Path, durations_s: Mapping[str, float], *, num_clips: int
) -> Iterator[Float16[np.ndarray, "clips 157"]]:
    """What the annotators of Charades saw: for each clip, 1 for every action under way in it.

    A video is stretched to `num_clips` equal clips; an action is under way in each clip that it
    overlaps, however briefly.

    Args:
        raw: the folder of the published files.
        durations_s: length of each video in seconds; gives the order of the videos.
        num_clips: clips a video is cut into, at least 1.

    Raises:
        UserError: a video has no row of actions, or its actions cannot be read.
    """
    rows = {row["id"]: (where, row["actions"]) for where, row in read_charades_videos(raw)}
    edges = np.arange(num_clips + 1)
    for video, duration_s in durations_s.items():
        if video not in rows:
            raise UserError(f"video {video!r} has no actions in Charades_v1_*.csv")
        where, actions = rows[video]
        timeline = np.zeros((num_clips, NUM_ACTIONS), dtype=np.float16)
        for text in filter(None, actions.split(";")):
            action, start_s, end_s = _parse_action(text, where)
            start, end = np.array([start_s, end_s]) * num_clips / duration_s
            timeline[(edges[:-1] < end) & (edges[1:] > start) & (start < end), action] = 1
        yield timeline


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
        raise UserError(f"{path} is missing: {again}") from None
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}): {again}") from None
    if features.shape != shape or not np.issubdtype(features.dtype, np.floating):
        raise UserError(
            f"{path} holds {features.dtype} {features.shape}, expected floats {shape}: {again}"
        )
    return features


def _parse_action(text: str, where: str) -> tuple[int, float, float]:
    fields = text.split()
    digits = fields[0].removeprefix("c") if fields else ""
    if len(fields) != 3 or not digits.isdecimal() or int(digits) >= NUM_ACTIONS:
        raise UserError(f"{where}: expected an action `c000 START END`, got {text!r}")
    return int(digits), seconds(fields[1], where), seconds(fields[2], where)
