"""Charades-STA (Gao et al., ICCV 2017), and its re-split Charades-CD (Yuan et al., 2021)."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float16

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
NUM_ACTIONS = 157  # classes c000 to c156


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


def action_timelines(
    raw: Path, durations_s: Mapping[str, float], *, num_clips: int
) -> Iterator[Float16[np.ndarray, "clips 157"]]:
    """What the annotators of Charades saw: for each clip, 1 for every action under way in it.

    A video is stretched to `num_clips` equal clips; an action is under way in each clip that it
    overlaps, however briefly.

    Args:
        raw: the folder of the published files.
        durations_s: length of each video in seconds; gives the order of the videos.
        num_clips: clips a video is cut into, at least 1.

    Raises:
        UserError: a video has no row of actions, or its actions cannot be read.
    """
    rows = {row["id"]: (where, row["actions"]) for where, row in read_charades_videos(raw)}
    edges = np.arange(num_clips + 1)
    for video, duration_s in durations_s.items():
        if video not in rows:
            raise UserError(f"video {video!r} has no actions in Charades_v1_*.csv")
        where, actions = rows[video]
        timeline = np.zeros((num_clips, NUM_ACTIONS), dtype=np.float16)
        for text in filter(None, actions.split(";")):
            action, start_s, end_s = _parse_action(text, where)
            start, end = np.array([start_s, end_s]) * num_clips / duration_s
            timeline[(edges[:-1] < end) & (edges[1:] > start) & (start < end), action] = 1
        yield timeline


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


def _parse_action(text: str, where: str) -> tuple[int, float, float]:
    fields = text.split()
    digits = fields[0].removeprefix("c") if fields else ""
    if len(fields) != 3 or not digits.isdecimal() or int(digits) >= NUM_ACTIONS:
        raise UserError(f"{where}: expected an action `c000 START END`, got {text!r}")
    return int(digits), seconds(fields[1], where), seconds(fields[2], where)
