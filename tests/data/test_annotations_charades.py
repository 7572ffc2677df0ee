import json
from pathlib import Path

import pytest

from mgsl.data.annotations.charades import CD, read_charades, read_charades_cd
from mgsl.data.counted import clamp
from mgsl.errors import UserError
from mgsl.queries import SPLITS
from tests.published import CHARADES, STA, write_charades


def test_sentences_are_read_in_order_and_numbered_within_their_video(tmp_path: Path) -> None:
    first, second, *_, last = read_charades(write_charades(tmp_path))
    assert (first.qid, first.video, first.split) == ("AAAAA-0", "AAAAA", "train")
    assert (first.start_s, first.end_s, first.duration_s) == (0.0, 6.9, 10.0)
    assert first.sentence == "a person opens the door."
    assert first.tagged is None
    assert second.qid == "AAAAA-1"
    assert (last.qid, last.split) == ("DDDDD-0", "test")


@pytest.mark.parametrize(
    "line",
    ["AAAAA 0.0##a person", "AAAAA 0.0 6.9 a person", "AAAAA 0.0 six##a person", "AAAAA 0 nan##x"],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    path = write_charades(tmp_path) / STA / "raw_data/charades_sta_train.txt"
    path.write_text(f"AAAAA 0.0 6.9##fine\n{line}\n")
    with pytest.raises(UserError, match=r"charades_sta_train\.txt, line 2: expected"):
        read_charades(tmp_path)


def test_a_video_of_unknown_duration_is_named(tmp_path: Path) -> None:
    path = write_charades(tmp_path) / STA / "raw_data/charades_sta_test.txt"
    path.write_text("ZZZZZ 0.0 6.9##a person\n")
    with pytest.raises(UserError, match="line 1: video 'ZZZZZ' has no duration"):
        read_charades(tmp_path)


def test_a_duration_that_is_no_number_is_named(tmp_path: Path) -> None:
    path = write_charades(tmp_path) / CHARADES / "Charades_v1_train.csv"
    path.write_text("id,actions,length\nAAAAA,,long\n")
    with pytest.raises(UserError, match=r"Charades_v1_train\.csv, line 2: .*'long'"):
        read_charades(tmp_path)


def test_a_table_without_the_columns_is_named(tmp_path: Path) -> None:
    path = write_charades(tmp_path) / CHARADES / "Charades_v1_train.csv"
    path.write_text("id,length\nAAAAA,3\n")
    with pytest.raises(UserError, match="no actions"):
        read_charades(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Charades_v1_train\.csv is missing"):
        read_charades(tmp_path)


@pytest.mark.mirror
def test_the_published_counts_are_met(mirror: Path) -> None:
    annotations = read_charades(mirror)
    train = [a for a in annotations if a.split == "train"]
    test = [a for a in annotations if a.split == "test"]
    assert (len(train), len(test)) == (12408, 3720)
    assert (len({a.video for a in train}), len({a.video for a in test})) == (5338, 1334)


def write_cd(raw: Path) -> None:
    folder = raw / CD
    folder.mkdir(parents=True)
    for name, video in (("train", "A"), ("val", "B"), ("test_ood", "C"), ("test_iid", "D")):
        moments = {"timestamps": [[0, 12.0], [0, 1]], "sentences": [f"{name} one", "two"]}
        entry = {"video_duration": 10.0, "decode_fps": 16.0} | moments
        (folder / f"charades_{name}.json").write_text(json.dumps({video: entry}))


def test_charades_cd_has_two_tests_over_one_training(tmp_path: Path) -> None:
    write_cd(tmp_path)
    ood, iid = (read_charades_cd(tmp_path, test) for test in ("ood", "iid"))
    assert ood[:4] == iid[:4]
    assert [a.split for a in ood] == ["train", "train", "val", "val", "test", "test"]
    assert [a.sentence for a in (ood[4], iid[4])] == ["test_ood one", "test_iid one"]
    assert (ood[5].qid, ood[0].duration_s, ood[0].end_s) == ("C-1", 10.0, 12.0)


@pytest.mark.mirror
@pytest.mark.parametrize(("test", "pairs", "dropped"), [("ood", 3375, 3), ("iid", 823, 0)])
def test_the_published_counts_of_charades_cd_are_met(
    mirror: Path, test: str, pairs: int, dropped: int
) -> None:
    tallies = clamp(read_charades_cd(mirror, test))[1]
    assert [tallies[split].published for split in SPLITS] == [11071, 859, pairs]
    assert [tallies[split].dropped for split in SPLITS] == [0, 0, dropped]
