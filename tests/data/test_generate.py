import dataclasses
import json
import subprocess
import sys
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nltk.tokenize import NLTKWordTokenizer

from mgsl.data.annotations import Annotation
from mgsl.data.embedded.generate import FILE, RECIPE, generate, read_embedded, read_events, write
from mgsl.data.embedded.lexicon import seen_as, split_tokens, write_out
from mgsl.data.embedded.word_plan import recount
from mgsl.data.planted import Event
from mgsl.errors import UserError
from mgsl.queries import SPLITS
from mgsl.spans import tiou

FOLDER = Path("mgsl/resources/embedded")
LINE: dict[str, Any] = {
    "id": "v0",
    "split": "train",
    "duration_s": 20,
    "events": [[1.5, 4.0, ["man", "lifts", "red", "box"]]],
    "queries": [
        {"qid": "v0-0", "sentence": "A man lifts a box.", "tags": "DT NN VBZ DT NN .", "event": 0}
    ],
}


@pytest.fixture(scope="module")
def annotations() -> list[Annotation]:
    return read_embedded(FOLDER)


@pytest.fixture(scope="module")
def events() -> dict[str, list[Event]]:
    return read_events(FOLDER)


def content(annotation: Annotation) -> list[str]:
    """The nouns, verbs and adjectives of a query."""
    assert annotation.tagged is not None
    return [token for token, tag in annotation.tagged if tag[:2] in {"NN", "VB", "JJ"}]


def told(annotation: Annotation, events: dict[str, list[Event]]) -> Event:
    """The event that a query is about."""
    span = annotation.start_s, annotation.end_s
    words = {seen_as(word) for word in content(annotation)}
    return next(
        event
        for event in events[annotation.video]
        if (event.start_s, event.end_s) == span and words >= set(event.words)
    )


@pytest.fixture(scope="module")
def counts(annotations: list[Annotation]) -> Counter[str]:
    return Counter(word for a in annotations if a.split == "train" for word in content(a))


def test_the_committed_file_is_generated_again_byte_for_byte(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mgsl.data.embedded.generate", str(tmp_path)]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "1", "PYTHONPATH": "."})
    assert (tmp_path / FILE).read_bytes() == (FOLDER / FILE).read_bytes()


def test_the_committed_file_is_at_most_4_mb() -> None:
    assert (FOLDER / FILE).stat().st_size <= 4_000_000


def test_each_split_has_the_stated_number_of_queries(annotations: list[Annotation]) -> None:
    assert Counter(a.split for a in annotations) == {"train": 6000, "val": 1000, "test": 4000}


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train", [661, 1461, 1732, 2146]),
        ("val", [110, 243, 289, 358]),
        ("test", [440, 974, 1155, 1431]),
    ],
)
def test_the_frequency_bins_have_the_shares_of_figure_1b(
    annotations: list[Annotation], counts: Counter[str], split: str, expected: list[int]
) -> None:
    rarest = [min(counts[word] for word in content(a)) for a in annotations if a.split == split]
    bins = Counter(bisect_right((10, 50, 100), count) for count in rarest)
    assert [bins[i] for i in range(4)] == expected
    exact = np.array([0.1101, 0.2435, 0.2887, 0.3577]) * len(rarest)
    assert np.abs(exact - expected).max() < 1


def test_no_training_count_lies_on_the_edge_of_a_bin(counts: Counter[str]) -> None:
    assert not set(counts.values()) & {10, 50, 100}


def test_some_test_words_are_never_trained_on(
    annotations: list[Annotation], counts: Counter[str]
) -> None:
    test = [a for a in annotations if a.split == "test"]
    unseen = [a for a in test if any(word not in counts for word in content(a))]
    assert 80 <= len(unseen) <= 160


def test_words_never_trained_on_are_not_seen_in_training_videos_either(
    annotations: list[Annotation], events: dict[str, list[Event]], counts: Counter[str]
) -> None:
    videos = {a.video for a in annotations if a.split == "train"}
    words = {word for video in videos for event in events[video] for word in event.words}
    assert words <= {seen_as(word) for word in counts}


def test_sentences_are_tokenized_as_nltk_does(annotations: list[Annotation]) -> None:
    tokenizer = NLTKWordTokenizer()
    for a in annotations:
        assert a.tagged is not None
        assert [token for token, _ in a.tagged] == tokenizer.tokenize(a.sentence.lower())
        assert write_out(split_tokens(a.sentence)) == a.sentence


def test_a_sentence_says_every_word_of_its_event_and_no_word_of_no_event(
    annotations: list[Annotation], events: dict[str, list[Event]]
) -> None:
    for a in annotations:
        assert {seen_as(word) for word in content(a)} - {"is", "was"} == set(told(a, events).words)


def test_no_sentence_is_true_of_two_events_of_its_video(
    annotations: list[Annotation], events: dict[str, list[Event]]
) -> None:
    for a in annotations:
        words = {seen_as(word) for word in content(a)}
        assert sum(words >= set(event.words) for event in events[a.video]) == 1
        target = set(told(a, events).words)
        assert sum(target <= set(event.words) for event in events[a.video]) == 1


def test_videos_have_four_to_seven_events_inside_them(
    annotations: list[Annotation], events: dict[str, list[Event]]
) -> None:
    assert {len(shown) for shown in events.values()} == {4, 5, 6, 7}
    duration_s = {a.video: a.duration_s for a in annotations}
    assert (min(duration_s.values()), max(duration_s.values())) == (20, 120)
    for video, shown in events.items():
        for event in shown:
            share = (event.end_s - event.start_s) / duration_s[video]
            assert 0.05 < share < 0.41
            assert 0 <= event.start_s < event.end_s <= duration_s[video]


def test_the_rarest_word_of_a_rare_query_is_what_a_distractor_lacks(
    annotations: list[Annotation], events: dict[str, list[Event]], counts: Counter[str]
) -> None:
    as_rare = []
    for a in annotations:
        rarest = min(content(a), key=lambda word: counts[word])
        if counts[rarest] >= 10:
            continue
        target = told(a, events)
        shared = set(target.words) - {seen_as(rarest)}
        distractors = [
            event
            for event in events[a.video]
            if shared < set(event.words)
            and event is not target
            and len(event.words) == len(target.words)
            and (event.end_s <= target.start_s or event.start_s >= target.end_s)
        ]
        assert distractors
        (instead,) = set(distractors[0].words) - shared
        as_rare.append(counts[instead] < 10)
    assert np.mean(as_rare) == pytest.approx(0.5, abs=0.1)


def test_where_moments_were_in_training_says_little_about_where_they_are(
    annotations: list[Annotation],
) -> None:
    spans = {
        split: np.array(
            [
                (a.start_s / a.duration_s, a.end_s / a.duration_s)
                for a in annotations
                if a.split == split
            ]
        )
        for split in SPLITS
    }
    grid = np.array([(i, j) for i in range(32) for j in range(i + 1, 33)]) / 32
    best = (tiou(spans["train"][:, None], grid) >= 0.5).mean(axis=0).argmax()
    assert (tiou(spans["test"], grid[best]) >= 0.5).mean() < 0.15


def test_another_seed_makes_a_dataset_with_the_same_bins() -> None:
    videos = generate(dataclasses.replace(RECIPE, seed=1))  # recounts, or raises
    assert sum(len(video["queries"]) for video in videos) == 11000


def test_a_recount_that_disagrees_is_refused() -> None:
    with pytest.raises(ValueError, match=r"edge of a bin: \['box'\]"):
        recount({"train": [["box"]] * 10}, RECIPE.tail)
    with pytest.raises(ValueError, match="train: 0 of 11 queries in bin 0"):
        recount({"train": [["box"]] * 11}, RECIPE.tail)


def test_a_number_of_queries_the_lexicon_cannot_serve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tokens do not fit"):
        write(tmp_path, dataclasses.replace(RECIPE, num_queries=(30, 5, 20)))
    assert not list(tmp_path.iterdir())


def read_line(folder: Path, line: str) -> list[Annotation]:
    (folder / FILE).write_text(f"{json.dumps(LINE | {'id': 'v', 'queries': []})}\n{line}\n")
    return read_embedded(folder)


def test_a_line_is_read_as_written(tmp_path: Path) -> None:
    (query,) = read_line(tmp_path, json.dumps(LINE))
    tokens, tags = ["a", "man", "lifts", "a", "box", "."], ["DT", "NN", "VBZ", "DT", "NN", "."]
    tagged = tuple(zip(tokens, tags, strict=True))
    assert query == Annotation("v0-0", "v0", "A man lifts a box.", "train", 1.5, 4.0, 20.0, tagged)
    assert read_events(tmp_path)["v0"] == [Event(1.5, 4.0, ("man", "lifts", "red", "box"))]


QUERY = LINE["queries"][0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"split": "dev"}, "'dev'"),
        ({"duration_s": 0}, "duration_s.*got 0"),
        ({"duration_s": float("nan")}, "duration_s"),
        ({"events": [[4.0, 1.5, ["man"]]]}, r"\[4.0, 1.5, \['man'\]\]"),
        ({"events": [[1.0, 21.0, ["man"]]]}, r"21.0, .* in 20.0 s"),
        ({"events": [[-1.0, 2.0, ["man"]]]}, r"events.0.0.*got -1.0"),
        ({"events": [[1.0, 2.0, []]]}, "needs words"),
        ({"queries": [QUERY | {"event": 1}]}, "v0-0 is about event 1 of 1"),
        ({"queries": [QUERY | {"tags": "DT NN"}]}, "6 tokens, and 2 tags"),
        ({"queries": [QUERY | {"sentence": " ", "tags": ""}]}, "0 tokens"),
        ({"queries": [QUERY, QUERY]}, "repeats the id 'v0-0'"),
        ({"id": "v"}, "repeats the id 'v'"),
        ({"colour": 1}, "colour: unknown key"),
    ],
)
def test_a_malformed_line_is_refused_by_number_and_value(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=f"(?s)annotations.jsonl, line 2.*{message}"):
        read_line(tmp_path, json.dumps(LINE | changed))


def test_a_line_cut_short_is_refused_by_number(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 2 is no JSON"):
        read_line(tmp_path, json.dumps(LINE)[:30])


def test_a_missing_file_is_refused_with_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"annotations.jsonl is missing: run `dvc repro data.dvc`"):
        read_events(tmp_path)
