import numpy as np
import pytest

from mgsl.evaluation.predictions import Predictions
from mgsl.tools.submitted.units import suspicion

RNG = np.random.default_rng(0)
DURATIONS_S = RNG.uniform(20, 40, 300)
SPANS_S = np.sort(RNG.random((300, 1, 2)), axis=-1) * DURATIONS_S[:, None, None]
SPANS_S[::3, 0, 1] = DURATIONS_S[::3]  # many moments last to the end
EVERY = np.ones((300, 1), bool)


def of(spans_s: np.ndarray, real: np.ndarray = EVERY) -> str | None:
    return suspicion(Predictions(spans_s, np.ones(real.shape), real), DURATIONS_S)


@pytest.mark.parametrize(
    ("scale", "unit"),
    [
        (1 / DURATIONS_S, "within [0, 1]: they look like shares of the duration"),
        (1 / 60, "within [0, 1]: they look like minutes"),
        (100 / DURATIONS_S, "past the end of the video: they look like percent of the duration"),
        (64 / DURATIONS_S, "they look like places among clips (the largest is 64)"),
        (25, "they look like frames, at about 25 a second"),
        (1000, "they look like milliseconds"),
    ],
)
def test_another_unit_is_named(scale: float | np.ndarray, unit: str) -> None:
    text = of(SPANS_S * np.broadcast_to(scale, 300)[:, None, None])
    assert text is not None
    assert unit in text


@pytest.mark.parametrize("factor", [1.0, 0.5, 1.1])
def test_seconds_are_not_suspected(factor: float) -> None:
    assert of(SPANS_S * factor) is None


def test_few_windows_past_the_end_are_not_suspected() -> None:
    spans_s = SPANS_S.copy()
    spans_s[:60] += 100
    assert of(spans_s) is None


def test_a_query_without_an_answer_says_nothing() -> None:
    assert of(np.zeros((300, 1, 2)), ~EVERY) is None
    half = EVERY.copy()
    half[::2] = False
    assert of(np.where(half[..., None], SPANS_S, 0), half) is None
