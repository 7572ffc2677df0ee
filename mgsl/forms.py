"""Which form of a word is counted: as it stands, its dictionary form, or its stem (Q22)."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import get_args

from nltk.stem.porter import PorterStemmer

from mgsl.data.annotations import TaggedTokens
from mgsl.lemmas import attest, lemma
from mgsl.params import Form

FORMS: tuple[Form, ...] = get_args(Form)


def writer(form: Form, sentences: Iterable[TaggedTokens]) -> Callable[[TaggedTokens], TaggedTokens]:
    """How the tokens of a sentence are written where they are counted; their tags stay.

    Args:
        form: surface, as they stand; lemma, by the rules of `mgsl.lemmas`; stem, after Porter.
        sentences: lower-cased (token, Penn tag) pairs of a whole dataset, all its splits: they
            decide between the lemmas that a word may have.
    """
    if form == "surface":
        return lambda tagged: tagged
    attested = attest(sentences) if form == "lemma" else {}
    stemmer = PorterStemmer()

    @cache
    def written(token: str, tag: str) -> str:
        return lemma(token, tag, attested) if form == "lemma" else stemmer.stem(token)

    return lambda tagged: tuple((written(token, tag), tag) for token, tag in tagged)
