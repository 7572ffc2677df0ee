from pathlib import Path

import pytest

from mgsl.data.annotations.tacos import TALL, VIDEOS, read_tacos
from mgsl.data.counted import clamp
from mgsl.errors import UserError
from tests.published import write_tacos


def test_every_sentence_of_a_segment_is_a_query_in_seconds(tmp_path: Path) -> None:
    first, second, third, *_ = read_tacos(write_tacos(tmp_path))
    assert [a.qid for a in (first, second, third)] == ["s1-d1.avi-0", "s1-d1.avi-1", "s1-d1.avi-2"]
    assert (first.sentence, second.sentence) == ("He took out: a glass.", "He took a glass")
    assert (first.start_s, first.end_s) == (2.0, 4.0)  # frames 50 and 100 at 25 a second
    assert (second.start_s, second.end_s) == (2.0, 4.0)
    assert first.duration_s == 40.0  # 1000 frames
    assert third.end_s == 50.0  # beyond the end, to be clamped and counted


@pytest.mark.parametrize(
    "line",
    [
        "s1-d1.avi_50:sentence#",
        "s1-d1.avi_50_100 sentence#",
        "s1-d1.avi_50_100:sentence",
        "s1-d1.avi_50_100:",
        "s1-d1.avi_50_100:one#two",
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    (write_tacos(tmp_path) / TALL / "tacos_val_100_126.txt").write_text(f"{line}\n")
    with pytest.raises(UserError, match=r"tacos_val_100_126\.txt, line 1: expected `VIDEO_"):
        read_tacos(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("s1-d1.avi_x_100:one#", "expected seconds, got 'x'"),
        ("s1-d1.avi_-1_100:one#", "expected seconds, got '-1'"),
        ("s1-d1.avi_1_inf:one#", "expected seconds, got 'inf'"),
        ("s9-d9.avi_1_2:one#", "'s9-d9.avi' has no length"),
        ("s2-d2.avi_1_2:one# #", "expected a sentence with a word, got ' '"),
    ],
)
def test_a_value_outside_the_format_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = write_tacos(tmp_path) / TALL / "tacos_val_100_126.txt"
    path.write_text(f"s2-d2.avi_1_2:fine#\n{line}\n")
    with pytest.raises(UserError, match=rf"tacos_val_100_126\.txt, line 2: .*{message}"):
        read_tacos(tmp_path)


def test_a_video_without_frame_rate_is_named(tmp_path: Path) -> None:
    (write_tacos(tmp_path) / TALL / "video_info.json").write_text('{"s1-d1": 25}')
    with pytest.raises(UserError, match=r"'s2-d2\.avi' has no frame rate"):
        read_tacos(tmp_path)


def test_a_length_that_is_none_is_named(tmp_path: Path) -> None:
    path = write_tacos(tmp_path) / VIDEOS / "train.json"
    path.write_text('{"s1-d1.avi": {"num_frames": 0, "fps": 25}}')
    with pytest.raises(UserError, match=r"train\.json, video 's1-d1.avi': expected a number above"):
        read_tacos(tmp_path)


@pytest.mark.mirror
def test_the_published_counts_are_met(mirror: Path) -> None:
    kept, tallies = clamp(read_tacos(mirror))
    published = {split: tally.published for split, tally in tallies.items()}
    assert published == {"train": 10146, "val": 4589, "test": 4083}
    assert [tallies[split].clamped for split in published] == [48, 0, 5]
    assert not any(tally.dropped for tally in tallies.values())
    videos = {split: {a.video for a in kept if a.split == split} for split in published}
    assert [len(names) for names in videos.values()] == [75, 27, 25]
