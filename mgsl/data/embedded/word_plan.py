"""Which words the sentences of the embedded dataset use, with frequencies fixed in advance.

First each query is planned: the frequency bin of its rarest word, and of its other words. Then the
training tokens of a bin are dealt to its words within the edges of the bin. So every share and
every bin is exact by construction, and nothing is tried until it fits.
"""

import bisect
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mgsl.data.embedded.lexicon import BINS, UNSEEN, seen_as

FREQUENT = 3  # the last frequency bin
Words = dict[str, str]  # one word of each kind


@dataclass(frozen=True)
class Tail:
    """How words are distributed over queries."""

    bin_edges: tuple[int, int, int]  # no training count equals one
    bin_shares: tuple[float, float, float, float]  # of queries, by the bin of their rarest word
    deciding: Mapping[str, float]  # kind of the word that puts a query in a bin before the last
    other_bins: tuple[float, float, float, float]  # of the other words, where not the rarest
    place_share: float  # of queries that tell the place
    unseen_share: float  # of first-bin words drawn outside train that train never has
    same_bin_share: float  # of replaced words that give way to a word of the same bin


@dataclass(frozen=True)
class Plan:
    """The frequency bin of each kind of word in a query, and the kind that decides its bin."""

    deciding: str
    bins: Mapping[str, int]


def plan_queries(num_queries: int, tail: Tail, rng: random.Random) -> list[Plan]:
    """Plan queries in random order, with the bins of `tail.bin_shares` to the query."""
    exact = [share * num_queries for share in tail.bin_shares]
    sizes = [math.floor(size) for size in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: sizes[i] - exact[i])
    for i in by_remainder[: num_queries - sum(sizes)]:
        sizes[i] += 1
    rarest = [i for i, size in enumerate(sizes) for _ in range(size)]
    rng.shuffle(rarest)
    return [_plan(i, tail, rng) for i in rarest]


def _plan(rarest: int, tail: Tail, rng: random.Random) -> Plan:
    bins = {"subject": FREQUENT}
    for kind in tail.deciding:
        (index,) = rng.choices(range(FREQUENT + 1), tail.other_bins)
        bins[kind] = index if index >= rarest else FREQUENT
    if rng.random() < tail.place_share:
        bins["place"] = FREQUENT
    if rarest == FREQUENT:
        return Plan(rng.choice(list(bins)), bins)
    (deciding,) = rng.choices(list(tail.deciding), list(tail.deciding.values()))
    return Plan(deciding, bins | {deciding: rarest})


class Vocabulary:
    """The words of the training sentences, each with its count.

    Args:
        plans: those of the training queries.
        tail: where bins end, and how words are drawn.
        rng: of all that is drawn.

    Raises:
        ValueError: the lexicon has too few or too many words for a bin.
    """

    def __init__(self, plans: Sequence[Plan], tail: Tail, rng: random.Random) -> None:
        self._tail, self._rng = tail, rng
        self._totals = Counter(item for plan in plans for item in plan.bins.items())
        edges = (0, *tail.bin_edges, len(plans) * len(BINS))
        self._counts = {
            (kind, i): self._spread(BINS[kind][i].split(), total, edges[i] + 1, edges[i + 1] - 1)
            for (kind, i), total in sorted(self._totals.items())
        }

    def deal(self, plans: Sequence[Plan]) -> list[Words]:
        """Words for the training queries: each word exactly as often as its count."""
        decks = {key: list(Counter(counts).elements()) for key, counts in self._counts.items()}
        for deck in decks.values():
            self._rng.shuffle(deck)
        return [{kind: decks[kind, i].pop() for kind, i in plan.bins.items()} for plan in plans]

    def draw(self, plan: Plan, *, unseen: bool) -> Words:
        """Words for a planned query, each as likely as it is frequent.

        Args:
            plan: the bin of each word.
            unseen: whether words that no training sentence has may come.
        """
        return {kind: self._draw(kind, i, unseen=unseen) for kind, i in plan.bins.items()}

    def replace(self, words: Words, kind: str, index: int, *, unseen: bool) -> Words:
        """The same words but for one, which gives way to one that means something else.

        Args:
            words: one of each kind.
            kind: which to replace.
            index: the bin of the word to replace.
            unseen: whether words that no training sentence has may come.
        """
        totals = {i: n for (k, i), n in sorted(self._totals.items()) if k == kind and i != index}
        if totals and self._rng.random() >= self._tail.same_bin_share:
            (index,) = self._rng.choices(list(totals), list(totals.values()))
        word = words[kind]
        while seen_as(word) == seen_as(words[kind]):
            word = self._draw(kind, index, unseen=unseen)
        return words | {kind: word}

    def _draw(self, kind: str, index: int, *, unseen: bool) -> str:
        if unseen and index == 0 and self._rng.random() < self._tail.unseen_share:
            return self._rng.choice(UNSEEN[kind].split())
        counts = self._counts[kind, index]
        return self._rng.choices(list(counts), list(counts.values()))[0]

    def _spread(self, words: Sequence[str], total: int, low: int, high: int) -> dict[str, int]:
        """Counts in [low, high] that add up to `total`, the first words the most frequent."""
        if not len(words) * low <= total <= len(words) * high:
            raise ValueError(f"{total} tokens do not fit {len(words)} words of {low} to {high}")
        counts = dict.fromkeys(words, low)
        weights = {word: 1 / rank for rank, word in enumerate(words, start=1)}
        for _ in range(total - len(words) * low):
            growing = [word for word in words if counts[word] < high]
            (word,) = self._rng.choices(growing, [weights[word] for word in growing])
            counts[word] += 1
        return counts


def recount(sentences: Mapping[str, Sequence[Sequence[str]]], tail: Tail) -> None:
    """Count again, from finished sentences alone, what `tail` promises.

    Args:
        sentences: the nouns, verbs and adjectives of each sentence, by split.
        tail: bins, and the share of queries in each.

    Raises:
        ValueError: a training count equals an edge, or a bin's share is off by a query or more.
    """
    counts = Counter(word for words in sentences["train"] for word in words)
    if on_edge := [word for word, count in counts.items() if count in tail.bin_edges]:
        raise ValueError(f"training counts on the edge of a bin: {on_edge}")
    for split, rows in sentences.items():
        rarest = [min(counts[word] for word in words) for words in rows]
        sizes = Counter(bisect.bisect_right(tail.bin_edges, count) for count in rarest)
        for i, share in enumerate(tail.bin_shares):
            if abs(sizes[i] - share * len(rows)) >= 1:
                raise ValueError(f"{split}: {sizes[i]} of {len(rows)} queries in bin {i}")
