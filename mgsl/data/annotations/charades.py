"""Charades-STA (Gao et al., ICCV 2017), and its re-split Charades-CD (Yuan et al., 2021)."""

import csv
from collections.abc import Iterator
from pathlib import Path

from mgsl.data.annotations import (
    Annotation,
    Row,
    number_sentences,
    positive,
    read_captions,
    read_lines,
    seconds,
)
from mgsl.errors import UserError

STA = Path("JaywongWang/CBP/datasets/charades/raw_data")
VIDEOS = Path("microsoft/2D-TAN/data/Charades-STA")
CD = Path("yytzsy/grounding_changing_distribution/Charades-CD")


def read_charades(raw: Path) -> list[Annotation]:
    """Charades-STA as published: 12,408 training and 3,720 test sentences, in file order.

    Args:
        raw: the folder of the published files.

    Raises:
        UserError: a file is missing, or a line is not `VIDEO START END##SENTENCE`, or names a
            video of unknown duration; the message names file, line and value.
    """
    durations = {
        row["id"]: positive(row["length"], where) for where, row in read_charades_videos(raw)
    }
    return [
        annotation
        for split in ("train", "test")
        for annotation in number_sentences(
            split, _rows(raw / STA / f"charades_sta_{split}.txt", durations)
        )
    ]


def read_charades_cd(raw: Path, test: str) -> list[Annotation]:
    """Charades-CD: 11,071 training, 859 validation, and 3,375 (ood) or 823 (iid) test sentences.

    Args:
        raw: the folder of the published files.
        test: "ood", whose moments lie elsewhere in their videos than those of training, or "iid".

    Raises:
        UserError: a file is missing or malformed.
    """
    names = {"train": "train", "val": "val", "test": f"test_{test}"}
    return [
        annotation
        for split, name in names.items()
        for annotation in number_sentences(
            split, read_captions(raw / CD / f"charades_{name}.json", "video_duration")
        )
    ]


def read_charades_videos(raw: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The videos of Charades: where each stands, and its columns.

    Raises:
        UserError: a file is missing or lacks the columns id, actions and length.
    """
    for split in ("train", "test"):
        path = raw / VIDEOS / f"Charades_v1_{split}.csv"
        rows = csv.DictReader(read_lines(path))
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if lacking := [key for key in ("id", "actions", "length") if row.get(key) is None]:
                raise UserError(f"{where}: no {' or '.join(lacking)}, got {list(row)}")
            yield where, row


def _rows(path: Path, durations: dict[str, float]) -> Iterator[Row]:
    for line, text in enumerate(read_lines(path), start=1):
        where = f"{path}, line {line}"
        moment, separator, sentence = text.partition("##")
        fields = moment.split()
        if len(fields) != 3 or not separator:
            raise UserError(f"{where}: expected `VIDEO START END##SENTENCE`, got {text!r}")
        video, start, end = fields
        if video not in durations:
            raise UserError(f"{where}: video {video!r} has no duration in Charades_v1_*.csv")
        yield Row(
            where, video, sentence, seconds(start, where), seconds(end, where), durations[video]
        )
