import json
from pathlib import Path
from typing import Any

import pytest

from mgsl.data.annotations.activitynet import CAPTIONS, read_activitynet
from mgsl.data.counted import clamp
from mgsl.errors import UserError
from tests.published import write_captions

ENTRY = {"duration": 10.0, "timestamps": [[0, 2.5]], "sentences": [" A man sits."]}


def write_entry(raw: Path, entry: Any) -> None:
    write_captions(raw)
    (raw / CAPTIONS / "val_1.json").write_text(json.dumps({"v_x": entry}))


def test_sentences_are_numbered_in_the_order_of_their_file(tmp_path: Path) -> None:
    annotations = read_activitynet(write_captions(tmp_path))
    assert [a.qid for a in annotations if a.split == "train"] == ["v_a-0", "v_a-1", "v_a-2"]
    assert [(a.start_s, a.end_s) for a in annotations[:2]] == [(0.0, 2.0), (1.0, 9.5)]
    assert annotations[0].sentence == "A man sits."


def test_validation_and_test_describe_the_same_videos(tmp_path: Path) -> None:
    annotations = read_activitynet(write_captions(tmp_path))
    (val,) = [a for a in annotations if a.split == "val"]
    (test,) = [a for a in annotations if a.split == "test"]
    assert val.qid == test.qid == "v_b-0"
    assert val.sentence != test.sentence
    clamp(annotations)  # which admits it


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration": 0}, "expected a number above 0, got 0"),
        ({"duration": "long"}, "expected a number above 0, got 'long'"),
        ({"timestamps": [[0, 1], [1, 2]]}, "2 timestamps, 1 sentences"),
        ({"timestamps": [[0, 1, 2]]}, r"sentence 0: expected \[START, END\], got \[0, 1, 2\]"),
        ({"timestamps": [[-1, 2]]}, "sentence 0: expected seconds, got -1"),
        ({"timestamps": [[0, True]]}, "sentence 0: expected seconds, got True"),
        ({"timestamps": [[0, float("nan")]]}, "sentence 0: expected seconds, got nan"),
        ({"timestamps": {}}, "expected a list as 'timestamps'"),
        ({"sentences": [" . "]}, "sentence 0: expected a sentence with a word, got ' . '"),
        ({"sentences": ["\ud800 word"]}, "expected a sentence"),
        ({"sentences": [7]}, "sentence 0: expected text, got 7"),
    ],
)
def test_what_is_outside_the_format_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_entry(tmp_path, ENTRY | change)
    with pytest.raises(UserError, match=rf"val_1\.json, video 'v_x'.*{message}"):
        read_activitynet(tmp_path)


@pytest.mark.parametrize("key", ["duration", "timestamps", "sentences"])
def test_a_video_that_lacks_something_is_named(tmp_path: Path, key: str) -> None:
    write_entry(tmp_path, {k: v for k, v in ENTRY.items() if k != key})
    with pytest.raises(UserError, match=rf"'v_x': expected an object with '{key}'"):
        read_activitynet(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected a JSON object, got a list"),
        ('{"v_x": ', "expected a JSON object, got Expecting value"),
        ('{"v_x": {}, "v_x": {}}', "the key 'v_x' twice"),
    ],
)
def test_a_file_that_is_no_object_is_named(tmp_path: Path, text: str, message: str) -> None:
    write_captions(tmp_path)
    (tmp_path / CAPTIONS / "train.json").write_text(text)
    with pytest.raises(UserError, match=rf"train\.json: .*{message}"):
        read_activitynet(tmp_path)


def test_a_video_with_a_strange_name_is_refused(tmp_path: Path) -> None:
    write_captions(tmp_path)
    (tmp_path / CAPTIONS / "train.json").write_text(json.dumps({"a/../b": ENTRY}))
    with pytest.raises(UserError, match=r"expected the name of a video, got 'a/\.\./b'"):
        read_activitynet(tmp_path)


@pytest.mark.mirror
def test_the_published_counts_are_met(mirror: Path) -> None:
    annotations = read_activitynet(mirror)
    kept, tallies = clamp(annotations)
    published = {split: tally.published for split, tally in tallies.items()}
    assert published == {"train": 37421, "val": 17505, "test": 17031}
    assert {split: tally.dropped for split, tally in tallies.items()} == {
        "train": 4,
        "val": 0,
        "test": 0,
    }
    assert {split: tally.clamped for split, tally in tallies.items()} == {
        "train": 261,
        "val": 134,
        "test": 111,
    }
    videos = {split: {a.video for a in kept if a.split == split} for split in tallies}
    assert {split: len(names) for split, names in videos.items()} == {
        "train": 10009,
        "val": 4917,
        "test": 4885,
    }
    assert videos["test"] < videos["val"]
