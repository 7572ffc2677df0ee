"""TACoS (Regneri et al., TACL 2013) in the split of TALL (Gao et al., ICCV 2017)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mgsl.data.annotations import (
    Annotation,
    Row,
    field,
    number_sentences,
    positive,
    read_lines,
    read_object,
    seconds,
)
from mgsl.errors import UserError

TALL = Path("JaywongWang/CBP/datasets/tacos/raw_data")
VIDEOS = Path("microsoft/2D-TAN/data/TACoS")  # its sentences are those of another split
FILES = {"train": "tacos_train_0_74", "val": "tacos_val_100_126", "test": "tacos_test_75_99"}


def read_tacos(raw: Path) -> list[Annotation]:
    """10,146 training, 4,589 validation and 4,083 test sentences, in file order.

    A segment has several sentences, often the same one; each of them is a query.

    Args:
        raw: the folder of the published files.

    Raises:
        UserError: a file is missing, a line is not `VIDEO_START_END:SENTENCE#SENTENCE#` with
            frames as numbers, or a video's length or frame rate is unknown.
    """
    durations = _durations(raw)
    rates_path = raw / TALL / "video_info.json"
    rates = {
        f"{video}.avi": positive(rate, f"{rates_path}, video {video!r}")
        for video, rate in read_object(rates_path).items()
    }
    return [
        annotation
        for split, name in FILES.items()
        for annotation in number_sentences(
            split, _rows(raw / TALL / f"{name}.txt", durations, rates)
        )
    ]


def _durations(raw: Path) -> dict[str, float]:
    durations = {}
    for split in FILES:
        path = raw / VIDEOS / f"{split}.json"
        for video, entry in read_object(path).items():
            where = f"{path}, video {video!r}"
            frames, rate = (
                positive(field(entry, key, where, object), where) for key in ("num_frames", "fps")
            )
            durations[video] = frames / rate
    return durations


def _rows(path: Path, durations: Mapping[str, float], rates: Mapping[str, float]) -> Iterator[Row]:
    for line, text in enumerate(read_lines(path), start=1):
        where = f"{path}, line {line}"
        head, colon, tail = text.rstrip("\r\n").partition(":")
        video, *frames = head.rsplit("_", 2)
        *sentences, rest = tail.split("#")
        if len(frames) != 2 or not colon or not sentences or rest:
            raise UserError(
                f"{where}: expected `VIDEO_START_END:SENTENCE#SENTENCE#`, got {text!r:.200}"
            )
        for known, what in ((durations, "length"), (rates, "frame rate")):
            if video not in known:
                raise UserError(f"{where}: video {video!r} has no {what}")
        start_s, end_s = (seconds(frame, where) / rates[video] for frame in frames)
        for sentence in sentences:
            yield Row(where, video, sentence, start_s, end_s, durations[video])
