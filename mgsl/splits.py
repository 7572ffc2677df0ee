"""Train, validation and test; the rare and the common queries.

A content word is an alphabetic token that the tagger calls a noun, a verb or an adjective. Its
frequency is how often that word is a content word of the counting corpus (Q22). A query is as rare
as its rarest content word. What counts as the same word, `mgsl.forms` has decided before.
"""

import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mgsl.data.annotations import Annotation, TaggedTokens
from mgsl.params import RareParams


@dataclass(frozen=True)
class Rarity:
    """How rare a query is; the fields are those of `mgsl.queries.Query`."""

    frequency: int | None
    bin: int
    rare: bool


def hold_out(annotations: Sequence[Annotation], *, share: float, seed: int) -> list[Annotation]:
    """Make some training videos the validation split, unless one is published.

    Args:
        annotations: of every split.
        share: of the training videos, in (0, 1); at least one is held out.
        seed: draws them.
    """
    if any(annotation.split == "val" for annotation in annotations):
        return list(annotations)
    videos = sorted({a.video for a in annotations if a.split == "train"})
    order = np.random.default_rng(seed).permutation(len(videos))
    held_out = {videos[i] for i in order[: max(1, round(share * len(videos)))]}
    return [
        replace(a, split="val") if a.split == "train" and a.video in held_out else a
        for a in annotations
    ]


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
