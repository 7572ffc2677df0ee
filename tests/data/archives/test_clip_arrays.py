"""Arrays as [clips, video_dim], whatever axes of size 1 they have; what cannot be is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.data.archives.clip_arrays import checked, side_by_side, stretch
from mgsl.errors import UserError

CLIPS = np.arange(12, dtype=np.float32).reshape(6, 2)


@pytest.mark.parametrize(
    "shape",
    [(6, 2), (1, 6, 2), (6, 1, 2), (6, 1, 1, 2), (1, 6, 1, 1, 2), (6, 2, 1), (6, 2, 1, 1),
     (1, 6, 2, 1)],
)  # fmt: skip
def test_axes_of_size_1_are_dropped_wherever_they_stand(shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(checked(CLIPS.reshape(shape), 2, ""), CLIPS)


@pytest.mark.parametrize("shape", [(1, 2), (1, 1, 2), (1, 2, 1), (1, 1, 1, 2)])
def test_a_video_of_one_clip_keeps_it(shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(checked(np.ones(shape), 2, ""), np.ones((1, 2)))


@pytest.mark.parametrize(("shape", "clips"), [((5, 1), 5), ((1, 5, 1), 5), ((1, 1), 1)])
def test_features_of_one_number_are_as_many_clips(shape: tuple[int, ...], clips: int) -> None:
    assert checked(np.ones(shape), 1, "").shape == (clips, 1)


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", "int16", "uint8", "int64"])
def test_any_numbers_become_float32(dtype: str) -> None:
    clips = checked(np.asfortranarray(CLIPS.astype(dtype)), 2, "")
    assert clips.dtype == np.float32
    np.testing.assert_array_equal(clips, CLIPS)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[1.0, 2.0], [1.0, np.nan]]), "hold NaN or infinity, in clip 1"),
        (np.array([[1.0, np.inf]]), "hold NaN or infinity, in clip 0"),
        (np.array([[1.0, 1e300]]), "float32 cannot hold"),
        (np.array([["a", "b"]]), "of type <U1, expected numbers"),
        (np.array([[True, False]]), "of type bool, expected numbers"),
        (np.ones((0, 2)), r"of shape \(0, 2\), no clips; expected \[clips, 2\]"),
        (np.ones(2), r"of shape \(2,\), one vector and no sequence of clips"),
        (np.ones((4, 3, 2)), r"of shape \(4, 3, 2\): 3 x 2 numbers a clip.*their mean"),
        (np.ones((7, 4, 50, 768)), r"4 x 50 x 768 numbers a clip, such as layers"),
        (np.ones((2, 9)), r"which is \[2, clips\]: expected \[clips, 2\]\. Turn each array"),
        (np.ones((1, 2, 9)), r"which is \[2, clips\]"),
        (np.ones((9, 3)), r"of shape \(9, 3\), expected \[clips, 2\], by advice"),
        (np.ones((1, 9, 3)), r"of shape \(9, 3\), expected \[clips, 2\], by advice"),
    ],
)
def test_what_is_no_sequence_of_clips_is_named(array: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=rf"^video 'v_a' has features.*{message}"):
        checked(array, 2, "video 'v_a'", ", by advice")


def test_parts_are_joined_in_order_and_cut_to_the_shorter() -> None:
    first, second = np.ones((6, 2)), np.full((1, 5, 3), 2.0)
    joined = side_by_side([first, second], "")
    np.testing.assert_array_equal(joined, [[1, 1, 2, 2, 2]] * 5)
    assert side_by_side([first, np.ones((8, 3))], "").shape == (6, 5)
    with pytest.raises(UserError, match=r"video 'v_a' has parts of \[6, 9\] rows"):
        side_by_side([first, np.ones((9, 3))], "video 'v_a'")


def test_a_long_video_is_averaged_and_a_short_one_repeats() -> None:
    clips = np.array([[0.0], [3.0], [9.0]], dtype=np.float32)
    np.testing.assert_array_equal(stretch(clips, 2), [[0], [6]])
    np.testing.assert_array_equal(stretch(clips, 3), clips)
    np.testing.assert_array_equal(stretch(clips, 6).ravel(), [0, 0, 3, 3, 9, 9])
    np.testing.assert_array_equal(stretch(clips, 1), [[4]])


@given(st.integers(1, 60), st.integers(1, 60))
def test_bins_hold_every_clip_in_order(published: int, num_clips: int) -> None:
    clips = np.arange(published, dtype=np.float32)[:, None]
    stretched = stretch(clips, num_clips)
    assert stretched.shape == (num_clips, 1)
    assert (np.diff(stretched.ravel()) >= 0).all()
    if published % num_clips == 0:
        assert stretched.mean() == pytest.approx(clips.mean())
    if num_clips % published == 0:
        np.testing.assert_array_equal(stretched, clips.repeat(num_clips // published, axis=0))
