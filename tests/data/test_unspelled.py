"""Words whose vector comes from their spelling: which they are, and queries without them."""

from dataclasses import replace

import numpy as np

from mgsl.data.text import spelling_vector, vector_table
from mgsl.data.unspelled import from_spelling, without_spelled
from tests import tiny

DIM = 6
VOCABULARY = ["", "a", "door", "ottoman", "sneezes"]
PUBLISHED = {"a": np.arange(DIM) / 7, "door": np.ones(DIM)}
VECTORS = vector_table(VOCABULARY, PUBLISHED, DIM)


def test_words_without_a_published_vector_are_known_by_their_vector() -> None:
    assert from_spelling(VOCABULARY, VECTORS).tolist() == [False, False, False, True, True]
    other = VECTORS.copy()
    other[3, 0] += 1e-4
    assert from_spelling(VOCABULARY, other).tolist() == [False, False, False, False, True]
    assert from_spelling(["door"], spelling_vector("door", DIM)[None]).tolist() == [True]


def test_a_query_loses_these_words_with_their_tags_unless_it_has_no_others() -> None:
    base = tiny.split(1).queries[0]
    queries = [
        replace(base, tokens=("a", "ottoman", "door"), tags=("DT", "NN", "VB"), rare=True),
        replace(base, tokens=("sneezes", "ottoman"), tags=("VB", "NN")),
        replace(base, tokens=("a", "door"), tags=("DT", "NN")),
    ]
    first, second, third = without_spelled(queries, VOCABULARY, VECTORS)
    assert first == replace(queries[0], tokens=("a", "door"), tags=("DT", "VB"))
    assert second == queries[1]
    assert third == queries[2]
