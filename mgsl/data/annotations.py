"""Published annotations, read as they stand: one sentence, its video, its moment."""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mgsl.errors import UserError

TaggedTokens = tuple[tuple[str, str], ...]


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


def read_charades(raw: Path) -> list[Annotation]:
    """Charades-STA as published: 12,408 training and 3,720 test sentences, in file order.

    A query's id is its video and how many sentences of that video come before it.

    Args:
        raw: the folder of the published files.

    Raises:
        UserError: a file is missing, or a line is not `VIDEO START END##SENTENCE`, or names a
            video of unknown duration; the message names file, line and value.
    """
    durations = {
        row["id"]: number(row["length"], where) for where, row in read_charades_videos(raw)
    }
    seen: Counter[str] = Counter()
    annotations = []
    for split in ("train", "test"):
        path = raw / "JaywongWang/CBP/datasets/charades/raw_data" / f"charades_sta_{split}.txt"
        for line, text in enumerate(read_lines(path), start=1):
            where = f"{path}, line {line}"
            moment, separator, sentence = text.partition("##")
            fields = moment.split()
            if len(fields) != 3 or not separator:
                raise UserError(f"{where}: expected `VIDEO START END##SENTENCE`, got {text!r}")
            video = fields[0]
            if video not in durations:
                raise UserError(f"{where}: video {video!r} has no duration in Charades_v1_*.csv")
            annotations.append(
                Annotation(
                    qid=f"{video}-{seen[video]}",
                    video=video,
                    sentence=sentence.strip(),
                    split=split,
                    start_s=number(fields[1], where),
                    end_s=number(fields[2], where),
                    duration_s=durations[video],
                    tagged=None,
                )
            )
            seen[video] += 1
    return annotations


def read_charades_videos(raw: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The videos of Charades: where each stands, and its columns.

    Raises:
        UserError: a file is missing or lacks the columns id, actions and length.
    """
    for split in ("train", "test"):
        path = raw / "microsoft/2D-TAN/data/Charades-STA" / f"Charades_v1_{split}.csv"
        rows = csv.DictReader(read_lines(path))
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if lacking := [key for key in ("id", "actions", "length") if row.get(key) is None]:
                raise UserError(f"{where}: no {' or '.join(lacking)}, got {list(row)}")
            yield where, row


def read_lines(path: Path) -> list[str]:
    """The lines of a published text file, with their ends.

    Raises:
        UserError: the file is missing or not UTF-8.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(file)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `python -m mgsl download`") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from None


def number(text: str, where: str) -> float:
    """A published number.

    Raises:
        UserError: it is none, or not finite.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: expected seconds, got {text!r}")
    return value
