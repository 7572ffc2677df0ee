"""Answers as they are written: seconds, and scores that only fall."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mgsl.evaluation.predictions import write_predictions
from mgsl.models.parts.windows import rank
from mgsl.training.answering import ROUNDING, level
from tests.evaluation.oracle import ask

SEEN = [0.0002865222340915352, 0.0002865222340915352, 0.00028652226319536567]  # of CTRL, trained
IN_UNIT = st.floats(0, 1, width=32)


def test_a_rise_by_a_rounding_is_levelled() -> None:
    scores = np.array([[0.9, *SEEN, 0.0]])
    assert level(scores).tolist() == [[0.9, *SEEN[:2], SEEN[1], 0.0]]


@given(arrays.arrays(np.float64, (3, 7), elements=IN_UNIT))
def test_scores_that_fall_stay_as_they_are(scores: np.ndarray) -> None:
    falling = -np.sort(-scores, axis=1)
    assert level(falling).tobytes() == falling.tobytes()


@given(st.floats(-15, 15, width=32), st.integers(2, 130))
def test_what_is_ranked_by_logits_falls_even_between_neighbouring_floats(
    first: float, number: int
) -> None:
    logits = np.float32(first) - np.arange(number) * np.spacing(np.float32(first))
    row = torch.from_numpy(logits.astype(np.float32))[None]
    ranked = rank(torch.zeros(1, number, 2), row, torch.ones(1, number, dtype=torch.bool))
    scores = ranked.scores.double().numpy()
    assert (np.diff(level(scores)) <= 0).all()
    assert np.abs(level(scores) - scores).max() <= ROUNDING


def test_a_proposal_that_is_not_in_its_place_is_still_refused(tmp_path: Path) -> None:
    scores = level(np.array([[0.5, 0.5 + 2 * ROUNDING]]))
    spans_s = np.array([[[0.0, 1.0], [1.0, 2.0]]])
    with pytest.raises(ValueError, match=r"query video0-0 has its best proposal not first"):
        write_predictions(tmp_path / "p.jsonl", [ask(0)], spans_s, scores, keep=2)
