"""What an epoch does for rare words: how its pairs are drawn, or which words they have.

What is drawn depends on seed and epoch alone: a training that goes on draws it again, and every
process of a joint training the same. Validation and test keep their words.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from mgsl.data.loading import Split
from mgsl.data.text import rounded
from mgsl.errors import UserError
from mgsl.recipes import Drop, Neighbours, RareWords, Repeat

_STREAM = 1  # of random numbers besides those of the order, which 0 would repeat


def of_epoch(
    split: Split, remedy: RareWords | None, *, seed: int, epoch: int
) -> tuple[Split, Int[np.ndarray, " queries"]]:
    """The training queries with the words that an epoch gives them, and their order.

    Args:
        split: the training queries.
        remedy: null, or one of other places than training: each query comes once, as it is.
        seed: of the training.
        epoch: from 0.

    Raises:
        UserError: rare words are to be replaced, and all are rare.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(split))
    rng = np.random.default_rng([seed, epoch, _STREAM])
    if isinstance(remedy, Repeat):
        factors = repeat_factors(split.words, remedy.below)
        order = rng.choice(len(split), size=len(split), p=factors / factors.sum())
    elif isinstance(remedy, Neighbours):
        split = replace(split, words=_replaced(split, remedy, rng))
    elif isinstance(remedy, Drop):
        split = replace(split, words=_shortened(split.words, remedy, rng))
    return split, order


def num_queries(words: Int[np.ndarray, "queries max_words"]) -> Int[np.ndarray, " rows"]:
    """How many queries hold each word, at its row of the word vectors; 0 of the padding.

    Args:
        words: rows of the word vectors, 0 beyond a query's last word.
    """
    ordered = np.sort(words, axis=1)
    first = np.diff(ordered, axis=1, prepend=0) > 0  # place of each word, however often it comes
    return np.bincount(ordered[first])


def repeat_factors(
    words: Int[np.ndarray, "queries max_words"], below: int
) -> Float[np.ndarray, " queries"]:
    """In which proportion pairs are drawn (`recipes.Repeat`).

    Args:
        words: of the training queries, as `num_queries` has them.
        below: up to which number of queries a word makes its pairs come more often.
    """
    rarest = np.where(words > 0, num_queries(words)[words], below).min(axis=1)
    return np.maximum(1, np.sqrt(below / rarest))


def neighbours(split: Split, remedy: Neighbours) -> Int[np.ndarray, "rows nearest"]:
    """The words that each word may become, at its row: itself alone if it is not rare.

    Cosines are rounded, so that every machine puts them in the same order; of equal ones the first
    row comes first.

    Args:
        split: the training queries.
        remedy: which words are rare, and how many neighbours they have.

    Raises:
        UserError: all words are rare.
    """
    counts = num_queries(split.words)
    rare = np.flatnonzero((counts > 0) & (counts < remedy.below))
    common = np.flatnonzero(counts >= remedy.below)
    if not len(common):
        raise UserError(
            f"rare_words.below is {remedy.below}, and no word is in so many training queries: "
            f"lower it, to {counts.max()} at most"
        )
    vectors = split.word_vectors.numpy().astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    cosines = rounded(unit[rare] @ unit[common].T)
    nearest = common[np.argsort(-cosines, axis=1, kind="stable")[:, : remedy.nearest]]
    table = np.repeat(np.arange(len(counts))[:, None], nearest.shape[1], axis=1)
    table[rare] = nearest
    return table


def _replaced(
    split: Split, remedy: Neighbours, rng: np.random.Generator
) -> Int[np.ndarray, "queries max_words"]:
    """The words of an epoch, some of the rare ones each another."""
    table, words = neighbours(split, remedy), split.words
    others = table[words, rng.integers(table.shape[1], size=words.shape)]
    return np.where(rng.random(words.shape) < remedy.share, others, words)


def _shortened(
    words: Int[np.ndarray, "queries max_words"], remedy: Drop, rng: np.random.Generator
) -> Int[np.ndarray, "queries max_words"]:
    """The words of an epoch without some of the rare ones; where all would go, the last stays."""
    real = words > 0
    out = (num_queries(words)[words] < remedy.below) & (rng.random(words.shape) < remedy.share)
    kept = real & ~out
    kept[np.arange(len(words)), real.sum(axis=1) - 1] |= ~kept.any(axis=1)
    places = np.argsort(~kept, axis=1, kind="stable")  # those that are kept move up
    return np.take_along_axis(np.where(kept, words, 0), places, axis=1)
