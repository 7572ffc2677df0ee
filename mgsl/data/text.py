"""Words: from a sentence to tokens, from a token to its vector."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from nltk.tokenize import NLTKWordTokenizer

from mgsl.errors import UserError

Vectors = Mapping[str, Float[np.ndarray, " dim"]]

_TOKENIZER = NLTKWordTokenizer()
TYPICAL_NORM = 6.8  # mean length of the GloVe 42B vectors of Charades-STA's words


def tokenize(sentence: str) -> tuple[str, ...]:
    """Lower-cased tokens of a sentence, punctuation included, by NLTK's word tokenizer."""
    return tuple(_TOKENIZER.tokenize(sentence.lower()))


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
    characters, after fastText: words that share a stem lie close. The same on every machine.

    Args:
        word: any string.
        dim: length of the vector, at least 1.
    """
    marked = f"<{word}>"
    pieces = [marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1)]
    total = np.sum([_gaussian(piece, dim) for piece in [f"={word}", *pieces]], axis=0)
    return (total * (TYPICAL_NORM / np.linalg.norm(total))).astype(np.float32)


@functools.lru_cache(maxsize=1 << 16)
def _gaussian(piece: str, dim: int) -> Float[np.ndarray, " dim"]:
    digest = hashlib.sha256(piece.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little")).standard_normal(dim)
