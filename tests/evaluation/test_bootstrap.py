import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.evaluation import bootstrap
from mgsl.evaluation.bootstrap import interval, paired_difference, resampled_means
from tests.evaluation.oracle import evaluation


def column(values: object) -> np.ndarray:
    return np.asarray(values, float)[:, None]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.integers(1, 50), st.integers(0, 9))
def test_a_resample_is_the_mean_of_queries_drawn_with_replacement(
    values: list[float], resamples: int, seed: int
) -> None:
    params = evaluation(resamples=resamples, bootstrap_seed=seed)
    rng = np.random.default_rng(seed)
    expected = [
        sum(values[query] for query in rng.integers(len(values), size=len(values))) / len(values)
        for _ in range(resamples)
    ]
    np.testing.assert_allclose(
        resampled_means(column(values), params)[:, 0], expected, rtol=1e-12, atol=1e-12
    )


def test_how_many_draws_memory_holds_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random((37, 2)).round(2)
    whole = resampled_means(values, evaluation(resamples=50))
    monkeypatch.setattr(bootstrap, "_CHUNK", 100)
    np.testing.assert_allclose(resampled_means(values, evaluation(resamples=50)), whole, rtol=1e-12)


def test_the_interval_of_equal_values_has_no_width() -> None:
    low, high = interval(column([0.5] * 20), evaluation())
    assert low == high == 0.5


def test_the_interval_has_the_width_of_the_normal_law() -> None:
    values = column(np.arange(2000) < 600)  # 30 % of 2,000
    low, high = interval(values, evaluation())
    half = 1.96 * np.sqrt(0.3 * 0.7 / 2000)
    assert low == pytest.approx(0.3 - half, abs=0.003)
    assert high == pytest.approx(0.3 + half, abs=0.003)


def test_more_confidence_is_a_wider_interval() -> None:
    values = np.random.default_rng(0).random((200, 1))
    widths = [
        float(np.ptp(interval(values, evaluation(confidence=confidence))))
        for confidence in (0.5, 0.9, 0.99)
    ]
    assert widths == sorted(widths)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    # 400 samples of 150 Bernoulli trials as the columns of one bootstrap: 95 % +- 2.2 %.
    samples = (np.random.default_rng(3).random((150, 400)) < 0.4).astype(float)
    low, high = interval(samples, evaluation())
    covered = np.mean((low <= 0.4) & (high >= 0.4))
    assert 0.92 <= covered <= 0.98


def test_the_seed_decides_the_draws_and_nothing_else() -> None:
    values = np.random.default_rng(0).random((30, 1))
    again = [resampled_means(values, evaluation(bootstrap_seed=seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(again[0], again[1])
    assert (again[0] != again[2]).any()


def test_no_queries_and_values_that_do_not_apply_have_no_interval() -> None:
    low, high = interval(np.empty((0, 2)), evaluation(resamples=3))
    assert np.isnan([low, high]).all()
    values = np.array([[1.0, np.nan], [0.0, np.nan], [1.0, np.nan]])
    low, high = interval(values, evaluation())
    np.testing.assert_array_equal(np.isnan([low, high]), [[False, True], [False, True]])


def test_a_paired_difference_knows_that_the_queries_are_the_same() -> None:
    hard = np.random.default_rng(0).random(500)  # what queries share, much larger than the effect
    a, b = column(hard + 0.01), column(hard)
    difference = paired_difference(a, b, evaluation())
    assert difference.value == pytest.approx([0.01])
    assert difference.low == pytest.approx([0.01])
    assert difference.p == pytest.approx([2 / 1001])
    assert np.ptp(interval(a, evaluation())) > 0.04


def test_a_difference_changes_sign_with_the_order_of_the_methods() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 80, 3))
    there, back = (
        paired_difference(a, b, evaluation()),
        paired_difference(b, a, evaluation()),
    )
    np.testing.assert_allclose(there.value, -back.value)
    np.testing.assert_allclose(there.low, -back.high)
    np.testing.assert_allclose(there.p, back.p)


def test_a_method_does_not_differ_from_itself() -> None:
    values = np.random.default_rng(0).random((20, 1))
    difference = paired_difference(values, values, evaluation())
    assert [*difference.value, *difference.low, *difference.high, *difference.p] == [0, 0, 0, 1]


def test_p_is_small_as_often_as_it_says_where_nothing_differs() -> None:
    a, b = (np.random.default_rng(5).random((2, 100, 400)) < 0.5).astype(float)
    p = paired_difference(a, b, evaluation()).p
    assert 0.02 <= np.mean(p <= 0.05) <= 0.08
    assert 0.42 <= np.mean(p <= 0.5) <= 0.58


def test_a_difference_without_queries_or_that_does_not_apply_is_nan() -> None:
    none = paired_difference(np.empty((0, 1)), np.empty((0, 1)), evaluation(resamples=3))
    missing = paired_difference(column([np.nan, 1]), column([1, 1]), evaluation(resamples=3))
    for difference in (none, missing):
        assert np.isnan([difference.value, difference.low, difference.high, difference.p]).all()
