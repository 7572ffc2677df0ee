from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mgsl.spans import leaders, nms, tiou, to_seconds
from tests.evaluation import oracle

TENTHS = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted).map(tuple)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 10), (0, 10), 1.0),
        ((0, 10), (0, 5), 0.5),
        ((0, 6), (4, 10), 0.2),
        ((0, 4), (4, 10), 0.0),  # they touch
        ((0, 1), (9, 10), 0.0),
        ((2, 4), (0, 10), 0.2),  # one within the other
        ((3, 3), (0, 10), 0.0),  # no length, inside
        ((3, 3), (3, 3), 0.0),  # no length, equal
        ((-5, 5), (0, 5), 0.5),  # out of the video: what lies outside counts in the union
        ((0, 0.3), (0.1, 0.4), 0.5),  # 0.4999... without the rounding
    ],
)
def test_tiou_of_two_spans(a: tuple, b: tuple, expected: float) -> None:
    assert tiou(np.array(a, float), np.array(b, float)) == expected
    assert tiou(np.array(b, float), np.array(a, float)) == expected


def test_tiou_broadcasts_over_leading_axes() -> None:
    a = np.array([[[0.0, 10.0], [0.0, 5.0], [5.0, 10.0]], [[0.0, 2.0], [2.0, 4.0], [0.0, 4.0]]])
    b = np.array([[[0.0, 5.0]], [[0.0, 4.0]]])
    np.testing.assert_array_equal(tiou(a, b), [[0.5, 1.0, 0.0], [0.5, 0.5, 1.0]])


@given(TENTHS, TENTHS)
def test_tiou_is_the_literal_one_to_nine_decimals(a: tuple, b: tuple) -> None:
    exact = oracle.tiou((Fraction(a[0]), Fraction(a[1])), (Fraction(b[0]), Fraction(b[1])))
    assert tiou(np.array(a) / 10, np.array(b) / 10) == round(float(exact), 9)


@given(TENTHS, TENTHS, st.floats(0.01, 1000), st.floats(0, 100))
def test_tiou_does_not_depend_on_the_unit_or_the_origin(
    a: tuple, b: tuple, unit: float, origin: float
) -> None:
    moved = tiou(np.array(a) * unit + origin, np.array(b) * unit + origin)
    assert moved == pytest.approx(tiou(np.array(a, float), np.array(b, float)), abs=1e-6)


def test_nms_by_hand() -> None:
    spans = np.array([[[0, 10], [1, 10], [0, 5], [8, 18], [9, 18], [20, 30]]], float)
    real = np.ones((1, 6), bool)
    # (1, 10) overlaps the first by 0.9, (0, 5) by 0.5, (8, 18) by 2/18; (9, 18) that one by 0.9.
    np.testing.assert_array_equal(nms(spans, real, threshold=0.45, keep=5), [[0, 3, 5, -1, -1]])
    np.testing.assert_array_equal(nms(spans, real, threshold=0.5, keep=5), [[0, 2, 3, 5, -1]])
    # At 0.1, (8, 18) is suppressed, and so (9, 18) survives: it overlaps the first by 1/18.
    np.testing.assert_array_equal(nms(spans, real, threshold=0.1, keep=3), [[0, 4, 5]])
    np.testing.assert_array_equal(nms(spans, real, threshold=0.95, keep=2), [[0, 1]])


def test_nms_leaves_out_what_is_not_real() -> None:
    spans = np.array([[[0, 1], [2, 3], [4, 5]], [[0, 1], [2, 3], [4, 5]]], float)
    real = np.array([[True, True, True], [True, False, False]])
    np.testing.assert_array_equal(nms(spans, real, threshold=0.5, keep=3), [[0, 1, 2], [0, -1, -1]])


def test_nms_keeps_each_span_of_no_length_once() -> None:
    spans = np.array([[[1, 1], [1, 1], [2, 2]]], float)
    np.testing.assert_array_equal(
        nms(spans, np.ones((1, 3), bool), threshold=0.5, keep=4), [[0, 1, 2, -1]]
    )


@given(
    st.lists(st.lists(TENTHS, min_size=1, max_size=9), min_size=1, max_size=4),
    st.sampled_from(["0.05", "0.25", "0.45", "0.5", "0.65"]),
    st.integers(1, 6),
)
def test_nms_is_the_literal_one(lists: list, threshold: str, keep: int) -> None:
    width = max(map(len, lists))
    spans, real = np.zeros((len(lists), width, 2)), np.zeros((len(lists), width), bool)
    for row, proposals in enumerate(lists):
        spans[row, : len(proposals)] = np.array(proposals) / 10
        real[row, : len(proposals)] = True
    kept = nms(spans, real, threshold=float(threshold), keep=keep)
    for row, proposals in enumerate(lists):
        exact = [(Fraction(start), Fraction(end)) for start, end in proposals]
        expected = oracle.nms(exact, Fraction(threshold), keep)
        assert kept[row].tolist() == expected + [-1] * (keep - len(expected))


@given(arrays(np.float64, (3, 4, 2), elements=st.floats(0, 1)))
def test_seconds_scale_each_query_by_its_video(fractions: np.ndarray) -> None:
    duration_s = np.array([1.0, 10.0, 100.0])
    seconds = to_seconds(fractions, duration_s)
    for row in range(3):
        np.testing.assert_array_equal(seconds[row], fractions[row] * duration_s[row])
    np.testing.assert_array_equal(to_seconds(fractions[:, 0], duration_s), seconds[:, 0])


@given(
    st.lists(st.lists(TENTHS, min_size=12, max_size=12), min_size=1, max_size=3),
    st.sampled_from([0.25, 0.45, 0.65]),
)
def test_nms_among_the_leaders_leaves_what_nms_among_all_leaves(
    lists: list, threshold: float
) -> None:
    spans = np.array(lists) / 10
    mask = leaders(spans, thresholds=[0.25, 0.45, 0.65, 1.0], keep=3)
    assert mask[:, :3].all()
    everything = np.ones(spans.shape[:2], bool)
    np.testing.assert_array_equal(
        nms(spans, mask, threshold=threshold, keep=3),
        nms(spans, everything, threshold=threshold, keep=3),
    )
