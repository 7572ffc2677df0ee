"""The prediction file: what a method answered, in formats that other evaluators share.

Written    JSON lines, one query each:
           {"qid", "query", "vid", "pred_relevant_windows": [[start_s, end_s, score], ...]}
Read       the same, where the score is optional, and
           {"results": {qid: [{"timestamp": [start_s, end_s], "score": x}, ...]}}

A qid is `<video>-<i>`, or what the released predictions of JaywongWang/CBP and JaywongWang/TGN have
instead (`mgsl.evaluation.released`).
Where the windows of a query have scores, the highest comes first and ties keep the file's order;
where they have none, the file's order is the ranking. Windows that reach out of the video are
scored as they are: what lies outside counts in the union.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from mgsl.errors import UserError, missing
from mgsl.evaluation.released import Released
from mgsl.files import write_json_lines
from mgsl.queries import Query
from mgsl.spans import leaders

_SECONDS_DECIMALS = 4
_SCORE_DECIMALS = 6
_THRESHOLDS = [k / 20 for k in range(1, 21)]  # of NMS; the last suppresses nothing
_PART = 256  # queries
_LISTED = 10  # how many ids an error names
_SHOWN = 80  # characters of a value in a message
_FORMATS = 'JSON lines with "qid" and "pred_relevant_windows", or {"results": {qid: [...]}}'

# start_s, end_s, score; the score is NaN where the file gives none
Windows = Float[np.ndarray, "windows 3"]


@dataclass(frozen=True)
class Predictions:
    """Ranked proposals of each query, best first, in the order of the queries.

    `spans_s` are seconds. `real` is False where a query has fewer proposals than another; every
    query has at least one, and its real ones come first. `scores` are NaN where none were given.
    """

    spans_s: Float[np.ndarray, "queries proposals 2"]
    scores: Float[np.ndarray, "queries proposals"]
    real: Bool[np.ndarray, "queries proposals"]


def ranked(windows: Sequence[np.ndarray]) -> Predictions:
    """Of the windows of each query: the highest score first, ties in order, padding last.

    Args:
        windows: `Windows` of each query, at least one query; a query may have none.
    """
    counts = np.array([len(rows) for rows in windows])
    real = np.arange(max(1, counts.max())) < counts[:, None]
    table = np.zeros((*real.shape, 3))
    table[real] = np.concatenate(windows)
    keys = np.where(real, -np.nan_to_num(table[..., 2]), np.inf)
    table = np.take_along_axis(table, keys.argsort(axis=1, kind="stable")[..., None], axis=1)
    return Predictions(spans_s=table[..., :2], scores=table[..., 2], real=real)


class RepeatingObject(dict[str, Any]):
    """A JSON object that also remembers the keys it repeats."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def write_predictions(
    path: Path,
    queries: Sequence[Query],
    spans_s: Float[np.ndarray, "queries proposals 2"],
    scores: Float[np.ndarray, "queries proposals"],
    keep: int,
) -> None:
    """Write the proposals that matter, atomically; equal inputs give equal bytes.

    Of each query the file has those that NMS at any multiple of 0.05 leaves first, and the best
    without NMS. So R@n, for n up to `keep`, is what it would be if the file had all.

    Args:
        path: the JSON lines written.
        queries: what was asked, in the order of the rows of `spans_s`.
        spans_s: proposals, best first, in seconds.
        scores: the higher the better, so falling or level along a row.
        keep: how many of those that each NMS leaves, at least 1.

    Raises:
        ValueError: a number is not finite, a span is reversed, or a score is above the one before
            it; the message names the query.
    """
    if len(queries) != len(spans_s):
        raise ValueError(f"{len(queries)} queries but proposals for {len(spans_s)}")
    windows = np.concatenate([spans_s, scores[..., None]], axis=-1).astype(np.float64)
    for query, rows in zip(queries, windows, strict=True):
        if problem := problem_of(rows):
            raise ValueError(f"{path} is not written: query {query.qid} has {problem}")
    rising = (np.diff(windows[..., 2], axis=1) > 0).any(axis=1)
    if rising.any():
        qid = queries[int(rising.argmax())].qid
        raise ValueError(f"{path} is not written: query {qid} has its best proposal not first")
    windows[..., :2] = windows[..., :2].round(_SECONDS_DECIMALS)
    windows[..., 2] = windows[..., 2].round(_SCORE_DECIMALS)
    windows += 0.0  # turns negative zeros into zeros
    masks = [  # a part at a time, since there may be thousands of proposals a query
        leaders(windows[first : first + _PART, :, :2], thresholds=_THRESHOLDS, keep=keep)
        for first in range(0, len(windows), _PART)
    ]
    write_json_lines(
        path,
        (
            {
                "qid": query.qid,
                "query": query.sentence,
                "vid": query.video,
                "pred_relevant_windows": rows[mask].tolist(),
            }
            for query, rows, mask in zip(queries, windows, np.concatenate(masks), strict=True)
        ),
    )


def read_predictions(
    path: Path, queries: Sequence[Query], released: Released | None = None
) -> Predictions:
    """Read a prediction file of either format, and align it with the queries.

    Args:
        path: the prediction file.
        queries: what was asked, at least one; the file must answer each once, in any order, and
            nothing else.
        released: what the queries may be called besides; answers to those of another split are
            left out.

    Raises:
        UserError: the file is missing, empty or malformed; it lacks a query, repeats one or has one
            that was not asked; a query has no window; a number is not finite; a span is reversed.
    """
    released = released or {}
    asked = [query.qid for query in queries]
    try:
        named = [(released.get(qid, qid), windows) for qid, windows in _answers(path)]
    except RecursionError:
        raise UserError(f"{path} is nested too deeply; expected {_FORMATS}") from None
    answers = [(qid, windows) for qid, windows in named if qid is not None]
    _check_ids(path, asked, [qid for qid, _ in answers], released, len(named) - len(answers))
    windows_of = dict(answers)
    if empty := [qid for qid in asked if len(windows_of[qid]) == 0]:
        raise UserError(f"{path} has no windows for {_listing(empty)}; a query needs at least one")
    return ranked([windows_of[qid] for qid in asked])


def _check_ids(
    path: Path, asked: Sequence[str], answered: Sequence[str], released: Released, left_out: int
) -> None:
    known, counts = set(asked), Counter(answered)
    wrong = {
        "repeated": [qid for qid, count in counts.items() if count > 1],
        "unknown": [qid for qid in counts if qid not in known],
        "missing": [qid for qid in asked if qid not in counts],
    }
    if lines := [f"  {what}: {_listing(qids)}" for what, qids in wrong.items() if qids]:
        head = f"{path} must answer each of the {len(asked)} queries once, and no other:"
        if wrong["unknown"] or left_out:
            lines.append(_rule(asked[0], released, left_out))
        raise UserError("\n".join([head, *lines]))


def _rule(asked: str, released: Released, left_out: int) -> str:
    rule = f"  an id is <video>-<i>, the i-th sentence of its video in its file: {asked}"
    if other := next((name for name, qid in released.items() if qid == asked), None):
        rule += f"; or, as JaywongWang/CBP has it, {other}"
    return rule + (f"; by the latter, {left_out:,} answers are left out" if left_out else "")


def _listing(qids: Sequence[str]) -> str:
    shown = ", ".join(qids[:_LISTED])
    return shown if len(qids) <= _LISTED else f"{shown}, ... ({len(qids)} in all)"


def _answers(path: Path) -> Iterator[tuple[str, Windows]]:
    """Each query's id and windows as the file has them, in either format."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise missing(path, "name an existing prediction file") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text, see its byte {error.start}") from None
    if not text.strip():
        raise UserError(f"{path} is empty; expected {_FORMATS}")
    return _from_document(path, text) if _is_document(text) else _from_lines(path, text)


def _is_document(text: str) -> bool:
    """Whether the text is one JSON document, and not one a line."""
    try:
        first, end = json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
        return '"qid"' not in text
    return "\n" in text.lstrip()[:end] or (isinstance(first, dict) and "results" in first)


def _from_document(path: Path, text: str) -> Iterator[tuple[str, Windows]]:
    try:
        document = json.loads(text, object_pairs_hook=RepeatingObject)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not JSON: {error.msg}") from None
    except ValueError as error:  # a number with thousands of digits
        raise UserError(f"{path} cannot be read: {error}") from None
    results = document.get("results") if isinstance(document, RepeatingObject) else None
    if not isinstance(results, RepeatingObject):
        raise UserError(f'{path} holds no object "results"; expected {_FORMATS}')
    for qid, windows in results.pairs:
        where = f"{path}, query {qid}"
        try:
            rows = [
                [*window["timestamp"], *([window["score"]] if "score" in window else [])]
                for window in windows
            ]
        except (KeyError, TypeError):
            form = '[{"timestamp": [start_s, end_s], "score": x}, ...]'
            raise UserError(f"{where}: expected {form}, got {shortened(windows)}") from None
        yield qid, _windows(rows, where)


def _from_lines(path: Path, text: str) -> Iterator[tuple[str, Windows]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{where}: not JSON: {error.msg}, column {error.colno}") from None
        except ValueError as error:
            raise UserError(f"{where} cannot be read: {error}") from None
        if not isinstance(row, dict) or not {"qid", "pred_relevant_windows"} <= row.keys():
            raise UserError(f"{where}: got {shortened(row)}; expected {_FORMATS}")
        yield (
            str(row["qid"]),
            _windows(row["pred_relevant_windows"], f"{where}, query {row['qid']}"),
        )


def _windows(rows: Any, where: str) -> Windows:
    """One query's windows as numbers that can be scored; `where` opens the message of an error."""
    if rows == []:
        return np.empty((0, 3))
    try:
        table = np.array(rows)
        right = table.dtype.kind in "iuf" and table.ndim == 2 and table.shape[1] in (2, 3)
    except ValueError:  # windows of different lengths
        right = False
    if not right:
        form = "windows [start_s, end_s, score], all with a score or none"
        raise UserError(f"{where}: expected {form}, got {shortened(rows)}")
    if problem := problem_of(table):
        raise UserError(f"{where} has {problem}")
    if table.shape[1] == 2:
        return np.column_stack([table, np.full(len(table), np.nan)])
    return table.astype(np.float64)


def problem_of(windows: np.ndarray) -> str | None:
    """The first window that cannot be scored, in words."""
    finite = np.isfinite(windows).all(axis=1)
    if not finite.all():
        return f"a window that is not finite: {windows[finite.argmin()].tolist()}"
    reverse = windows[:, 0] > windows[:, 1]
    if reverse.any():
        span = windows[reverse.argmax()].tolist()
        return f"a window that ends before it starts: {span}; expected [start_s, end_s]"
    return None


def shortened(value: Any) -> str:
    """A JSON value as a message shows it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
