"""Whose an answer is: by other spellings of ids, by sentences, and never by a guess."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgsl.errors import UserError
from mgsl.queries import Query
from mgsl.tools.submitted.answer_files import Reply
from mgsl.tools.submitted.matching import match
from tests.evaluation.oracle import ask

PATH = Path("p.jsonl")
# In video0 the third sentence is the first one again; video1 says the same once.
SENTENCES = ["a man opens the door", "He sits.", "a man opens the door", "a man opens the door"]
VIDEOS = ["3MSZA", "3MSZA", "3MSZA", "v_uqi.mp4"]
QUERIES = [
    replace(ask(0), qid=f"{video}-{number}", video=video, sentence=sentence)
    for video, number, sentence in zip(VIDEOS, (0, 1, 2, 0), SENTENCES, strict=True)
]
QIDS = [query.qid for query in QUERIES]


def reply(qid: str | None, query: Query | None = None, place: int = 0) -> Reply:
    windows = np.array([[place, place + 1.0, np.nan]])
    video, sentence = (query.video, query.sentence) if query else (None, None)
    return Reply(f"line {place}", qid, video, sentence, windows, False)


def numbered(queries: Sequence[Query] = QUERIES) -> list[Reply]:
    """As Moment-DETR's family names them: running numbers, with video and sentence."""
    return [reply(str(12404 + place), query, place) for place, query in enumerate(queries)]


def places(answers: Sequence[Reply], queries: Sequence[Query] = QUERIES) -> list[float]:
    """The answer that each query got, by its place."""
    matched, _ = match(PATH, answers, queries, {})
    return [matched[query.qid].windows[0, 0] for query in queries]


def test_ids_are_read_in_silence() -> None:
    matched, notes = match(PATH, [reply(qid) for qid in QIDS], QUERIES, {})
    assert sorted(matched) == sorted(QIDS)
    assert notes == []


@pytest.mark.parametrize(
    "spell",
    [
        lambda qid: qid.replace("-", "_"),
        lambda qid: qid.replace("-", "#"),
        lambda qid: qid.replace("-", " - "),
        lambda qid: qid.lower(),
        lambda qid: qid.replace("-", "-00"),
        lambda qid: qid.replace("A-", "A.avi-"),
        lambda qid: qid.replace("-", "-0").replace(".mp4", ""),
    ],
)
def test_another_spelling_of_an_id_is_read_with_a_note(spell: Callable[[str], str]) -> None:
    matched, (note,) = match(PATH, [reply(spell(qid)) for qid in QIDS[2:]], QUERIES, {})
    assert list(matched) == QIDS[2:]
    assert "ids that are written in another way than here were read" in note


def test_a_spelling_that_two_queries_share_is_refused() -> None:
    queries = [replace(QUERIES[0], qid="aB-0", video="aB"), replace(QUERIES[0], qid="Ab-0")]
    with pytest.raises(UserError, match="unknown: ab_0"):
        match(PATH, [reply("ab_0")], queries, {})


def test_numbers_are_matched_by_video_and_sentence() -> None:
    matched, (note,) = match(PATH, numbered(), QUERIES, {})
    assert list(matched) == QIDS
    assert "matched by video and sentence" in note
    assert places(numbered()) == [0, 1, 2, 3]
    assert places(numbered()[::-1]) == [0, 1, 2, 3]  # the running numbers tell the order
    assert places([replace(answer, qid=None) for answer in numbered()]) == [0, 1, 2, 3]


def test_sentences_and_videos_may_be_spelled_otherwise() -> None:
    answers = [
        replace(a, sentence=f" {str(a.sentence).upper()} .", video=str(a.video).removeprefix("v_"))
        for a in numbered()
    ]
    assert places(answers) == [0, 1, 2, 3]


def test_of_sentences_that_differ_in_a_sign_each_gets_its_own() -> None:
    queries = [replace(QUERIES[0], sentence="He cuts."), replace(QUERIES[1], sentence="he cuts")]
    answers = [reply("5", queries[1], 1), reply("6", queries[0], 0)]
    assert places(answers, queries) == [0, 1]
    lower = [replace(answer, sentence="he cuts") for answer in answers]
    assert places(lower, queries) == [1, 0]  # nothing but the order tells


def test_an_id_that_its_sentence_contradicts_is_not_trusted() -> None:
    """As of people who count from 1."""
    queries = QUERIES[:2]
    answers = [reply("3MSZA-1", queries[0], 0), reply("3MSZA-2", queries[1], 1)]
    assert places(answers, queries) == [0, 1]
    wrong = [replace(answer, sentence="nobody said this") for answer in numbered()]
    renamed = [replace(a, qid=qid) for a, qid in zip(wrong, QIDS, strict=True)]
    matched, (note,) = match(PATH, renamed, QUERIES, {})
    assert list(matched) == QIDS
    assert "4 answers have another sentence than the query of their id, such as line 0" in note


def test_answers_that_are_missing_leave_the_others() -> None:
    matched, _ = match(PATH, [a for a in numbered() if a.sentence != "He sits."], QUERIES, {})
    assert list(matched) == [QIDS[0], *QIDS[2:]]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([reply("12404")], 'unknown: 12404\n.*3MSZA-0\n.*give each answer "vid" and "query"'),
        (
            numbered()[1:],
            "line 2: its video has this sentence 2 times, the file answers it 1 times",
        ),
        ([*numbered(), reply("9", QUERIES[1])], "this sentence 1 times, .* answers it 2 times"),
        ([replace(numbered()[0], sentence="x")], "line 0: no query asks this of its video: 'x'"),
        ([reply("3MSZA-0"), reply("3MSZA_0")], "repeated: 3MSZA-0$"),
        ([reply(f"z-{i}") for i in range(12)], r"z-9, \.\.\. \(12 in all\)"),
    ],
)
def test_what_is_in_doubt_is_refused(answers: list[Reply], message: str) -> None:
    with pytest.raises(UserError, match=rf"(?s)^p\.jsonl must answer .*{message}"):
        match(PATH, answers, QUERIES, {})


def test_released_ids_are_known_and_those_of_another_split_left_out() -> None:
    released = {"uqi-0": None, "uqi-1": QIDS[3]}
    matched, (note,) = match(PATH, [reply("uqi-0"), reply("uqi-1")], QUERIES, released)
    assert list(matched) == [QIDS[3]]
    assert note == "1 answers to queries of another split are left out"
