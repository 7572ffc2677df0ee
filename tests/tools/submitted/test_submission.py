import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgsl.errors import UserError
from mgsl.tools.submitted.submission import Submission, read_submission
from tests.evaluation.oracle import ask

QUERIES = [ask(0), ask(1)]


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def of(windows: dict[str, Any], unanswered: Any = "miss") -> Submission:
        path = tmp_path / "p.json"
        path.write_text(json.dumps(windows))
        return read_submission(path, QUERIES, {}, unanswered)

    return of


def test_answers_are_aligned_ranked_and_padded(read: Any) -> None:
    windows = {"video0-1": [[3, 4, 0.1], [5, 6, 0.9], [7, 8, 0.1]], "video0-0": [[1, 2, 0.5]]}
    submission = read(windows)
    predictions = submission.predictions
    np.testing.assert_array_equal(predictions.spans_s[0], [[1, 2], [0, 0], [0, 0]])
    np.testing.assert_array_equal(predictions.spans_s[1], [[5, 6], [3, 4], [7, 8]])
    np.testing.assert_array_equal(predictions.real, [[True, False, False], [True] * 3])
    assert submission.notes == []
    assert submission.warning is None


def test_without_scores_the_order_of_the_file_ranks(read: Any) -> None:
    predictions = read({"video0-0": [[7, 8], [1, 2], [3, 4]]}).predictions
    np.testing.assert_array_equal(predictions.spans_s[0], [[7, 8], [1, 2], [3, 4]])
    assert np.isnan(predictions.scores[0]).all()


@pytest.mark.parametrize("windows", [{}, {"video0-1": []}])
def test_a_query_without_an_answer_is_a_miss_and_noted(read: Any, windows: dict) -> None:
    submission = read({"video0-0": [[1, 2]], **windows})
    np.testing.assert_array_equal(submission.predictions.real, [[True], [False]])
    assert submission.notes == ["1 of 2 queries have no answer and count as misses: video0-1"]
    with pytest.raises(UserError, match=r"it has no window for video0-1; .* --missing miss"):
        read({"video0-0": [[1, 2]], **windows}, "refuse")


def test_a_file_of_no_windows_misses_all(read: Any) -> None:
    submission = read({"video0-0": [], "video0-1": []})
    assert not submission.predictions.real.any()
    assert submission.predictions.real.shape == (2, 1)


def test_text_is_noted_and_a_strange_unit_warned_of(read: Any) -> None:
    submission = read({"video0-0": [["0.1", "0.9"]], "video0-1": [[0.2, 1]]})
    assert submission.notes == ["numbers that stand as text were read as numbers (1 of 2 answers)"]
    assert "look like shares of the duration; they are scored as seconds" in submission.warning
