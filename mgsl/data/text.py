"""Words: from a sentence to tokens, from a token to its vector."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from mgsl.errors import UserError

Vectors = Mapping[str, Float[np.ndarray, " dim"]]

DECIMALS = 4  # of numbers computed here: the last digits of a sum depend on the machine
TYPICAL_NORM = 6.8  # mean length of the GloVe 42B vectors of Charades-STA's words


def tokenize(sentence: str) -> tuple[str, ...]:
    """Lower-cased tokens of a sentence, punctuation included, by NLTK's word tokenizer."""
    from nltk.tokenize import NLTKWordTokenizer  # slow to import

    return tuple(NLTKWordTokenizer().tokenize(sentence.lower()))


def is_word(token: str) -> bool:
    """Whether a token has a letter or a digit: the rest is punctuation, which no model is fed."""
    return any(map(str.isalnum, token))


def read_vectors(word_ids: Path, table: Path) -> dict[str, Float[np.ndarray, " dim"]]:
    """Published vectors in the layout of JaywongWang/CBP.

    Args:
        word_ids: JSON, the row of each word.
        table: .npy, one vector a row; row 0 is for unknown words. Words without a vector have a
            row of zeros and are left out.

    Raises:
        UserError: a file cannot be read, or a word's row is not in the table.
    """
    try:
        ids = json.loads(word_ids.read_text(encoding="utf-8"))
        vectors = np.load(table, allow_pickle=False)
        rows = vectors[list(ids.values())]
    except (OSError, ValueError, IndexError, AttributeError) as error:
        raise UserError(
            f"{table} and {word_ids.name} do not hold word vectors ({error}): "
            "run `python -m mgsl download`"
        ) from None
    return {word: row for word, row in zip(ids, rows, strict=True) if ids[word] and row.any()}


def read_glove(path: Path, words: Set[str], dim: int) -> dict[str, Float[np.ndarray, " dim"]]:
    """Vectors of some words from a text file as GloVe publishes it: a word and its numbers a line.

    Args:
        path: the file, of any size; it is read line by line.
        words: those wanted.
        dim: numbers a line.

    Raises:
        UserError: the file is missing or not UTF-8, or the line of a wanted word is not that word
            and `dim` finite numbers.
    """
    vectors: dict[str, Float[np.ndarray, " dim"]] = {}
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if line.partition(" ")[0] in words:
                    word, *numbers = line.rstrip().rsplit(" ", dim)
                    if word in words:  # some releases have "words" with a space
                        vectors[word] = _parse_vector(numbers, dim, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}, named by preparation.glove in params.yaml, cannot be read: {error}"
        ) from None
    return vectors


def vector_table(
    vocabulary: Sequence[str], published: Vectors, dim: int
) -> Float32[np.ndarray, "vocabulary dim"]:
    """The vector of each word, published or else from its spelling.

    Args:
        vocabulary: words; the first is "", the padding, whose vector is zero.
        published: vectors of some words.
        dim: length of every vector.

    Raises:
        UserError: the published vectors have another length.
    """
    lengths = {len(vector) for vector in published.values()}
    if lengths - {dim}:
        raise UserError(
            f"published word vectors have {sorted(lengths)} dimensions: "
            f"set preparation.word_dim, now {dim}, in params.yaml"
        )
    table = np.zeros((len(vocabulary), dim), dtype=np.float32)
    for row, word in enumerate(vocabulary[1:], start=1):
        table[row] = published[word] if word in published else spelling_vector(word, dim)
    return table


def spelling_vector(word: str, dim: int) -> Float[np.ndarray, " dim"]:
    """A vector for a word that has no published one, derived from its spelling alone.

    The sum of one Gaussian vector for the whole word and one for each of its n-grams of 3 to 5
    characters, after fastText: words that share a stem lie close. Rounded, and so the same on every
    machine.

    Args:
        word: any string.
        dim: length of the vector, at least 1.
    """
    marked = f"<{word}>"
    pieces = [marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1)]
    total = np.sum([_gaussian(piece, dim) for piece in [f"={word}", *pieces]], axis=0)
    return rounded(total * (TYPICAL_NORM / np.linalg.norm(total)))


def rounded(values: Float[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Numbers of double precision at `DECIMALS` decimals, then as float32; no zero is negative."""
    return (np.round(values, DECIMALS) + 0.0).astype(np.float32)


def _parse_vector(numbers: Sequence[str], dim: int, where: str) -> Float[np.ndarray, " dim"]:
    try:
        vector = np.array([float(number) for number in numbers])
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
    finite = int(np.isfinite(vector).sum())
    if finite != dim or len(vector) != dim:
        raise UserError(
            f"{where}: expected {dim} finite numbers (preparation.word_dim), got {len(vector)}, "
            f"{finite} of them finite"
        )
    return vector


@functools.lru_cache(maxsize=1 << 16)
def _gaussian(piece: str, dim: int) -> Float[np.ndarray, " dim"]:
    digest = hashlib.sha256(piece.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little")).standard_normal(dim)
