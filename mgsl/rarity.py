"""Rare and common queries: which words are counted, in which form, and how rare a query is (Q22).

A content word is an alphabetic token that the tagger calls a noun, a verb or an adjective. Its
frequency is how often that word, in the form that is counted, is a content word of the counting
corpus. A query is as rare as its rarest content word.
"""

import bisect
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import get_args

from mgsl.lemmas import attest, lemma
from mgsl.params import Form, RareParams
from mgsl.queries import TaggedTokens

FORMS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True)
class Rarity:
    """How rare a query is; the fields are those of `mgsl.queries.Query`."""

    frequency: int | None
    bin: int
    rare: bool


def writer(form: Form, sentences: Iterable[TaggedTokens]) -> Callable[[TaggedTokens], TaggedTokens]:
    """How the tokens of a sentence are written where they are counted; their tags stay.

    Args:
        form: surface, as they stand; lemma, by the rules of `mgsl.lemmas`; stem, after Porter.
        sentences: lower-cased (token, Penn tag) pairs of a whole dataset, all its splits: they
            decide between the lemmas that a word may have.
    """
    from nltk.stem.porter import PorterStemmer  # slow to import

    if form == "surface":
        return lambda tagged: tagged
    attested = attest(sentences) if form == "lemma" else {}
    stemmer = PorterStemmer()

    @cache
    def written(token: str, tag: str) -> str:
        return lemma(token, tag, attested) if form == "lemma" else stemmer.stem(token)

    return lambda tagged: tuple((written(token, tag), tag) for token, tag in tagged)


def content_words(tagged: TaggedTokens, tags: tuple[str, ...]) -> list[str]:
    """The alphabetic tokens whose Penn tag starts with one of `tags`."""
    return [token for token, tag in tagged if token.isalpha() and tag.startswith(tags)]


def frequencies(corpus: Iterable[TaggedTokens], tags: tuple[str, ...]) -> Counter[str]:
    """How often each word is a content word of the sentences given."""
    return Counter(word for tagged in corpus for word in content_words(tagged, tags))


def rarity(tagged: TaggedTokens, counts: Counter[str], rare: RareParams) -> Rarity:
    """Where a query stands; one without content words is common, in the last bin."""
    words = content_words(tagged, rare.tags)
    if not words:
        return Rarity(frequency=None, bin=len(rare.bins), rare=False)
    lowest = min(counts[word] for word in words)
    locate = bisect.bisect_left if rare.inclusive else bisect.bisect_right
    return Rarity(
        frequency=lowest,
        bin=locate(rare.bins, lowest),
        rare=lowest <= rare.threshold if rare.inclusive else lowest < rare.threshold,
    )


def bin_labels(rare: RareParams) -> list[str]:
    """Names of the frequency bins, the rarest first: "<10", "10-49", "50-99", ">=100"."""
    first, last = ("<=", ">") if rare.inclusive else ("<", ">=")
    lower, upper = (1, 0) if rare.inclusive else (0, -1)
    between = [
        f"{low + lower}-{high + upper}" for low, high in zip(rare.bins, rare.bins[1:], strict=False)
    ]
    return [f"{first}{rare.bins[0]}", *between, f"{last}{rare.bins[-1]}"]
