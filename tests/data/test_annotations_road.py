"""Any annotation within a benchmark's format survives the road to prepared queries."""

import csv
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mgsl.data.annotations import Annotation, hold_out
from mgsl.data.annotations.activitynet import CAPTIONS, FILES, read_activitynet
from mgsl.data.annotations.charades import CD, STA, VIDEOS, read_charades, read_charades_cd
from mgsl.data.annotations.tacos import TALL, read_tacos
from mgsl.data.annotations.tacos import VIDEOS as LENGTHS
from mgsl.data.counted import clamp
from mgsl.data.preparing import make_queries, tag
from mgsl.errors import UserError
from mgsl.prepared import write_summary
from mgsl.queries import Query, read_queries, write_queries
from tests.published import TAGGER, prepare_config, write_tagger

slow = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a failure is not made smaller: minutes
)

names = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
numbers = st.floats(0, 1000, allow_subnormal=False)
durations = st.floats(0.1, 1000)
text = st.text(st.characters(codec="utf-8"), max_size=20)
sentences = st.tuples(text, st.sampled_from("aZé9中"), text).map("".join)
lines = sentences.filter(lambda line: not set(line) & set("\r\n"))


def take_the_road(raw: Path, annotations: list[Annotation]) -> list[Query]:
    """Tag, hold out, clamp, count, write and read back."""
    archive = raw / TAGGER
    write_tagger(archive)
    published = tag(annotations, archive)
    kept, _ = clamp(hold_out(published, share=0.5, seed=0))
    write_queries(
        raw / "queries.jsonl", make_queries(kept, published, prepare_config().preparation)
    )
    write_summary(raw, {})
    return read_queries(raw / "queries.jsonl")


def check(queries: list[Query], annotations: list[Annotation], expected: list[Any]) -> None:
    """Nothing is lost but empty moments, and no sentence changes but for blanks at its ends."""
    assert [(a.video, a.sentence) for a in annotations] == [(v, s.strip()) for v, s in expected]
    assert all(0 <= q.start_s < q.end_s <= q.duration_s for q in queries)
    assert all(q.tokens for q in queries)
    full = {(a.video, a.qid) for a in annotations if a.start_s < min(a.end_s, a.duration_s)}
    assert {(q.video, q.qid) for q in queries} == full
    said = {(a.split == "test", a.qid): a.sentence for a in annotations}
    for query in queries:
        if query.split != "val":
            assert query.sentence == said[query.split == "test", query.qid]


captions = st.dictionaries(
    names,
    st.tuples(durations, st.lists(st.tuples(numbers, numbers, sentences), max_size=4)),
    max_size=4,
)


@slow
@given(captions, captions)
def test_captions_survive(train: dict[str, Any], test: dict[str, Any]) -> None:
    files = {"train": {f"v_{name}": entry for name, entry in train.items()}}
    files["val"] = files["test"] = {f"t_{name}": entry for name, entry in test.items()}
    for entries in files.values():  # so that no split is left empty
        entries["always"[: 1 + len(entries)] + str(id(entries))] = (9.0, [(0.0, 1.0, "a person")])
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder)
        (raw / CAPTIONS).mkdir(parents=True)
        for split, entries in files.items():
            document = {
                video: {
                    "duration": duration,
                    "timestamps": [[start, end] for start, end, _ in rows],
                    "sentences": [sentence for *_, sentence in rows],
                }
                for video, (duration, rows) in entries.items()
            }
            path = raw / CAPTIONS / f"{FILES[split]}.json"
            path.write_text(json.dumps(document))
        annotations = read_activitynet(raw)
        expected = [
            (video, sentence)
            for entries in files.values()
            for video, (_, rows) in entries.items()
            for *_, sentence in rows
        ]
        check(take_the_road(raw, annotations), annotations, expected)


@slow
@given(captions)
def test_captions_of_charades_cd_survive(train: dict[str, Any]) -> None:
    always = (9.0, [(0.0, 1.0, "a person")])
    files = {
        "train": {f"A{name}": entry for name, entry in train.items()} | {"always": always},
        "val": {"V": always},
        "test_ood": {"T": always},
    }
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder)
        (raw / CD).mkdir(parents=True)
        for name, entries in files.items():
            document = {
                video: {
                    "video_duration": duration,
                    "timestamps": [[start, end] for start, end, _ in rows],
                    "sentences": [sentence for *_, sentence in rows],
                }
                for video, (duration, rows) in entries.items()
            }
            (raw / CD / f"charades_{name}.json").write_text(json.dumps(document))
        annotations = read_charades_cd(raw, "ood")
        expected = [
            (video, sentence)
            for entries in files.values()
            for video, (_, rows) in entries.items()
            for *_, sentence in rows
        ]
        check(take_the_road(raw, annotations), annotations, expected)


@slow
@given(st.lists(st.tuples(st.sampled_from("ABC"), numbers, numbers, lines), max_size=6))
def test_lines_of_charades_survive(rows: list[tuple[str, float, float, str]]) -> None:
    train = [*rows, *((video, 0.0, 1.0, "a person") for video in "ABCD")]
    test = [("T", 0.0, 1.0, "a person")]
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder)
        for path in (raw / STA, raw / VIDEOS):
            path.mkdir(parents=True)
        for split, some in (("train", train), ("test", test)):
            written = "".join(f"{v} {start} {end}##{line}\n" for v, start, end, line in some)
            (raw / STA / f"charades_sta_{split}.txt").write_text(written, "utf-8", newline="")
            with (raw / VIDEOS / f"Charades_v1_{split}.csv").open("w", newline="") as file:
                csv.writer(file).writerows(
                    [["id", "actions", "length"], *([v, "", 30.5] for v in sorted({*"ABCDT"}))]
                )
        annotations = read_charades(raw)
        expected = [(video, line) for video, _, _, line in train + test]
        check(take_the_road(raw, annotations), annotations, expected)


segments = st.tuples(
    st.sampled_from("AB"),
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.lists(lines.filter(lambda line: "#" not in line), min_size=1, max_size=3),
)


@slow
@given(st.lists(segments, max_size=4))
def test_segments_of_tacos_survive(rows: list[tuple[str, int, int, list[str]]]) -> None:
    splits = {
        "tacos_train_0_74": [*rows, ("A", 0, 10, ["a person"])],
        "tacos_val_100_126": [("V", 0, 10, ["a person"])],
        "tacos_test_75_99": [("T", 0, 10, ["a person"])],
    }
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder)
        (raw / TALL).mkdir(parents=True)
        (raw / LENGTHS).mkdir(parents=True)
        for name, some in splits.items():
            written = "".join(
                f"{v}.avi_{start}_{end}:" + "".join(f"{line}#" for line in said) + "\n"
                for v, start, end, said in some
            )
            (raw / TALL / f"{name}.txt").write_text(written, "utf-8", newline="")
        for split in ("train", "val", "test"):
            videos = {f"{v}.avi": {"num_frames": 1500, "fps": 29.4} for v in "ABVT"}
            (raw / LENGTHS / f"{split}.json").write_text(json.dumps(videos))
        (raw / TALL / "video_info.json").write_text(json.dumps(dict.fromkeys("ABVT", 29.4)))
        annotations = read_tacos(raw)
        expected = [
            (f"{v}.avi", line) for some in splits.values() for v, *_, said in some for line in said
        ]
        check(take_the_road(raw, annotations), annotations, expected)


no_times: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, False, "x", [], {}, float("nan"), float("inf")]),
    st.floats(max_value=-0.01),
)


@slow
@given(no_times, st.sampled_from(["duration", "start", "end"]))
def test_a_value_that_is_no_time_is_refused_with_itself(value: Any, where: str) -> None:
    moment = {"start": 1.0, "end": 2.0} | ({where: value} if where != "duration" else {})
    entry = {
        "duration": value if where == "duration" else 10.0,
        "timestamps": [[moment["start"], moment["end"]]],
        "sentences": ["a person"],
    }
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder)
        (raw / CAPTIONS).mkdir(parents=True)
        (raw / CAPTIONS / "train.json").write_text(json.dumps({"v_x": entry}))
        with pytest.raises(UserError) as caught:
            read_activitynet(raw)
    assert "train.json, video 'v_x'" in str(caught.value)
    assert repr(value) in str(caught.value)


@slow
@given(
    st.sampled_from(
        ["", "A", "A 1", "A 1 2", "A 1 2#x", "A x 2##x", "A 1 -2##x", "A 1 2##!", "Z 1 2##x"]
    ),
    st.integers(0, 3),
)
def test_a_line_outside_the_format_is_refused_with_its_number(line: str, before: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder)
        (raw / STA).mkdir(parents=True)
        (raw / VIDEOS).mkdir(parents=True)
        for split in ("train", "test"):
            (raw / VIDEOS / f"Charades_v1_{split}.csv").write_text("id,actions,length\nA,,30\n")
        fine = "A 1 2##a person\n" * before
        (raw / STA / "charades_sta_train.txt").write_text(f"{fine}{line}\n")
        with pytest.raises(UserError, match=rf"charades_sta_train\.txt, line {before + 1}: "):
            read_charades(raw)


@slow
@given(
    st.sampled_from(
        ["", "A.avi", "A.avi_1_2", "A.avi_1_2:he", "A.avi_1:he#", "A.avi_x_2:he#", "A.avi_-1_2:he#",
         "A.avi_1_nan:he#", "A.avi_1_2:#", "A.avi_1_2:he#.#", "A.avi_1_2:he#she", "Z.avi_1_2:he#"]
    ),
    st.integers(0, 3),
)  # fmt: skip
def test_a_segment_outside_the_format_is_refused_with_its_number(line: str, before: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder)
        (raw / TALL).mkdir(parents=True)
        (raw / LENGTHS).mkdir(parents=True)
        for split in ("train", "val", "test"):
            videos = {"A.avi": {"num_frames": 1500, "fps": 29.4}}
            (raw / LENGTHS / f"{split}.json").write_text(json.dumps(videos))
        (raw / TALL / "video_info.json").write_text(json.dumps({"A": 29.4}))
        fine = "A.avi_0_10:a person#\n" * before
        (raw / TALL / "tacos_train_0_74.txt").write_text(f"{fine}{line}\n")
        message = rf"tacos_train_0_74\.txt, line {before + 1}: .*(got |'Z\.avi')"
        with pytest.raises(UserError, match=message):
            read_tacos(raw)


Reader = Callable[[Path], list[Annotation]]


@pytest.mark.parametrize("read", [read_activitynet, read_charades, read_tacos])
def test_a_file_that_is_not_there_is_named_with_the_command(tmp_path: Path, read: Reader) -> None:
    with pytest.raises(UserError, match="is missing: run `python -m mgsl download`"):
        read(tmp_path)


@pytest.mark.parametrize("read", [read_activitynet, read_tacos])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, read: Reader) -> None:
    for path in (tmp_path / CAPTIONS / "train.json", tmp_path / LENGTHS / "train.json"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"\xff\xfe{")
    with pytest.raises(UserError, match=r"train\.json is not UTF-8 text"):
        read(tmp_path)
