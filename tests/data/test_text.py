import gzip
import json
import re
import zipfile
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


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"the \xff",
        GLOVE.encode("utf-16"),
        "the 1 2 3\ncaf\xe9 1 2 3\n".encode("latin-1"),
        gzip.compress(100 * GLOVE.encode(), mtime=0)[:-9],
        b"PK\x03\x04 and no more",
    ],
    ids=["absent", "binary", "utf-16", "latin-1", "cut gzip", "cut zip"],
)
def test_a_glove_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "glove.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"glove\.txt, named by preparation\.glove"):
        read_glove(tmp_path / "glove.txt", {"the"}, 3)


@pytest.mark.parametrize("dim", [2, 4, 100])
def test_a_glove_file_of_another_width_is_refused_with_both_widths(
    tmp_path: Path, dim: int
) -> None:
    (tmp_path / "glove.txt").write_text(GLOVE)
    with pytest.raises(UserError, match=rf"vectors of 3 numbers, and .*word_dim .* is {dim}: "):
        read_glove(tmp_path / "glove.txt", {"the"}, dim)


def test_a_wanted_word_with_more_numbers_than_the_first_is_refused(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("a 1 2 3\nthe 1 2 3 4\n")
    with pytest.raises(UserError, match=r"line 2: expected 3 finite numbers .* got 4"):
        read_glove(tmp_path / "glove.txt", {"the"}, 3)


def test_a_glove_file_without_any_of_the_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("THE 1 2 3\n")
    with pytest.raises(UserError, match=r"none of the 2 words of the dataset, such as 'at'"):
        read_glove(tmp_path / "glove.txt", {"the", "at"}, 3)


@pytest.mark.parametrize("content", ["", "<!DOCTYPE html>\n<html>", "the\t1\t2\t3\n", "\0" * 999])
def test_what_has_no_words_with_numbers_is_quoted(tmp_path: Path, content: str) -> None:
    (tmp_path / "glove.txt").write_text(content)
    with pytest.raises(UserError, match=r"does not begin with a word and its numbers but with '"):
        read_glove(tmp_path / "glove.txt", {"the"}, 3)


def test_a_number_may_be_a_word(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("1 2 3 4\n")
    assert read_glove(tmp_path / "glove.txt", {"1"}, 3)["1"].tolist() == [2, 3, 4]


def zipped(path: Path, *names: str) -> Path:
    """A zip of files whose one vector is that many ones as the name says."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            (dim,) = re.findall(r"(\d+)d", name)
            archive.writestr(name, "the" + int(dim) * " 1" + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bom.txt", GLOVE.encode("utf-8-sig")),
        ("dos.txt", GLOVE.replace("\n", "\r\n").encode()),
        ("word2vec.txt", b"4 3\n" + GLOVE.encode()),
        ("packed.txt.gz", gzip.compress(GLOVE.encode(), mtime=0)),
    ],
)
def test_other_forms_of_a_glove_file_have_the_same_vectors(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    vectors = read_glove(tmp_path / name, {"the", "at", "."}, 3)
    assert {word: vector.tolist() for word, vector in vectors.items()} == {
        "the": [0.5, -1, 2],
        "at": [3, 3, 3],
    }


def test_of_a_zip_the_file_with_as_many_dimensions_is_read(tmp_path: Path) -> None:
    several = zipped(tmp_path / "6B.zip", "glove.6B.50d.txt", "glove.6B.5d.txt")
    for dim in (5, 50):
        assert read_glove(several, {"the"}, dim)["the"].tolist() == dim * [1]
    with pytest.raises(UserError, match=r"'glove\.6B\.5d\.txt'\]: expected .* on \.7d\.txt"):
        read_glove(several, {"the"}, 7)
    alone = zipped(tmp_path / "840B.zip", "vectors_3d.txt")
    assert read_glove(alone, {"the"}, 3)["the"].tolist() == [1, 1, 1]


def test_a_zip_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "glove.zip", "glove.3d.txt")
    content = bytearray(path.read_bytes())
    content[content.index(b"glove.3d.txt") + len("glove.3d.txt")] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"glove\.zip, named by preparation\.glove"):
        read_glove(path, {"the"}, 3)
