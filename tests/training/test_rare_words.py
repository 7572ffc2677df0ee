"""Remedies for rare words: known answers, then what holds for any queries, then trainings."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mgsl.data.loading import Split
from mgsl.data.text import spelling_vector
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.prepared import read_summary, write_summary
from mgsl.queries import read_queries, write_queries
from mgsl.recipes import Drop, Neighbours, RareWords, Repeat, Unspelled
from mgsl.training import run
from mgsl.training.rare_words import neighbours, num_queries, of_epoch, repeat_factors
from tests import tiny

# Of word 1 four queries, of 2 three, of 3 two, of 4 and 5 one; 5 comes twice in its query.
WORDS = np.array([[1, 2, 3, 0], [2, 0, 0, 0], [1, 5, 5, 3], [1, 2, 0, 0], [4, 1, 0, 0]])
# At 0, 10, 170, 20 and 95 degrees; the padding has none.
ANGLES = np.radians([0, 10, 170, 20, 95])
REPEAT = Repeat(kind="repeat", below=4)
NEIGHBOURS = Neighbours(kind="neighbours", below=3, share=0.5, nearest=1)
DROP = Drop(kind="drop", below=3, share=0.5)


def split_of(words: np.ndarray, vectors: np.ndarray) -> Split:
    """Queries of these words."""
    return replace(tiny.split(len(words)), words=words, word_vectors=torch.from_numpy(vectors))


def known() -> Split:
    vectors = np.zeros((6, 2), np.float32)
    vectors[1:] = 3 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    return split_of(WORDS, vectors)


def slow_counts(words: np.ndarray) -> Counter[int]:
    return Counter(word for row in words.tolist() for word in {*row} - {0})


def streams(seed: int, epoch: int) -> np.random.Generator:
    return np.random.default_rng([seed, epoch, 1])


def sentences(words: np.ndarray) -> list[list[int]]:
    return [[word for word in row if word] for row in words.tolist()]


def test_a_word_counts_once_in_each_query_that_holds_it() -> None:
    assert num_queries(WORDS).tolist() == [0, 4, 3, 2, 1, 1]


@pytest.mark.parametrize("remedy", [None, Unspelled(kind="unspelled")])
def test_without_a_remedy_each_query_comes_once_in_the_order_of_ever(
    remedy: RareWords | None,
) -> None:
    split = known()
    same, order = of_epoch(split, remedy, seed=3, epoch=4)
    assert same is split
    assert order.tolist() == np.random.default_rng([3, 4]).permutation(5).tolist()


def test_a_pair_has_the_repeat_factor_of_its_rarest_word() -> None:
    assert repeat_factors(WORDS, 4) == pytest.approx([2**0.5, (4 / 3) ** 0.5, 2, (4 / 3) ** 0.5, 2])
    assert repeat_factors(WORDS, 2) == pytest.approx([1, 1, 2**0.5, 1, 2**0.5])
    assert repeat_factors(WORDS, 1).tolist() == [1] * 5


def test_pairs_are_drawn_with_replacement_in_proportion_to_that_factor() -> None:
    split = known()
    drawn: Counter[int] = Counter()
    for epoch in range(2000):
        same, order = of_epoch(split, REPEAT, seed=0, epoch=epoch)
        assert same is split
        assert len(order) == 5
        drawn.update(order.tolist())
    factors = repeat_factors(WORDS, 4)
    shares = [drawn[row] / 10_000 for row in range(5)]
    assert shares == pytest.approx(factors / factors.sum(), abs=0.02)


def test_neighbours_are_the_nearest_words_that_are_not_rare() -> None:
    one = neighbours(known(), NEIGHBOURS)
    assert one.tolist() == [[0], [1], [2], [2], [2], [2]]  # 170, 20 and 95 are nearer to 10 than 0
    two = neighbours(known(), NEIGHBOURS.model_copy(update={"below": 2, "nearest": 2}))
    assert two.tolist() == [[0, 0], [1, 1], [2, 2], [3, 3], [2, 1], [3, 2]]
    all_of_them = neighbours(known(), NEIGHBOURS.model_copy(update={"nearest": 9}))
    assert all_of_them[4].tolist() == [2, 1]


def test_words_alike_near_come_in_the_order_of_their_rows() -> None:
    vectors = np.zeros((6, 2), np.float32)
    vectors[1:] = 1, 1
    table = neighbours(split_of(WORDS, vectors), NEIGHBOURS.model_copy(update={"nearest": 2}))
    assert table[3:].tolist() == [[1, 2]] * 3


def test_a_word_without_a_direction_is_near_to_none_and_breaks_nothing() -> None:
    split = known()
    split.word_vectors[[2, 4]] = 0
    assert neighbours(split, NEIGHBOURS).tolist() == [[0], [1], [2], [2], [1], [2]]


def test_rare_words_become_neighbours_and_no_others_do() -> None:
    split = known()
    remedy = NEIGHBOURS.model_copy(update={"nearest": 2})
    changed = 0
    for epoch in range(300):
        other, order = of_epoch(split, remedy, seed=1, epoch=epoch)
        rng = streams(1, epoch)
        picks, draws = rng.integers(2, size=WORDS.shape), rng.random(WORDS.shape)
        table = neighbours(split, remedy)
        expected = WORDS.copy()
        for row, place in np.ndindex(*WORDS.shape):
            word = WORDS[row, place]
            if word in (3, 4, 5) and draws[row, place] < 0.5:
                expected[row, place] = table[word, picks[row, place]]
                changed += 1
        assert other.words.tolist() == expected.tolist()
        assert order.tolist() == np.random.default_rng([1, epoch]).permutation(5).tolist()
    assert changed == pytest.approx(0.5 * 300 * 5, rel=0.1)  # of five places with such a word
    assert split.words is WORDS


def test_where_all_words_are_rare_the_user_is_told_how_low_to_go() -> None:
    remedy = NEIGHBOURS.model_copy(update={"below": 5})
    message = r"rare_words\.below is 5, and no word is in so many .*lower it, to 4 at most"
    with pytest.raises(UserError, match=message):
        of_epoch(known(), remedy, seed=0, epoch=0)


def slow_drop(words: np.ndarray, draws: np.ndarray, remedy: Drop) -> list[list[int]]:
    counts, shorter = slow_counts(words), []
    for row, places in zip(words.tolist(), draws.tolist(), strict=True):
        sentence = [(word, draw) for word, draw in zip(row, places, strict=True) if word]
        kept = [w for w, draw in sentence if counts[w] >= remedy.below or draw >= remedy.share]
        shorter.append(kept or [sentence[-1][0]])
    return shorter


def test_rare_words_are_left_out_and_the_rest_moves_up() -> None:
    for epoch in range(200):
        other, _ = of_epoch(known(), DROP, seed=2, epoch=epoch)
        expected = slow_drop(WORDS, streams(2, epoch).random(WORDS.shape), DROP)
        assert [[*np.trim_zeros(row, "b")] for row in other.words] == expected


def test_a_sentence_of_rare_words_keeps_its_last_one() -> None:
    rare = DROP.model_copy(update={"below": 9, "share": 0.999})
    other, _ = of_epoch(known(), rare, seed=0, epoch=0)
    assert sentences(other.words) == [[3], [2], [3], [2], [1]]


@given(
    size=st.integers(1, 30),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 9),
    below=st.integers(1, 12),
    share=st.floats(0.01, 0.99),
    nearest=st.integers(1, 12),
    kind=st.sampled_from(["repeat", "neighbours", "drop"]),
)
def test_an_epoch_has_real_words_and_pairs_whatever_the_remedy(
    size: int, seed: int, epoch: int, below: int, share: float, nearest: int, kind: str
) -> None:
    split = tiny.split(size, seed)
    before, counts = split.words.copy(), slow_counts(split.words)
    below = min(below, max(counts.values()))
    remedies: dict[str, RareWords] = {
        "repeat": Repeat(kind="repeat", below=below),
        "neighbours": Neighbours(kind="neighbours", below=below, share=share, nearest=nearest),
        "drop": Drop(kind="drop", below=below, share=share),
    }
    remedy = remedies[kind]
    other, order = of_epoch(split, remedy, seed=seed, epoch=epoch)
    again, same = of_epoch(split, remedy, seed=seed, epoch=epoch)
    assert (split.words == before).all()
    assert (other.words == again.words).all()
    assert (order == same).all()
    assert order.shape == (size,)
    assert ((order >= 0) & (order < size)).all()
    assert other.words.shape == before.shape
    assert other.words.dtype == before.dtype
    assert {*other.words.ravel()} <= {0, *counts}
    lengths = (other.words > 0).sum(axis=1)
    assert (lengths >= 1).all()
    for row, length in zip(other.words, lengths, strict=True):
        assert (row[:length] > 0).all()
    if kind == "drop":
        assert (lengths <= (before > 0).sum(axis=1)).all()
    else:
        assert (lengths == (before > 0).sum(axis=1)).all()
    for row, sentence in zip(sentences(other.words), sentences(before), strict=True):
        common = [word for word in sentence if counts[word] >= below]
        if kind == "drop":
            assert [word for word in row if counts[word] >= below] == common
    changed = before[other.words != before]
    if kind == "neighbours":
        assert all(counts[word] < below for word in changed)


def test_seeds_and_epochs_draw_anew() -> None:
    split = tiny.split(24)
    pairs = [(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    orders = {str(of_epoch(split, REPEAT, seed=s, epoch=e)[1]) for s, e in pairs}
    assert len(orders) == 4
    for remedy in (NEIGHBOURS, DROP):
        wider = remedy.model_copy(update={"below": 9})
        words = {str(of_epoch(split, wider, seed=s, epoch=e)[0].words) for s, e in pairs}
        assert len(words) == 4


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset of nine words, of which the first two have the vector of their spelling."""
    folder = tmp_path_factory.mktemp("prepared")
    tiny.prepare(folder)
    words = ["", *(f"w{number}" for number in range(1, 10))]
    parts = [tiny.split(24), tiny.split(10, seed=1), tiny.split(10, seed=2)]
    rows = [row for part in parts for row in sentences(part.words)]
    queries = [
        replace(query, tokens=tuple(words[word] for word in row), tags=("NN",) * len(row))
        for query, row in zip(read_queries(folder / "queries.jsonl"), rows, strict=True)
    ]
    write_queries(folder / "queries.jsonl", queries)
    write_json(folder / "vocabulary.json", words)
    vectors = parts[0].word_vectors.numpy().copy()
    vectors[1:3] = [spelling_vector(word, tiny.WORD_DIM) for word in words[1:3]]
    np.save(folder / "word_vectors.npy", vectors)
    about = {key: value for key, value in read_summary(folder).items() if key != "files"}
    write_summary(folder, about)
    return folder


def losses(name: str, prepared: Path, state: Path) -> Any:
    config = tiny.run_config(name, epochs=2)
    cpu = torch.device("cpu")
    model, curve, splits = run.train(config, prepared, seed=0, device=cpu, state_path=state)
    assert isinstance(model, torch.nn.Module)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    assert {*splits} == {"train", "val", "test"}
    return curve["loss"].to_numpy()


@pytest.mark.parametrize("kind", ["repeat", "neighbours", "drop", "unspelled"])
def test_a_method_trains_with_each_remedy_and_learns_otherwise(
    kind: str, prepared: Path, tmp_path: Path
) -> None:
    plain = losses("ctrl", prepared, tmp_path / "plain.pt")
    other = losses(f"ctrl_{kind}", prepared, tmp_path / "other.pt")
    assert np.isfinite(other).all()
    assert (other != plain).any()
