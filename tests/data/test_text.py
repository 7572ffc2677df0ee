import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.data.text import (
    TYPICAL_NORM,
    is_word,
    read_glove,
    read_vectors,
    spelling_vector,
    tokenize,
    vector_table,
)
from mgsl.errors import UserError
from tests.published import STA, write_charades


def test_a_sentence_is_lower_cased_and_split_into_words_and_punctuation() -> None:
    tokens = tokenize("A person isn't on John's bed, laughing.")
    assert tokens == ("a", "person", "is", "n't", "on", "john", "'s", "bed", ",", "laughing", ".")
    assert [t for t in tokens if not is_word(t)] == [",", "."]


@given(st.text(max_size=12), st.integers(1, 40))
def test_a_spelling_has_one_vector_of_the_typical_norm(word: str, dim: int) -> None:
    vector = spelling_vector(word, dim)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vector), TYPICAL_NORM, atol=1e-3)
    np.testing.assert_array_equal(vector, spelling_vector(word, dim))


def test_a_spelling_has_the_same_vector_on_every_machine() -> None:
    known = np.array([-5.0483, -2.7743, 0.2633, -3.604], dtype=np.float32)
    np.testing.assert_array_equal(spelling_vector("a", 4), known)


def test_words_that_share_a_stem_lie_closer_than_others() -> None:
    def cosine(a: str, b: str) -> float:
        return float(spelling_vector(a, 300) @ spelling_vector(b, 300)) / TYPICAL_NORM**2

    assert cosine("laptop", "laptops") > 0.5
    assert abs(cosine("open", "close")) < 0.2


def test_published_vectors_leave_out_the_unknown_word_and_rows_of_zeros(tmp_path: Path) -> None:
    folder = write_charades(tmp_path) / STA / "data/save"
    vectors = read_vectors(folder / "word2id.json", folder / "charades_glove_embeds.npy")
    assert sorted(vectors) == ["door", "person"]
    np.testing.assert_array_equal(vectors["person"], [8, 9, 10, 11])


@pytest.mark.parametrize("ids", [{"door": 9}, ["door"], {"door": "one"}])
def test_word_ids_that_do_not_fit_are_an_error(tmp_path: Path, ids: object) -> None:
    folder = write_charades(tmp_path) / STA / "data/save"
    (folder / "word2id.json").write_text(json.dumps(ids))
    with pytest.raises(UserError, match="do not hold word vectors"):
        read_vectors(folder / "word2id.json", folder / "charades_glove_embeds.npy")


def test_a_pickled_table_is_not_unpickled(tmp_path: Path) -> None:
    folder = write_charades(tmp_path) / STA / "data/save"
    np.save(folder / "charades_glove_embeds.npy", np.array([{}, {}]), allow_pickle=True)
    with pytest.raises(UserError, match="allow_pickle=False"):
        read_vectors(folder / "word2id.json", folder / "charades_glove_embeds.npy")


def test_the_table_takes_published_vectors_first_then_spellings() -> None:
    table = vector_table(["", "door", "zzz"], {"door": np.array([1.0, 2.0])}, 2)
    np.testing.assert_array_equal(table, [[0, 0], [1, 2], spelling_vector("zzz", 2)])


def test_vectors_of_another_length_are_an_error() -> None:
    with pytest.raises(UserError, match=r"\[2\] dimensions: set preparation\.word_dim, now 3"):
        vector_table(["", "door"], {"door": np.array([1.0, 2.0])}, 3)


GLOVE = """the 0.5 -1 2
at name@domain.com 1 1 1
at 3 3 3
zebra 1 2
"""


def test_wanted_words_are_read_from_a_glove_text_file(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text(GLOVE)
    vectors = read_glove(tmp_path / "glove.txt", {"the", "at", "absent"}, 3)
    assert {word: vector.tolist() for word, vector in vectors.items()} == {
        "the": [0.5, -1, 2],
        "at": [3, 3, 3],
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("the 1 2", "expected 3 finite numbers .* got 2"),
        ("the 1 nan 2", "expected 3 finite numbers"),
        ("the 1 two 3", "could not convert"),
    ],
)
def test_a_line_of_glove_that_does_not_fit_is_named(
    tmp_path: Path, line: str, message: str
) -> None:
    (tmp_path / "glove.txt").write_text(f"a 1 2 3\n{line}\n")
    with pytest.raises(UserError, match=rf"glove\.txt, line 2: {message}"):
        read_glove(tmp_path / "glove.txt", {"the"}, 3)


@pytest.mark.parametrize("content", [None, b"the \xff"])
def test_a_glove_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "glove.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"glove\.txt, named by preparation\.glove"):
        read_glove(tmp_path / "glove.txt", {"the"}, 3)
