"""Words: from a sentence to tokens, from a token to its vector."""

import functools
import gzip
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from mgsl.errors import UserError

Vectors = Mapping[str, Float[np.ndarray, " dim"]]

DECIMALS = 4  # of numbers computed here: the last digits of a sum depend on the machine
TYPICAL_NORM = 6.8  # mean length of the GloVe 42B vectors of Charades-STA's words

_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b"  # how such files begin
_BUFFER = 1 << 20
_LONGEST_LINE = 1 << 16  # letters of the first; what has more is no text of words and numbers
_SHOWN = 60  # letters of a line that a message quotes
_UNREADABLE = (  # what a missing, foreign, cut off or encrypted file provokes
    OSError, UnicodeDecodeError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError,
    RuntimeError,
)  # fmt: skip


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
    """Vectors of some words from a file as GloVe publishes it: a word and its numbers a line.

    Args:
        path: a text file, plain or packed by gzip, or a zip with one; or with one for each number
            of dimensions, such as `glove.6B.300d.txt`. It is read line by line, as it is packed.
        words: those wanted.
        dim: numbers a line.

    Raises:
        UserError: the file is missing, damaged or no UTF-8 text, its lines are not a word and `dim`
            finite numbers, or no word is there at all.
    """
    vectors: dict[str, Float[np.ndarray, " dim"]] = {}
    try:
        with _open_glove(path, dim) as lines:
            for number, line in enumerate(_after_header(lines, path, dim), start=1):
                word = line.partition(" ")[0]
                if word in words and (numbers := _numbers_after(word, line, dim)):
                    vectors[word] = _parse_vector(numbers, dim, f"{path}, line {number}")
    except _UNREADABLE as error:
        raise UserError(
            f"{path}, named by preparation.glove in params.yaml, cannot be read: {error}"
        ) from None
    if words and not vectors:
        raise UserError(
            f"{path} has none of the {len(words):,} words of the dataset, such as "
            f"{min(words, key=len)!r}: name another file as preparation.glove in params.yaml"
        )
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


@contextmanager
def _open_glove(path: Path, dim: int) -> Iterator[io.TextIOWrapper]:
    """The lines of a file of word vectors, unpacked as they are read."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        magic = file.peek(len(_ZIP))
        content: Any = file
        if magic.startswith(_ZIP):
            archive = stack.enter_context(zipfile.ZipFile(file))
            content = stack.enter_context(archive.open(_member(archive, path, dim)))
        elif magic.startswith(_GZIP):
            content = stack.enter_context(gzip.open(file))
        buffered = io.BufferedReader(content, _BUFFER)
        yield io.TextIOWrapper(buffered, encoding="utf-8-sig", newline="\n")


def _member(archive: zipfile.ZipFile, path: Path, dim: int) -> str:
    """The one text file of a zip, or of several the one with so many dimensions in its name."""
    names = [name for name in archive.namelist() if name.endswith(".txt")]
    fitting = [name for name in names if name.endswith(f".{dim}d.txt")] if names[1:] else names
    if len(fitting) != 1:
        raise UserError(
            f"{path}, named by preparation.glove in params.yaml, holds {archive.namelist()[:5]}: "
            f"expected one text file, or one that ends on .{dim}d.txt (preparation.word_dim)"
        )
    return fitting[0]


def _after_header(lines: io.TextIOWrapper, path: Path, dim: int) -> Iterator[str]:
    """The lines of a file of word vectors, the first of which must have as many numbers as wanted.

    A header as word2vec writes it, the numbers of words and of dimensions, comes as an empty line.
    """
    first = lines.readline(_LONGEST_LINE)
    if re.fullmatch(r"\d+ \d+\s*", first):
        yield ""
        first = lines.readline(_LONGEST_LINE)
    width = sum(1 for _ in takewhile(_is_number, reversed(first.rstrip().split(" ")[1:])))
    if not width:
        raise UserError(
            f"{path}, named by preparation.glove in params.yaml, does not begin with a word and "
            f"its numbers but with {first[:_SHOWN]!r}"
        )
    if width != dim:
        raise UserError(
            f"{path} has vectors of {width} numbers, and preparation.word_dim in params.yaml is "
            f"{dim}: name another file as preparation.glove, or set word_dim to {width}"
        )
    yield first
    yield from lines


def _numbers_after(word: str, line: str, dim: int) -> list[str]:
    """What follows a word on its line; nothing if the word is but the beginning of a longer one.

    Some releases have "words" with spaces, such as ". . ." and "at name@domain.com".
    """
    first, *numbers = line.rstrip().rsplit(" ", dim)
    more = first.split(" ")[1:]
    if all(map(_is_number, more)):
        return [*more, *numbers]
    return []


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
