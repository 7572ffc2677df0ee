"""Published annotations, read as they stand: one sentence, its video, its moment.

One module a benchmark. What is outside its format is refused, with where it stands and the value
met; what is inside is kept, even where it contradicts itself: `counted.clamp` cuts and counts.
"""

import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mgsl.errors import UserError, missing
from mgsl.queries import TaggedTokens

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which JSON can escape


@dataclass(frozen=True)
class Annotation:
    """One published sentence and its moment, before anything is clamped or dropped.

    Times are seconds. `split` is one of `mgsl.queries.SPLITS`. `tagged` holds (token, Penn tag)
    pairs where the publication brings its own, else None.
    """

    qid: str
    video: str
    sentence: str
    split: str
    start_s: float
    end_s: float
    duration_s: float
    tagged: TaggedTokens | None


@dataclass(frozen=True)
class Row:
    """One sentence of a published file, and where it stands there, for messages."""

    where: str
    video: str
    sentence: str
    start_s: float
    end_s: float
    duration_s: float


def hold_out(annotations: Sequence[Annotation], *, share: float, seed: int) -> list[Annotation]:
    """Make some training videos the validation split, unless one is published.

    Args:
        annotations: of every split.
        share: of the training videos, in (0, 1); at least one is held out.
        seed: draws them.
    """
    if any(annotation.split == "val" for annotation in annotations):
        return list(annotations)
    videos = sorted({a.video for a in annotations if a.split == "train"})
    order = np.random.default_rng(seed).permutation(len(videos))
    held_out = {videos[i] for i in order[: max(1, round(share * len(videos)))]}
    return [
        replace(a, split="val") if a.split == "train" and a.video in held_out else a
        for a in annotations
    ]


def number_sentences(split: str, rows: Iterable[Row]) -> list[Annotation]:
    """Give each sentence the id `<video>-<index>`, counting a video's sentences in file order.

    Args:
        split: where all of them belong.
        rows: in the order of the file.

    Raises:
        UserError: a sentence has no word or is no Unicode, or a video's name has other characters
            than letters, digits, dots, dashes and underscores.
    """
    counts: Counter[str] = Counter()
    annotations = []
    for row in rows:
        if not any(map(str.isalnum, row.sentence)) or _SURROGATE.search(row.sentence):
            raise UserError(f"{row.where}: expected a sentence with a word, got {row.sentence!r}")
        if not _NAME.fullmatch(row.video):
            raise UserError(f"{row.where}: expected the name of a video, got {row.video!r}")
        annotations.append(
            Annotation(
                qid=f"{row.video}-{counts[row.video]}",
                video=row.video,
                sentence=row.sentence.strip(),
                split=split,
                start_s=row.start_s,
                end_s=row.end_s,
                duration_s=row.duration_s,
                tagged=None,
            )
        )
        counts[row.video] += 1
    return annotations


def read_lines(path: Path) -> list[str]:
    """The lines of a published text file, with their ends.

    Raises:
        UserError: the file is missing or not UTF-8.
    """
    return list(io.StringIO(_read_text(path), newline=""))


def read_object(path: Path) -> dict[str, Any]:
    """A published JSON object.

    Raises:
        UserError: the file is missing, not UTF-8, no JSON object, or a key of it comes twice.
    """
    try:
        document = json.loads(_read_text(path), object_pairs_hook=_without_repetition)
    except ValueError as error:
        raise UserError(f"{path}: expected a JSON object, got {error}") from None
    if not isinstance(document, dict):
        raise UserError(f"{path}: expected a JSON object, got a {type(document).__name__}")
    return document


def read_captions(path: Path, duration_key: str) -> list[Row]:
    """Sentences by video, in the layout of ActivityNet Captions.

    Args:
        path: JSON, `{VIDEO: {DURATION_KEY: s, "timestamps": [[s, s], ...], "sentences": [...]}}`.
        duration_key: what the length of the video is called.

    Raises:
        UserError: the file is missing or has another layout; the message names file, video,
            sentence and value.
    """
    rows = []
    for video, entry in read_object(path).items():
        where = f"{path}, video {video!r}"
        timestamps, sentences = (
            field(entry, key, where, list) for key in ("timestamps", "sentences")
        )
        duration_s = positive(field(entry, duration_key, where, object), where)
        if len(timestamps) != len(sentences):
            raise UserError(f"{where}: {len(timestamps)} timestamps, {len(sentences)} sentences")
        for index, (moment, sentence) in enumerate(zip(timestamps, sentences, strict=True)):
            place = f"{where}, sentence {index}"
            if not isinstance(moment, list) or len(moment) != 2:
                raise UserError(f"{place}: expected [START, END], got {moment!r}")
            if not isinstance(sentence, str):
                raise UserError(f"{place}: expected text, got {sentence!r}")
            start_s, end_s = (seconds(time, place) for time in moment)
            rows.append(Row(place, video, sentence, start_s, end_s, duration_s))
    return rows


def field(entry: Any, key: str, where: str, kind: type) -> Any:
    """A value of a published JSON object.

    Raises:
        UserError: there is none, or it is of another kind.
    """
    if not isinstance(entry, dict) or key not in entry:
        raise UserError(f"{where}: expected an object with {key!r}, got {entry!r:.200}")
    if not isinstance(entry[key], kind):
        raise UserError(f"{where}: expected a {kind.__name__} as {key!r}, got {entry[key]!r:.200}")
    return entry[key]


def seconds(value: Any, where: str) -> float:
    """A published time or number, from text or from JSON.

    Raises:
        UserError: it is no number, not finite or negative.
    """
    return _number(value, where, "seconds", least=0.0)


def positive(value: Any, where: str) -> float:
    """A published duration or rate, from text or from JSON.

    Raises:
        UserError: it is no number, not finite or not above 0.
    """
    return _number(value, where, "a number above 0", least=math.nextafter(0, 1))


def _number(value: Any, where: str, expected: str, *, least: float) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number < least:
        raise UserError(f"{where}: expected {expected}, got {value!r}")
    return number


def _read_text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        raise missing(path, "run `python -m mgsl download`") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(key for key, _ in pairs)
    if repeated := [key for key, count in counts.items() if count > 1]:
        raise ValueError(f"the key {repeated[0]!r} twice")
    return dict(pairs)
