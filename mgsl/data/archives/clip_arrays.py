"""Arrays of features: brought to [clips, video_dim], checked, joined, stretched to one length."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Num

from mgsl.errors import UserError

_DIFFERENCE = 2  # rows by which the parts of a video may differ; more are other samplings


def checked(
    array: np.ndarray, video_dim: int, where: str, advice: str = ""
) -> Float32[np.ndarray, "published video_dim"]:
    """The clips of one video, if they can be used; integers become floats.

    Args:
        array: [clips, video_dim], with any axes of size 1 before, between and after.
        video_dim: length of a clip's feature.
        where: what opens the message of an error.
        advice: what ends it where the width is another.

    Raises:
        UserError: there are no clips, or of another width; they are no numbers, NaN or infinite.
    """
    clips = as_clips(array, where, video_dim)
    if clips.shape[1] != video_dim == len(clips):
        raise UserError(
            f"{where} has features of shape {clips.shape}, which is [{video_dim}, clips]: expected "
            f"[clips, {video_dim}]. Turn each array: `numpy.save(FILE, numpy.load(FILE).T)`"
        )
    if clips.shape[1] != video_dim:
        raise UserError(
            f"{where} has features of shape {clips.shape}, expected [clips, {video_dim}]{advice}"
        )
    finite = np.isfinite(clips).all(axis=1)
    if not finite.all():
        raise UserError(
            f"{where} has features that hold NaN or infinity, in clip {finite.argmin()}"
        )
    with np.errstate(over="ignore"):
        clips = clips.astype(np.float32)
    if not np.isfinite(clips).all():
        raise UserError(f"{where} has features that float32 cannot hold")
    return clips


def as_clips(
    array: np.ndarray, where: str, video_dim: int | None = None
) -> Num[np.ndarray, "published width"]:
    """An array without its axes of size 1, as [clips, width].

    Args:
        array: as stored.
        where: what opens the message of an error.
        video_dim: the width, where it is known.

    Raises:
        UserError: it is no sequence of vectors of numbers.
    """
    if not np.issubdtype(array.dtype, np.floating) and not np.issubdtype(array.dtype, np.integer):
        raise UserError(f"{where} has features of type {array.dtype}, expected numbers")
    expected = f"[clips, {'width' if video_dim is None else video_dim}]"
    if array.ndim < 2 or not array.size:
        what = "no clips" if not array.size else "one vector and no sequence of clips"
        raise UserError(f"{where} has features of shape {array.shape}, {what}; expected {expected}")
    axes = [length for length in array.shape if length > 1]
    if len(axes) > 2:
        per_clip = " x ".join(map(str, axes[1:]))
        raise UserError(
            f"{where} has features of shape {array.shape}: {per_clip} numbers a clip, such as "
            f"layers, crops or patches, where one vector is expected, {expected}. Take one of "
            "them, or their mean, before you place the features"
        )
    if array.ndim == 2 and array.shape[1] == video_dim:
        return array
    if len(axes) == 2:
        return array.reshape(axes)
    if video_dim == 1:
        return array.reshape(-1, 1)
    if video_dim is None:
        return array.reshape(-1, array.shape[-1])
    return array.reshape(1, -1) if axes == [video_dim] else array.reshape(len(array), -1)


def side_by_side(arrays: Sequence[np.ndarray], where: str) -> np.ndarray:
    """The parts of a video's features as one array, cut to the shortest; one part as it is.

    Args:
        arrays: of the parts, in order.
        where: what opens the message of an error.

    Raises:
        UserError: a part is no sequence of clips, or their lengths differ by more than two rows.
    """
    if len(arrays) == 1:
        return arrays[0]
    parts = [as_clips(array, where) for array in arrays]
    lengths = [len(part) for part in parts]
    if max(lengths) - min(lengths) > _DIFFERENCE:
        raise UserError(
            f"{where} has parts of {lengths} rows, which are of different samplings: parts whose "
            f"rows belong together differ by {_DIFFERENCE} at most"
        )
    return np.concatenate([part[: min(lengths)] for part in parts], axis=1)


def stretch(
    clips: Float[np.ndarray, "published video_dim"], num_clips: int
) -> Float32[np.ndarray, "clips video_dim"]:
    """Cut a video into `num_clips` bins and average in each; a short video repeats (Q14).

    Bin i holds the published clips from floor(i n / T) to before floor((i + 1) n / T), and the
    first of them where there is none. Sums run in one order and in double precision, so that every
    machine gets the same bytes without rounding.

    Args:
        clips: at least one.
        num_clips: at least 1.
    """
    edges = (np.arange(num_clips + 1) * len(clips) // num_clips).tolist()
    stretched = np.empty((num_clips, clips.shape[1]), dtype=np.float32)
    for row, begin, end in zip(stretched, edges, edges[1:], strict=False):
        total = clips[begin].astype(np.float64)
        for clip in clips[begin + 1 : end]:
            total += clip
        np.divide(total, max(end - begin, 1), out=row, casting="same_kind")
    return stretched
