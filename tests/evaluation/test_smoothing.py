"""The smooth curve is the weighted straight line of each place, and its band that of the draws."""

import numpy as np
import pytest

from mgsl.evaluation.smoothing import smooth
from tests.evaluation.oracle import evaluation

PARAMS = evaluation(resamples=100)
RNG = np.random.default_rng(0)
X = np.sort(RNG.random(50) * 4)
AT = np.linspace(0.0, 4.0, 9)


def literal(x: np.ndarray, y: np.ndarray, place: float, bandwidth: float) -> float:
    """Weighted least squares of one straight line, by the normal equations."""
    weights = [np.exp(-(((one - place) / bandwidth) ** 2) / 2) for one in x]
    design = np.stack([np.ones(len(x)), x - place], axis=1)
    gram, right = np.zeros((2, 2)), np.zeros(2)
    for weight, row, value in zip(weights, design, y, strict=True):
        gram += weight * np.outer(row, row)
        right += weight * row * value
    return float(np.linalg.solve(gram, right)[0])


def test_the_curve_is_a_weighted_straight_line_at_each_place() -> None:
    y = (RNG.random(50) < 0.5).astype(float)
    fit, low, high = smooth(X, [y[None]], AT, PARAMS, bandwidth=0.7)
    np.testing.assert_allclose(fit, [literal(X, y, place, 0.7) for place in AT], atol=1e-9)
    assert (low < fit).all()
    assert (fit < high).all()


def test_a_straight_line_is_kept_up_to_its_ends() -> None:
    fit, low, high = smooth(X, [0.2 + 0.1 * X[None]], AT, PARAMS, bandwidth=0.6)
    for curve in (fit, low, high):
        np.testing.assert_allclose(curve, 0.2 + 0.1 * AT, atol=1e-9)


def test_queries_of_one_frequency_have_their_mean() -> None:
    x, y = np.ones(20), np.arange(20) % 2.0
    fit, low, high = smooth(x, [y[None]], np.array([1.0]), PARAMS, bandwidth=0.6)
    assert fit[0] == pytest.approx(0.5)
    assert low[0] < 0.5 < high[0]


def test_the_band_is_that_of_curves_through_queries_drawn_again() -> None:
    y = (RNG.random(50) < 0.5).astype(float)
    rng = np.random.default_rng(PARAMS.bootstrap_seed)
    curves = []
    for _ in range(PARAMS.resamples):
        drawn = rng.integers(50, size=50)
        curves.append([literal(X[drawn], y[drawn], place, 0.7) for place in AT])
    expected = np.quantile(curves, [0.025, 0.975], axis=0)
    _, low, high = smooth(X, [y[None]], AT, PARAMS, bandwidth=0.7)
    np.testing.assert_allclose([low, high], expected, atol=1e-7)


def test_the_band_of_several_trainings_holds_them_too() -> None:
    queries = RNG.random(50)
    trainings = np.stack([queries + luck for luck in (-0.2, 0.0, 0.2)])
    fit, low, high = smooth(X, [trainings], AT, PARAMS, bandwidth=0.7)
    one, lowest, highest = smooth(X, [queries[None]], AT, PARAMS, bandwidth=0.7)
    np.testing.assert_allclose(fit, one)
    assert (high - low > 1.3 * (highest - lowest)).all()
    fit, low, high = smooth(X, [trainings, trainings[:2]], AT, PARAMS, bandwidth=0.7)
    np.testing.assert_allclose(fit, 0.1, atol=1e-9)
    assert ((low < 0) & (high > 0.2)).all()
