"""The loader: which queries stand in a batch, in which order, padded how far."""

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mgsl.data.loading import Split, ahead, batches, load_splits
from mgsl.data.text import spelling_vector
from mgsl.errors import UserError
from mgsl.prepared import write_summary
from mgsl.queries import Query, write_queries
from tests import tiny

VOCABULARY = ["", "a", "man", "opens", "the", "old", "door"]
SENTENCES = {
    "train": [("a", "man", "opens", "the", "old", "door"), ("a", "door")],
    "val": [("the", "man")],
    "test": [("the", "door", "opens"), ("a", "man"), ("door",)],
}
CLIPS, DIM, WORD_DIM = 4, 3, 2


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Six queries, each of a video of its own that lasts ten seconds more than the one before."""
    queries = [
        Query(
            qid=f"{split}-{i}",
            video=f"{split}_{i}",
            sentence=" ".join(words),
            split=split,
            start_s=1.0,
            end_s=5.0,
            duration_s=10.0 * number,
            tokens=words,
            tags=("NN",) * len(words),
            frequency=1,
            bin=0,
            rare=True,
        )
        for number, (split, i, words) in enumerate(
            (
                (split, i, words)
                for split, rows in SENTENCES.items()
                for i, words in enumerate(rows)
            ),
            start=1,
        )
    ]
    write_queries(tmp_path / "queries.jsonl", queries)
    rows = "".join(f"{query.video},{query.duration_s}\n" for query in reversed(queries))
    (tmp_path / "videos.csv").write_text("video,duration_s\n" + rows)
    (tmp_path / "vocabulary.json").write_text(json.dumps(VOCABULARY))
    vectors = np.arange(len(VOCABULARY) * WORD_DIM, dtype=np.float32).reshape(-1, WORD_DIM)
    vectors[0] = 0
    np.save(tmp_path / "word_vectors.npy", vectors)
    videos = np.arange(len(queries))[::-1].reshape(-1, 1, 1) + np.zeros((1, CLIPS, DIM))
    np.save(tmp_path / "features.npy", videos.astype(np.float16))
    seal(tmp_path)
    return tmp_path


def seal(prepared: Path) -> None:
    """Let the summary tell what the files are now."""
    write_summary(prepared, {"num_clips": CLIPS, "video_dim": DIM, "word_dim": WORD_DIM})


def rows_of(split: Split, order: np.ndarray, **arguments: int) -> list[list[int]]:
    """Which queries are in each batch, told by their targets."""
    row = {tuple(target): i for i, target in enumerate(split.targets.tolist())}
    return [[row[tuple(t)] for t in b.target.tolist()] for b in batches(split, order, **arguments)]


def test_each_query_meets_its_own_video_words_and_moment(prepared: Path) -> None:
    splits = load_splits(prepared, tiny.run_config())
    assert [len(splits[name]) for name in ("train", "val", "test")] == [2, 1, 3]
    batch = splits["test"].batch(np.array([2, 0]))
    assert batch.video[:, 0, 0].tolist() == [5, 3]  # the sixth and the fourth query of all
    assert batch.video.shape == (2, CLIPS, DIM)
    assert batch.video.dtype == batch.query.dtype == batch.target.dtype == torch.float32
    assert batch.video_mask.all()
    expected = torch.tensor([[1 / 60, 5 / 60], [1 / 40, 5 / 40]])
    torch.testing.assert_close(batch.target, expected)
    door, the, opens = ([2 * i, 2 * i + 1] for i in map(VOCABULARY.index, ("door", "the", "opens")))
    assert batch.query.tolist() == [[door, [0, 0], [0, 0]], [the, door, opens]]
    assert batch.query_mask.tolist() == [[True, False, False], [True, True, True]]


def test_a_batch_is_padded_to_its_longest_query(prepared: Path) -> None:
    train = load_splits(prepared, tiny.run_config())["train"]
    assert train.batch(np.array([0, 1])).query.shape == (2, 6, WORD_DIM)
    assert train.batch(np.array([1])).query.shape == (1, 2, WORD_DIM)


def test_longer_queries_are_cut(prepared: Path) -> None:
    batch = load_splits(prepared, tiny.run_config(max_words=3))["train"].batch(np.array([0, 1]))
    assert batch.query_mask.sum(1).tolist() == [3, 2]
    assert batch.query[0, :, 0].tolist() == [2.0, 4.0, 6.0]  # a man opens


def test_words_from_their_spelling_are_left_out_of_all_splits_where_a_run_asks_for_it(
    prepared: Path,
) -> None:
    path = prepared / "word_vectors.npy"
    vectors = np.load(path)
    for word in ("door", "man", "the"):
        vectors[VOCABULARY.index(word)] = spelling_vector(word, WORD_DIM)
    np.save(path, vectors)
    seal(prepared)
    config = tiny.run_config("ctrl_unspelled", max_words=3)
    splits = load_splits(prepared, config)
    words = {
        name: [[VOCABULARY[row] for row in rows if row] for rows in split.words.tolist()]
        for name, split in splits.items()
    }
    assert words == {  # cut after three words, once the others are gone
        "train": [["a", "opens", "old"], ["a"]],
        "val": [["the", "man"]],  # it has no others
        "test": [["opens"], ["a"], ["door"]],
    }
    for name, split in splits.items():  # what looks into models goes by the words of the queries
        assert [[*query.tokens] for query in split.queries] == words[name]
    whole = load_splits(prepared, tiny.run_config("ctrl", max_words=3))
    assert [[*query.tokens] for query in whole["test"].queries] == [*map(list, SENTENCES["test"])]


def test_padding_that_is_not_masked_is_read_as_words_up_to_the_longest_allowed(
    prepared: Path,
) -> None:
    config = tiny.run_config("padding_read")
    batch = load_splits(prepared, config)["train"].batch(np.array([1]))
    assert batch.query_mask.tolist() == [[True] * config.max_words]
    assert not batch.query[0, 2:].any()
    assert batch.query[0, :2].any(1).all()


def test_features_stay_on_disk(prepared: Path) -> None:
    assert isinstance(load_splits(prepared, tiny.run_config())["train"].features, np.memmap)


@pytest.mark.parametrize("name", ["queries.jsonl", "features.npy"])
def test_a_missing_file_says_what_to_run(prepared: Path, name: str) -> None:
    (prepared / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing: prepare the dataset"):
        load_splits(prepared, tiny.run_config())


def test_truncated_features_are_refused(prepared: Path) -> None:
    path = prepared / "features.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"features\.npy .* has \d+ bytes, not the \d+"):
        load_splits(prepared, tiny.run_config())


def test_features_of_another_size_are_refused(prepared: Path) -> None:
    np.save(prepared / "features.npy", np.zeros((6, CLIPS + 1, DIM), dtype=np.float16))
    seal(prepared)
    with pytest.raises(UserError, match=r"\(6, 5, 3\), expected floats \(6, 4, 3\)"):
        load_splits(prepared, tiny.run_config())


def test_features_that_hold_objects_are_not_unpickled(prepared: Path) -> None:
    np.save(prepared / "features.npy", np.array([{}] * 6), allow_pickle=True)
    seal(prepared)
    with pytest.raises(UserError, match=r"features\.npy cannot be read"):
        load_splits(prepared, tiny.run_config())


def test_features_that_are_not_finite_are_blamed_by_their_video(prepared: Path) -> None:
    features = np.load(prepared / "features.npy")
    features[0, 2, 1] = np.nan  # of the last query, since videos stand in reverse
    np.save(prepared / "features.npy", features)
    test = load_splits(prepared, tiny.run_config())["test"]
    test.batch(np.array([0, 1]))
    with pytest.raises(UserError, match="features of video 'test_2' hold NaN or infinity"):
        test.batch(np.array([0, 2]))


def test_large_features_whose_sum_is_not_finite_are_taken() -> None:
    split = tiny.split(4)
    split.features[:] = 3e38
    assert split.batch(np.arange(4)).video.isfinite().all()


def test_queries_cut_at_the_end_of_a_line_are_refused(prepared: Path) -> None:
    lines = (prepared / "queries.jsonl").read_bytes().splitlines(keepends=True)
    (prepared / "queries.jsonl").write_bytes(b"".join(lines[:-1]))
    with pytest.raises(UserError, match=r"queries\.jsonl is not what `prepare` wrote.*dvc repro"):
        load_splits(prepared, tiny.run_config())


def test_word_vectors_that_do_not_fit_or_are_not_finite_are_named(prepared: Path) -> None:
    path = prepared / "word_vectors.npy"
    whole = np.load(path)
    broken = whole.copy()
    broken[2, 1] = np.inf
    np.save(path, broken)
    with pytest.raises(UserError, match=r"word_vectors\.npy: the vector of 'man' is not finite"):
        load_splits(prepared, tiny.run_config())
    np.save(path, whole[:-1])
    with pytest.raises(UserError, match=r"word_vectors\.npy .* has \d+ bytes, not the \d+"):
        load_splits(prepared, tiny.run_config())
    seal(prepared)
    with pytest.raises(UserError, match=r"float32 \(6, 2\), expected floats \(7, 2\)"):
        load_splits(prepared, tiny.run_config())
    path.write_bytes(b"\x93NUMPY\x01\x00\x76\x00{'descr': (" + bytes(110))
    seal(prepared)
    with pytest.raises(UserError, match=r"word_vectors\.npy cannot be read"):
        load_splits(prepared, tiny.run_config())


def test_batches_come_in_the_order_given() -> None:
    split, order = tiny.split(7), np.array([4, 0, 6, 2, 5])
    assert rows_of(split, order, batch_size=2, rank=0, world_size=1) == [[4, 0], [6, 2], [5]]


@given(
    size=st.integers(1, 30),
    batch_size=st.integers(1, 12),
    world_size=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_the_processes_share_out_each_joint_batch(
    size: int, batch_size: int, world_size: int, seed: int
) -> None:
    split, order = tiny.split(30), np.random.default_rng(seed).permutation(30)[:size]
    shares = [
        rows_of(split, order, batch_size=batch_size, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    joint = [order[i : i + batch_size].tolist() for i in range(0, size, batch_size)]
    joint = [rows for rows in joint if len(rows) >= world_size]
    parts = list(zip(*shares, strict=True))  # every process makes equally many steps
    assert [list(itertools.chain(*part)) for part in parts] == joint
    for part in parts:
        assert max(map(len, part)) - min(map(len, part)) <= 1


@given(st.lists(st.integers(), max_size=20))
def test_ahead_yields_the_same(items: list[int]) -> None:
    assert list(ahead(items)) == items


def test_ahead_passes_an_exception_on_after_what_came_before() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the disk went away")

    items = ahead(failing())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(OSError, match="went away"):
        next(items)


def test_ahead_makes_the_next_item_while_one_is_in_use_and_no_more() -> None:
    made = [threading.Event() for _ in range(3)]

    def making() -> Iterator[int]:
        for i, event in enumerate(made):
            event.set()
            yield i

    items = ahead(making())
    next(items)
    assert made[1].wait(timeout=10)
    assert not made[2].is_set()


def test_ahead_stops_where_its_reader_stops() -> None:
    threads = threading.active_count()
    items = ahead(itertools.count())
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert threading.active_count() == threads


def test_a_batch_is_cut_into_chunks_without_loss() -> None:
    batch = tiny.batch(5)
    parts = batch.chunks(3)
    assert [len(part) for part in parts] == [2, 2, 1]
    for field in fields(batch):
        joined = torch.cat([getattr(part, field.name) for part in parts])
        assert torch.equal(joined, getattr(batch, field.name))
