import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.errors import UserError
from mgsl.evaluation.metrics import per_query
from mgsl.evaluation.predictions import Predictions, read_predictions, write_predictions
from tests.evaluation.oracle import ask, evaluation

QUERIES = [ask(0), ask(1)]
GOOD = {"qid": "video0-0", "pred_relevant_windows": [[1, 2, 0.5]]}


def lines(*rows: Any) -> str:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)


def answer(windows: Any, qid: str = "video0-1") -> str:
    return lines(GOOD, {"qid": qid, "pred_relevant_windows": windows})


def results(windows: Any) -> str:
    good = [{"timestamp": [1, 2], "score": 0.5}]
    return json.dumps({"results": {"video0-0": good, "video0-1": windows}})


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "predictions.jsonl"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_written_file_is_the_communitys(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    spans_s = np.array([[[0.123456, 5], [-0.00001, 9]], [[1, 2], [3, 4]]])
    write_predictions(path, QUERIES, spans_s, np.array([[0.9, 0.1234567], [1.0, 0.5]]), keep=2)
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {
        "qid": "video0-0",
        "query": "a person opens the door",
        "vid": "video0",
        "pred_relevant_windows": [[0.1235, 5.0, 0.9], [0.0, 9.0, 0.123457]],
    }
    assert second["pred_relevant_windows"] == [[1.0, 2.0, 1.0], [3.0, 4.0, 0.5]]
    assert "-0.0" not in path.read_text()


def test_a_file_keeps_the_best_proposals_only(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    spans_s = np.array([[[1, 2], [3, 4], [5, 6]]] * 2, float)
    write_predictions(path, QUERIES, spans_s, np.array([[0.3, 0.2, 0.1]] * 2), keep=2)
    predictions = read_predictions(path, QUERIES)
    np.testing.assert_array_equal(predictions.spans_s, spans_s[:, :2])
    assert predictions.real.all()


@pytest.mark.parametrize("rule", ["per_metric", "fixed", "none"])
def test_what_a_file_leaves_out_changes_no_recall(tmp_path: Path, rule: str) -> None:
    rng = np.random.default_rng(0)
    starts = 3 + rng.normal(size=(2, 400, 1))  # one crowd, so that NMS leaves few of the best
    spans_s = np.concatenate([starts, starts + 2 + rng.random((2, 400, 1))], axis=-1).round(4)
    spans_s[:, 300:] += rng.uniform(0, 20, (2, 100, 1)).round(4)
    scores = np.tile(np.linspace(1, 0, 400), (2, 1))
    write_predictions(tmp_path / "p", QUERIES, spans_s, scores, keep=5)
    kept = read_predictions(tmp_path / "p", QUERIES)
    assert kept.real.sum() < 250
    params = evaluation(nms=rule, nms_threshold=0.3)
    whole = Predictions(spans_s, scores, np.ones((2, 400), bool))
    for target in ([[2.0, 6.0]] * 2, [[9.0, 12.0]] * 2, [[5.0, 8.0], [16.0, 18.5]]):
        expected = per_query(whole, np.array(target), params)
        for name, values in per_query(kept, np.array(target), params).items():
            np.testing.assert_array_equal(values, expected[name])


@given(st.data())
def test_what_is_written_is_read_back(tmp_path_factory: Any, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("round") / "predictions.jsonl"
    number, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    size = number * width
    numbers = st.lists(st.floats(-1e4, 1e4), min_size=2 * size, max_size=2 * size)
    spans_s = np.sort(np.array(data.draw(numbers)).reshape(number, width, 2), axis=-1)
    scores = data.draw(st.lists(st.floats(-1e3, 1e3), min_size=size, max_size=size))
    ranked = -np.sort(-np.array(scores).reshape(number, width), axis=1)
    queries = [ask(i) for i in range(number)]
    write_predictions(path, queries, spans_s, ranked, keep=width)
    once = path.read_bytes()
    predictions = read_predictions(path, queries)
    np.testing.assert_allclose(predictions.spans_s, spans_s, atol=5.1e-5)
    np.testing.assert_allclose(predictions.scores, ranked, atol=5.1e-7)
    assert predictions.real.all()
    write_predictions(path, queries, predictions.spans_s, predictions.scores, keep=width)
    assert path.read_bytes() == once


@pytest.mark.parametrize("windows", [[], [[1, 2, 0.5]]])
def test_both_formats_say_the_same(file: Callable[[str], Path], windows: list) -> None:
    windows = [[4, 6, 0.9], [0, 3, 0.4], *windows]
    stamped = [{"timestamp": [start, end], "score": score} for start, end, score in windows]
    a = read_predictions(file(answer(windows)), QUERIES)
    b = read_predictions(file(results(stamped)), QUERIES)
    np.testing.assert_array_equal(a.spans_s, b.spans_s)
    np.testing.assert_array_equal(a.scores, b.scores)
    np.testing.assert_array_equal(a.real, b.real)


def test_queries_are_aligned_by_id_and_lists_padded(file: Callable[[str], Path]) -> None:
    path = file(lines({"qid": "video0-1", "pred_relevant_windows": [[3, 4, 1], [5, 6, 0]]}, GOOD))
    predictions = read_predictions(path, QUERIES)
    np.testing.assert_array_equal(predictions.spans_s[0], [[1, 2], [0, 0]])
    np.testing.assert_array_equal(predictions.spans_s[1], [[3, 4], [5, 6]])
    np.testing.assert_array_equal(predictions.real, [[True, False], [True, True]])


def test_scores_rank_and_ties_keep_the_order_of_the_file(file: Callable[[str], Path]) -> None:
    path = file(answer([[1, 2, 0.1], [3, 4, 0.5], [5, 6, 0.9], [7, 8, 0.5]]))
    predictions = read_predictions(path, QUERIES)
    np.testing.assert_array_equal(predictions.spans_s[1], [[5, 6], [3, 4], [7, 8], [1, 2]])
    np.testing.assert_array_equal(predictions.scores[1], [0.9, 0.5, 0.5, 0.1])


@pytest.mark.parametrize(
    "text",
    [
        answer([[7, 8], [1, 2], [3, 4]]),
        results([{"timestamp": span} for span in ([7, 8], [1, 2], [3, 4])]),
    ],
)
def test_without_scores_the_order_of_the_file_ranks(file: Callable[[str], Path], text: str) -> None:
    predictions = read_predictions(file(text), QUERIES)
    np.testing.assert_array_equal(predictions.spans_s[1], [[7, 8], [1, 2], [3, 4]])
    assert np.isnan(predictions.scores[1]).all()


def test_windows_out_of_the_video_are_left_as_they_are(file: Callable[[str], Path]) -> None:
    predictions = read_predictions(file(answer([[-3, 99, 1]])), QUERIES)
    np.testing.assert_array_equal(predictions.spans_s[1], [[-3, 99]])


def test_blank_lines_a_byte_order_mark_and_number_ids_are_read(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    row = json.dumps({"qid": 7, "pred_relevant_windows": [[1, 2, 0.5]]})
    path.write_text(f"\n{row}\r\n\n", encoding="utf-8-sig")
    (query,) = (ask(0),)
    numbered = type(query)(**{**vars(query), "qid": "7"})
    np.testing.assert_array_equal(read_predictions(path, [numbered]).spans_s, [[[1, 2]]])


def test_a_document_may_be_indented_and_say_more_than_its_results(
    file: Callable[[str], Path],
) -> None:
    document = {"version": "1", **json.loads(results([{"timestamp": [3, 4], "score": 1}]))}
    predictions = read_predictions(file(json.dumps(document, indent=2)), QUERIES)
    np.testing.assert_array_equal(predictions.spans_s[1], [[3, 4]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("hello", "line 1: not JSON"),
        (lines(GOOD, "{broken"), "line 2: not JSON: .*column 2"),
        (lines('{"qid": "video0-0", ', GOOD), "line 1: not JSON"),
        ('{"results": {\n"video0-0": [}', "line 2: not JSON"),
        ("[" * 200_000, "nested too deeply; expected JSON lines"),
        ('{"results": ' + "[" * 200_000, "nested too deeply"),
        (lines(GOOD, '{"qid": ' + "[" * 200_000), "nested too deeply"),
        (answer([[1, int("9" * 4000)]]), "line 2, query video0-1: expected windows"),
        (lines(GOOD, '{"qid": ' + "9" * 5000 + "}"), "line 2 cannot be read: .*4300 digits"),
        ('{"results": {\n"video0-0": ' + "9" * 5000 + "}}", "cannot be read: .*4300 digits"),
        (lines([GOOD, GOOD]), r"line 1: got \[.*\.\.\.; expected JSON lines"),
        (json.dumps([GOOD], indent=1), 'holds no object "results"; expected JSON lines'),
        ('{"results": [1, 2]}', 'holds no object "results"'),
        (lines({"id": "video0-0"}), 'line 1: got {"id": "video0-0"}; expected JSON lines'),
        (lines(GOOD, 3), "line 2: got 3"),
        (answer([[1, "2", 0.5]]), r"line 2, query video0-1: expected windows .*, got \[\[1, \"2\""),
        (answer([[1, 2, None]]), "line 2, query video0-1: expected windows"),
        (answer([[1, 2, 0.5], [3, 4]]), "all with a score or none, got"),
        (answer([[1, 2, 3, 4]]), "line 2, query video0-1: expected windows"),
        (answer([1, 2, 0.5]), "line 2, query video0-1: expected windows"),
        (answer("none"), "line 2, query video0-1: expected windows"),
        (answer([[True, False]]), "line 2, query video0-1: expected windows"),
        (results([{"time": [1, 2]}]), r"query video0-1: expected \[{\"timestamp\""),
        (results([[1, 2]]), r"query video0-1: expected \[{\"timestamp\""),
        (results(None), r"query video0-1: expected \[{\"timestamp\".*got null"),
        (results([{"timestamp": [1]}]), r"query video0-1: expected windows .*, got \[\[1\]\]"),
        (answer([[1, float("nan"), 0.5]]), r"line 2, query video0-1 has .*finite: \[1.0, nan"),
        (answer([[1, 2, float("inf")]]), "line 2, query video0-1 has a window that is not finite"),
        (answer([[1, 2, 0.5], [4, 3, 0.4]]), r"ends before it starts: \[4.0, 3.0, 0.4\]"),
        (results([{"timestamp": [5, 1]}]), r"query video0-1 has .* starts: \[5, 1\]"),
        (answer([]), "has no windows for video0-1; a query needs at least one"),
        (results([]), "has no windows for video0-1; a query needs at least one"),
        (lines(GOOD), r"each of the 2 queries once, and no other:\n  missing: video0-1$"),
        (lines(GOOD, GOOD), r"\n  repeated: video0-0\n  missing: video0-1$"),
        (
            answer([[1, 2]], qid="b"),
            r"\n  unknown: b\n  missing: video0-1\n  an id is .*: video0-0$",
        ),
        ('{"results": {"a": [], "a": []}}', r"\n  repeated: a\n  unknown: a\n  missing: video0-0"),
    ],
)
def test_a_wrong_file_is_refused_by_place_and_value(
    file: Callable[[str], Path], text: str, message: str
) -> None:
    path = file(text)
    with pytest.raises(UserError, match=rf"(?s)^{path}.*{message}"):
        read_predictions(path, QUERIES)


def test_of_many_wrong_ids_ten_are_named_and_all_counted(file: Callable[[str], Path]) -> None:
    with pytest.raises(UserError) as error:
        read_predictions(file(lines(GOOD)), [ask(number) for number in range(14)])
    missing = [ask(number).qid for number in range(1, 11)]
    assert str(error.value).endswith(f"  missing: {', '.join(missing)}, ... (13 in all)")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.jsonl is missing"):
        read_predictions(tmp_path / "nothing.jsonl", QUERIES)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_predictions(tmp_path, QUERIES)
    (tmp_path / "binary").write_bytes(b"{\xff")
    with pytest.raises(UserError, match="not UTF-8 text, see its byte 1"):
        read_predictions(tmp_path / "binary", QUERIES)


@pytest.mark.parametrize(
    ("span", "scores", "message"),
    [
        ([1, np.nan], [0.5, 0.4], r"query video0-1 has a window that is not finite: \[1.0, nan"),
        ([1, 2], [0.5, np.inf], "query video0-1 has a window that is not finite"),
        ([2, 1], [0.5, 0.4], "query video0-1 has a window that ends before it starts"),
        ([1, 2], [0.4, 0.5], "query video0-1 has its best proposal not first"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    tmp_path: Path, span: list, scores: list, message: str
) -> None:
    spans_s = np.array([[[1, 2], [3, 4]], [[1, 2], span]], float)
    with pytest.raises(ValueError, match=message):
        write_predictions(tmp_path / "p", QUERIES, spans_s, np.array([[1.0, 0.5], scores]), keep=2)
    assert list(tmp_path.iterdir()) == []


def test_every_query_needs_its_proposals(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 queries but proposals for 1"):
        write_predictions(tmp_path / "p", QUERIES, np.zeros((1, 1, 2)), np.zeros((1, 1)), keep=1)
