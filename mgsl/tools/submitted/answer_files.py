"""The answers of a prediction file, in every form that leaves no doubt what is meant.

Read   {"qid", "vid", "query", "pred_relevant_windows": WINDOWS}, as Moment-DETR and its family
       write it: one a line, or a JSON list of them; qid suffices, and so do vid and query
       {"results": {qid: WINDOWS}}, as JaywongWang/CBP and JaywongWang/TGN do, or {qid: WINDOWS}

WINDOWS is a list of [start_s, end_s], of [start_s, end_s, score] or of {"timestamp": [start_s,
end_s], "score": x}, where the score is optional. Numbers may stand as text, and a file may be
gzipped.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgsl.errors import UserError, missing
from mgsl.evaluation.predictions import RepeatingObject, Windows, problem_of, shortened

FORMS = (
    'JSON lines or a list of {"qid": x, "pred_relevant_windows": [[start_s, end_s, score], ...]}, '
    'or {"results": {qid: [{"timestamp": [start_s, end_s], "score": x}, ...]}}'
)
_WINDOWS = "windows [start_s, end_s, score], all with a score or none"
_VIDEO, _SENTENCE = ("vid", "video", "video_id"), ("query", "sentence")


@dataclass(frozen=True)
class Reply:
    """What a file answers to one query, under the names that it has for it.

    `windows` is empty where the file has none; a score that it does not give is NaN. `as_text` says
    whether a number of them was written as text, `where` opens a message.
    """

    where: str
    qid: str | None
    video: str | None
    sentence: str | None
    windows: Windows
    as_text: bool


def read_answers(path: Path) -> list[Reply]:
    """Every answer of a file, in its order.

    Raises:
        UserError: the file is missing, empty or malformed; a number is not finite; a window ends
            before it starts. The message names the place and the value met.
    """
    text = _text(path)
    if not text.strip():
        raise UserError(f"{path} is empty; expected {FORMS}")
    try:
        values = list(_values(path, text))
        answers = [answer for where, value in values for answer in _answers(where, value)]
    except RecursionError:
        raise UserError(f"{path} is nested too deeply; expected {FORMS}") from None
    if not answers:
        raise UserError(f"{path} has no answer; expected {FORMS}")
    return answers


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        return content.decode(json.detect_encoding(content))
    except FileNotFoundError:
        raise missing(path, "name an existing prediction file") from None
    except UnicodeDecodeError as error:
        advice = ": unpack the archive first" if content.startswith(b"PK") else ""
        raise UserError(f"{path} is no text, see its byte {error.start}{advice}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} cannot be unpacked: {error}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _values(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    """The JSON values of a file, and where they stand: one alone, or one a line."""
    first, _, rest = text.strip().partition("\n")
    try:
        yield str(path), json.loads(text, object_pairs_hook=RepeatingObject)
        return
    except json.JSONDecodeError as error:
        if not (_is_json(first) and rest) and '"qid"' not in first:
            message = f"not JSON: {error.msg}; expected {FORMS}"
            raise UserError(f"{path}, line {error.lineno}: {message}") from None
    except ValueError as error:  # a number with thousands of digits
        raise UserError(f"{path} cannot be read: {error}") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                yield where, json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{where}: not JSON: {error.msg}, column {error.colno}") from None
            except ValueError as error:
                raise UserError(f"{where} cannot be read: {error}") from None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _answers(where: str, value: Any) -> Iterator[Reply]:
    if isinstance(value, dict) and isinstance(value.get("results"), dict | list):
        value = value["results"]
    if isinstance(value, list):
        for number, row in enumerate(value, start=1):
            yield _answer(f"{where}, entry {number}", row)
    elif isinstance(value, RepeatingObject) and "pred_relevant_windows" not in value:
        if not value or not all(isinstance(windows, list) for windows in value.values()):
            raise UserError(f"{where}: got {shortened(value)}; expected {FORMS}")
        for qid, windows in value.pairs:
            yield Reply(where, qid, None, None, *_windows(windows, f"{where}, query {qid}"))
    else:
        yield _answer(where, value)


def _answer(where: str, row: Any) -> Reply:
    """One object, with the names that it has for its query."""
    if not isinstance(row, dict) or "pred_relevant_windows" not in row:
        raise UserError(f"{where}: got {shortened(row)}; expected {FORMS}")
    qid, video, sentence = (_name(row, keys) for keys in (("qid",), _VIDEO, _SENTENCE))
    if qid is None and (video is None or sentence is None):
        raise UserError(f'{where}: has no "qid", nor "vid" and "query"; got {shortened(row)}')
    place = f"{where}, query {qid or f'{sentence!r} of {video}'}"
    return Reply(place, qid, video, sentence, *_windows(row["pred_relevant_windows"], place))


def _name(row: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first that is given, as text: an id may be a number."""
    names = [row[key] for key in keys if isinstance(row.get(key), str | int | float)]
    return str(names[0]) if names else None


def _windows(rows: Any, where: str) -> tuple[Windows, bool]:
    """One query's windows as numbers that can be scored, and whether one of them was text."""
    if rows is None or rows == []:
        return np.empty((0, 3)), False
    try:
        plain = [_plain(row) for row in rows]
        table = np.array(plain)
        if as_text := table.dtype.kind == "U":
            table = np.array([[_number(value) for value in row] for row in plain])
        right = table.dtype.kind in "iuf" and table.ndim == 2 and table.shape[1] in (2, 3)
    except (KeyError, TypeError, ValueError, OverflowError):  # or windows of different lengths
        right = False
    if not right:
        raise UserError(f"{where}: expected {_WINDOWS}, got {shortened(rows)}")
    if problem := problem_of(table):
        raise UserError(f"{where} has {problem}")
    table = table.astype(np.float64)
    if table.shape[1] == 2:
        table = np.column_stack([table, np.full(len(table), np.nan)])
    return table, as_text


def _plain(row: Any) -> list[Any]:
    """A window as a list, where it may be an object."""
    if isinstance(row, dict):
        return [*row["timestamp"], *([row["score"]] if "score" in row else [])]
    if not isinstance(row, list):
        raise TypeError
    return row


def _number(value: Any) -> float:
    """A number that may stand as text; not True, nor text that only Python reads as a number."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise ValueError
    return float(value)
