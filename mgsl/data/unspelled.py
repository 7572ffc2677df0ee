"""Words whose vector comes from their spelling alone: a run may leave them out (Q14)."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float

from mgsl.data.text import spelling_vector
from mgsl.queries import Query, only_words


def from_spelling(
    words: Sequence[str], vectors: Float[np.ndarray, "words dim"]
) -> Bool[np.ndarray, " words"]:
    """Which words have the vector that their spelling gives.

    Args:
        words: of a prepared dataset, or of a sentence.
        vectors: theirs.
    """
    dim = vectors.shape[1]
    pairs = zip(words, vectors, strict=True)
    return np.array([np.array_equal(own, spelling_vector(word, dim)) for word, own in pairs], bool)


def without_spelled(
    queries: Iterable[Query],
    vocabulary: Sequence[str],
    vectors: Float[np.ndarray, "vocabulary dim"],
) -> list[Query]:
    """The queries without the words that `from_spelling` finds; one of such words alone stays.

    Args:
        queries: of a prepared dataset.
        vocabulary: its words.
        vectors: one for each of them.
    """
    spelled = from_spelling(vocabulary, vectors)
    known = {word for word, out in zip(vocabulary, spelled, strict=True) if not out}
    return [only_words(query, known) if known & {*query.tokens} else query for query in queries]
