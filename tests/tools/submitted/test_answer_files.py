"""Files as people have them, and files that cannot be read."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgsl.errors import UserError
from mgsl.tools.submitted.answer_files import read_answers

GOOD = {"qid": "video0-0", "pred_relevant_windows": [[1, 2, 0.5]]}
ROWS = [GOOD, {"qid": "video0-1", "pred_relevant_windows": [[3, 4, 0.9], [5, 6, 0.1]]}]
STAMPED = {
    row["qid"]: [{"timestamp": w[:2], "score": w[2]} for w in row["pred_relevant_windows"]]
    for row in ROWS
}
PLAIN = {row["qid"]: row["pred_relevant_windows"] for row in ROWS}


def lines(*rows: Any) -> str:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)


def answer(windows: Any) -> str:
    return lines(GOOD, {"qid": "video0-1", "pred_relevant_windows": windows})


def results(windows: Any) -> str:
    return json.dumps({"results": {"video0-0": STAMPED["video0-0"], "video0-1": windows}})


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "predictions"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        lines(*ROWS),
        lines("", *ROWS, ""),
        lines(*ROWS).replace("\n", "\r\n"),
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps({"results": STAMPED}),
        json.dumps({"version": "1", "results": STAMPED}, indent=2),
        json.dumps({"results": PLAIN}),
        json.dumps({"results": ROWS}),
        json.dumps(PLAIN),
        lines(*ROWS).encode("utf-8-sig"),
        lines(*ROWS).encode("utf-16"),
        gzip.compress(lines(*ROWS).encode(), mtime=0),
        gzip.compress(json.dumps({"results": STAMPED}).encode(), mtime=0),
    ],
)
def test_every_form_says_the_same(
    file: Callable[[str | bytes], Path], content: str | bytes
) -> None:
    first, second = read_answers(file(content))
    assert (first.qid, second.qid) == ("video0-0", "video0-1")
    np.testing.assert_array_equal(first.windows, [[1, 2, 0.5]])
    np.testing.assert_array_equal(second.windows, [[3, 4, 0.9], [5, 6, 0.1]])
    assert not first.as_text


def test_one_line_alone_is_a_file(file: Callable[[str | bytes], Path]) -> None:
    (only,) = read_answers(file(lines(GOOD)))
    assert only.qid == "video0-0"


def test_a_line_may_name_its_query_by_video_and_sentence(
    file: Callable[[str | bytes], Path],
) -> None:
    row = {"vid": "AAAAA", "query": "a door", "pred_relevant_windows": [[1, 2]]}
    numbered, nameless = read_answers(file(lines({**row, "qid": 7}, row)))
    assert (numbered.qid, numbered.video, numbered.sentence) == ("7", "AAAAA", "a door")
    assert nameless.qid is None


@pytest.mark.parametrize("window", [["1", "2.5"], [1, "2.5"], {"timestamp": ["1", "2.5"]}])
def test_numbers_as_text_are_numbers(file: Callable[[str | bytes], Path], window: Any) -> None:
    _, second = read_answers(file(answer([window])))
    np.testing.assert_array_equal(second.windows, [[1, 2.5, np.nan]])
    assert second.as_text


@pytest.mark.parametrize("windows", [[], None])
def test_no_window_is_no_answer(file: Callable[[str | bytes], Path], windows: Any) -> None:
    _, second = read_answers(file(answer(windows)))
    assert len(second.windows) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; expected JSON lines"),
        (" \n\n", "is empty"),
        ("[]", "has no answer; expected"),
        ("hello", "line 1: not JSON"),
        ("qid,start,end\nvideo0-0,1,2\n", "line 1: not JSON: .*; expected JSON lines"),
        (lines(GOOD, "{broken"), "line 2: not JSON: .*column 2"),
        (lines('{"qid": "video0-0", ', GOOD), "line 1: not JSON"),
        ('{"results": {\n"video0-0": [}', "line 2: not JSON"),
        ("[" * 200_000, "nested too deeply; expected JSON lines"),
        (lines(GOOD, '{"qid": ' + "[" * 200_000), "nested too deeply"),
        (answer([[1, int("9" * 4000)]]), "line 2, query video0-1: expected windows"),
        (lines(GOOD, '{"qid": ' + "9" * 5000 + "}"), "line 2 cannot be read: .*4300 digits"),
        ('{"results": {\n"video0-0": ' + "9" * 5000 + "}}", "cannot be read: .*4300 digits"),
        ("{}", "got {}; expected"),
        ("3", "got 3; expected"),
        (json.dumps([GOOD, 3]), "entry 2: got 3; expected"),
        ('{"results": 1}', 'got {"results": 1}'),
        (lines(GOOD, {"qid": "video0-1"}), 'line 2: got {"qid": "video0-1"}; expected JSON lines'),
        (lines(GOOD, {"vid": "a", "pred_relevant_windows": []}), 'has no "qid", nor "vid" and "q'),
        (answer([[1, "two", 0.5]]), r"line 2, query video0-1: expected windows .*\"two\""),
        (answer([["1", "2_0"]]), "line 2, query video0-1: expected windows"),
        (answer([["0:24", "0:30"]]), "line 2, query video0-1: expected windows"),
        (answer([["1", "inf"]]), "line 2, query video0-1 has a window that is not finite"),
        (answer([[1, 2, None]]), "line 2, query video0-1: expected windows"),
        (answer([[1, 2, 0.5], [3, 4]]), "all with a score or none, got"),
        (answer([[1, 2, 3, 4]]), "line 2, query video0-1: expected windows"),
        (answer([1, 2, 0.5]), "line 2, query video0-1: expected windows"),
        (answer("none"), "line 2, query video0-1: expected windows"),
        (answer([[True, False]]), "line 2, query video0-1: expected windows"),
        (results([{"time": [1, 2]}]), r"query video0-1: expected windows .*\"time\""),
        (results([{"timestamp": [1]}]), r"query video0-1: expected windows"),
        (answer([[1, float("nan"), 0.5]]), r"line 2, query video0-1 has .*finite: \[1.0, nan"),
        (answer([[1, 2, 0.5], [4, 3, 0.4]]), r"ends before it starts: \[4.0, 3.0, 0.4\]; expect"),
        (b"PK\x03\x04\xff", "no text, see its byte 4: unpack the archive first"),
        (b"{\xff", "no text, see its byte 1"),
        (gzip.compress(b"[]" * 99, mtime=0)[:-9], "cannot be unpacked"),
        (gzip.compress(b"\xff\xff\xff", mtime=0), "no text, see its byte 0"),
    ],
)
def test_what_cannot_be_read_is_told_by_place_and_value(
    file: Callable[[str | bytes], Path], content: str | bytes, message: str
) -> None:
    path = file(content)
    with pytest.raises(UserError, match=rf"(?s)^{path}.*{message}"):
        read_answers(path)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.jsonl is missing"):
        read_answers(tmp_path / "nothing.jsonl")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_answers(tmp_path)
