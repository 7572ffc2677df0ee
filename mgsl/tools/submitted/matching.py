"""Whose an answer is: by the id of its query, else by its video and its sentence.

An id is `<video>-<i>`, as here, or what releases have instead (`mgsl.evaluation.released`). Another
spelling of it is read where it can be of one query only: `3MSZA_0`, `3msza-0`, `3MSZA.mp4-0`. Where
the ids of a file say nothing here, as the running numbers of Moment-DETR's family, or contradict
the sentences beside them, its answers are matched by video and sentence. A sentence that is said of
a video several times is matched in order, if the file answers it as often.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from mgsl.errors import UserError
from mgsl.evaluation.released import Released
from mgsl.queries import Query
from mgsl.tools.submitted.answer_files import Reply

_LISTED = 10  # how many ids a message names
_EXTENSION = r"(?:\.(?:avi|mp4|mkv|webm))?"
_ID = re.compile(rf"(.+?){_EXTENSION}\s*[-_#:./ ]\s*0*(\d+)", re.IGNORECASE)
_VIDEO = re.compile(rf"(?:v_)?(.+?){_EXTENSION}", re.IGNORECASE)

Owners = list[str | None]  # of each answer, the id of its query here; None: it is of another split


def match(
    path: Path, answers: Sequence[Reply], queries: Sequence[Query], released: Released
) -> tuple[dict[str, Reply], list[str]]:
    """The answer to each query that has one, and what there is to say about their names.

    Args:
        path: of the file, for messages.
        answers: those of the file.
        queries: what was asked.
        released: what the queries may be called besides.

    Raises:
        UserError: an answer is of no query, or a query has two.
    """
    exact: Mapping[str, str | None] = {query.qid: query.qid for query in queries} | dict(released)
    similar = _similar(exact)
    owners, unknown = _by_id(answers, exact, similar)
    sentences = {query.qid: _words(query.sentence) for query in queries}
    contradicted = [
        answer
        for answer, qid in zip(answers, owners, strict=True)
        if qid and answer.sentence and _words(answer.sentence) != sentences[qid]
    ]
    notes, problem = [], None
    if unknown or contradicted:
        by_sentence, problem = _by_sentence(answers, queries)
        if problem is None:
            owners, unknown, contradicted = by_sentence, [], []
            notes.append("the ids are not those used here: matched by video and sentence")
    _check(path, owners, unknown, [_hint(queries[0].qid, exact), problem or ""])
    if contradicted:
        notes.append(
            f"{len(contradicted):,} answers have another sentence than the query of their id, "
            f"such as {contradicted[0].where}"
        )
    names = [answer.qid for answer in answers if answer.qid not in exact]
    if names and not notes:
        notes.append(
            f"ids that are written in another way than here were read ({len(names):,} of "
            f"{len(answers):,}, such as {names[0]})"
        )
    if left_out := owners.count(None):
        notes.append(f"{left_out:,} answers to queries of another split are left out")
    return {q: answer for q, answer in zip(owners, answers, strict=True) if q is not None}, notes


def _similar(exact: Mapping[str, str | None]) -> dict[tuple[str, int], str | None]:
    """Queries by what their ids have in common with other spellings, where that is one query's."""
    owners = defaultdict(set)
    for name, qid in exact.items():
        if key := _key(name):
            owners[key].add(qid)
    return {key: qids.pop() for key, qids in owners.items() if len(qids) == 1}


def _key(name: str | None) -> tuple[str, int] | None:
    parts = _ID.fullmatch((name or "").strip())
    return (parts[1].casefold(), int(parts[2])) if parts else None


def _by_id(
    answers: Sequence[Reply],
    exact: Mapping[str, str | None],
    similar: Mapping[tuple[str, int], str | None],
) -> tuple[Owners, list[str]]:
    """Owners, and the names that lead to none."""
    owners: Owners = []
    unknown = []
    for answer in answers:
        name, key = answer.qid or "", _key(answer.qid)
        if name in exact:
            owners.append(exact[name])
        elif key is not None and key in similar:
            owners.append(similar[key])
        else:
            owners.append(None)
            unknown.append(name or answer.where)
    return owners, unknown


def _by_sentence(answers: Sequence[Reply], queries: Sequence[Query]) -> tuple[Owners, str | None]:
    """Owners by video and sentence, and the first answer that has none, in words."""
    known: dict[tuple[str, str], list[Query]] = defaultdict(list)
    for query in queries:
        known[_video(query.video), _words(query.sentence)].append(query)
    given: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, answer in enumerate(answers):
        if answer.video is None or answer.sentence is None:
            return [], 'give each answer "vid" and "query", by which it is matched as well'
        given[_video(answer.video), _words(answer.sentence)].append(place)
    owners: Owners = [None] * len(answers)
    for key, places in given.items():
        first, times = answers[places[0]], len(known[key])
        if not times:
            return [], f"{first.where}: no query asks this of its video: {first.sentence!r}"
        if times != len(places):
            return [], (
                f"{first.where}: its video has this sentence {times} times, the file answers it "
                f"{len(places)} times: {first.sentence!r}"
            )
        pairs = _in_order([answers[place] for place in places], known[key])
        for place, query in zip(places, pairs, strict=True):
            owners[place] = query.qid
    return owners, None


def _in_order(answers: Sequence[Reply], queries: Sequence[Query]) -> list[Query]:
    """The query of each answer, where all are the same words: by spelling, then in order."""
    said = [str(answer.sentence) for answer in answers]
    numbers = [answer.qid or "" for answer in answers]
    order = list(range(len(answers)))
    if all(number.isdecimal() for number in numbers):  # running numbers go as the queries do
        order.sort(key=lambda place: int(numbers[place]))
    ranked = list(queries)
    if Counter(said) == Counter(query.sentence for query in queries):
        order.sort(key=lambda place: said[place])
        ranked.sort(key=lambda query: query.sentence)
    return [query for _, query in sorted(zip(order, ranked, strict=True), key=lambda pair: pair[0])]


def _check(path: Path, owners: Owners, unknown: Sequence[str], hints: Sequence[str]) -> None:
    repeated = [q for q, count in Counter(owners).items() if q is not None and count > 1]
    wrong = {"repeated": repeated, "unknown": list(dict.fromkeys(unknown))}
    if lines := [f"  {what}: {listing(names)}" for what, names in wrong.items() if names]:
        head = f"{path} must answer each query of the test split once, and no other:"
        lines += [f"  {hint}" for hint in hints if hint and unknown]
        raise UserError("\n".join([head, *lines]))


def _hint(qid: str, exact: Mapping[str, str | None]) -> str:
    rule = f"an id is <video>-<i>, the i-th sentence of its video in its file, from 0: {qid}"
    if other := next((name for name, owner in exact.items() if owner == qid != name), None):
        rule += f"; or, as JaywongWang/CBP has it, {other}"
    return rule


def listing(names: Sequence[str]) -> str:
    """The first few names, and how many there are."""
    shown = ", ".join(names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown}, ... ({len(names):,} in all)"


def _video(name: str) -> str:
    parts = _VIDEO.fullmatch(name.strip())
    return (parts[1] if parts else name).casefold()


def _words(sentence: str) -> str:
    """A sentence without what is spelled differently by different people: case, signs, spaces."""
    return " ".join(re.findall(r"\w+", sentence.casefold())) or sentence.strip()
