"""Every reading of "rare" against the distribution that the paper prints (Q22, Figure 1b).

The paper counts words and sorts pairs into four bins by the count of their rarest word. It does not
say which form of a word is counted, where, as what, and what a bin's edge belongs to. Here all
combinations of plausible answers are tried on ActivityNet Captions.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from mgsl.data.annotations import Annotation
from mgsl.params import Form
from mgsl.queries import SPLITS
from mgsl.rarity import writer

TAGS = {  # prefixes of Penn tags
    "nouns, verbs, adjectives": ("NN", "VB", "JJ"),
    "and adverbs": ("NN", "VB", "JJ", "RB"),
    "nouns, verbs": ("NN", "VB"),
    "nouns": ("NN",),
    "verbs": ("VB",),
    "every word": ("",),
}
CORPORA = ("train", "all")
COUNTED = ("tokens", "sentences")
SHOWN = ("test", "val", "train", "all")
EDGES = {"10, 50, 100": (10, 50, 100), "5, 50, 100": (5, 50, 100), "3, 50, 100": (3, 50, 100)}
BOUNDS = {False: "below the edge", True: "up to the edge"}


@dataclass(frozen=True)
class Corpus:
    """The alphabetic tokens of all sentences, one below the other, in one form.

    `words` holds a number for each distinct form, `tags` the place of a token's Penn tag among
    `tag_names`, `sentences` the place of its sentence; `splits` the split of each sentence as a
    place in `mgsl.queries.SPLITS`.
    """

    words: Int[np.ndarray, " tokens"]
    tags: Int[np.ndarray, " tokens"]
    sentences: Int[np.ndarray, " tokens"]
    splits: Int[np.ndarray, " sentences"]
    tag_names: list[str]


def read(annotations: Sequence[Annotation], form: Form) -> Corpus:
    """Bring tagged sentences into one form.

    Args:
        annotations: tagged, of every split.
        form: of the words.
    """
    sentences = [annotation.tagged or () for annotation in annotations]
    written = writer(form, sentences)
    rows = [
        (place, word, tag)
        for place, sentence in enumerate(sentences)
        for word, tag in written(sentence)
        if word.isalpha()
    ]
    numbers = {word: number for number, word in enumerate(sorted({word for _, word, _ in rows}))}
    tag_names = sorted({tag for *_, tag in rows})
    tag_places = {tag: place for place, tag in enumerate(tag_names)}
    return Corpus(
        words=np.array([numbers[word] for _, word, _ in rows], int),
        tags=np.array([tag_places[tag] for *_, tag in rows], int),
        sentences=np.array([place for place, *_ in rows], int),
        splits=np.array([SPLITS.index(a.split) for a in annotations], int),
        tag_names=tag_names,
    )


def lowest_counts(
    corpus: Corpus, tags: tuple[str, ...], *, where: str, counted: str
) -> Float[np.ndarray, " sentences"]:
    """How often the rarest word of each sentence is counted; infinite where it has none.

    Args:
        corpus: of `read`.
        tags: prefixes of the tags that count.
        where: one of `CORPORA`.
        counted: one of `COUNTED`; with sentences, a word counts once in each.
    """
    mask = np.array([name.startswith(tags) for name in corpus.tag_names])[corpus.tags]
    words, sentences = corpus.words[mask], corpus.sentences[mask]
    num_words = corpus.words.max() + 1
    inside = (corpus.splits[sentences] == SPLITS.index("train")) | (where == "all")
    counting = words[inside]
    if counted == "sentences":
        counting = np.unique(sentences[inside] * num_words + counting) % num_words
    counts = np.bincount(counting, minlength=num_words)
    lowest = np.full(len(corpus.splits), np.inf)
    np.minimum.at(lowest, sentences, counts[words])
    return lowest


def shares(
    lowest: Float[np.ndarray, " sentences"], edges: Sequence[int], *, inclusive: bool
) -> Float[np.ndarray, " bins"]:
    """Share of sentences in each bin, the rarest first.

    Args:
        lowest: the count of each sentence's rarest word.
        edges: ascending.
        inclusive: whether a count on an edge belongs to the rarer bin.
    """
    bins = np.searchsorted(edges, lowest, side="left" if inclusive else "right")
    return np.bincount(bins, minlength=len(edges) + 1) / len(lowest)


def distance(a: Float[np.ndarray, " bins"], b: Float[np.ndarray, " bins"]) -> float:
    """The share of pairs that would have to change their bin."""
    return float(np.abs(a - b).sum() / 2)


def readings(corpora: Mapping[Form, Corpus], printed: Float[np.ndarray, " bins"]) -> pd.DataFrame:
    """All readings, the nearest to the printed distribution first.

    Args:
        corpora: ActivityNet Captions in each form.
        printed: the shares of the four bins.

    Returns:
        One row for each reading: form, tags, corpus, counted, edges, bound, shown, the share of
        each bin, and the distance.
    """
    table = pd.DataFrame(_readings(corpora, printed))
    return table.sort_values("distance", kind="stable", ignore_index=True)


def fitting_edges(
    corpora: Mapping[Form, Corpus], printed: Float[np.ndarray, " bins"]
) -> pd.DataFrame:
    """The edges at which each way of counting comes nearest to the printed shares on test.

    Args:
        corpora: ActivityNet Captions in each form.
        printed: the shares of the four bins.

    Returns:
        One row for each form and corpus: the edges, the shares they give, and the distance.
    """
    rows = []
    for form, corpus in corpora.items():
        tags = TAGS["nouns, verbs, adjectives"]
        for where in CORPORA:
            lowest = lowest_counts(corpus, tags, where=where, counted="tokens")[_in(corpus, "test")]
            candidates = np.unique(lowest)
            below = np.searchsorted(np.sort(lowest), candidates) / len(lowest)
            wanted = printed.cumsum()[:-1, None]
            edges = candidates[np.abs(below - wanted).argmin(axis=1)].astype(int)
            fractions = shares(lowest, edges.tolist(), inclusive=False)
            rows.append(
                {"form": form, "corpus": where}
                | {f"edge_{place}": edge for place, edge in enumerate(edges.tolist(), start=1)}
                | _as_columns(fractions)
                | {"distance": distance(fractions, printed)}
            )
    return pd.DataFrame(rows)


def _readings(
    corpora: Mapping[Form, Corpus], printed: Float[np.ndarray, " bins"]
) -> Iterator[dict[str, object]]:
    for form, corpus in corpora.items():
        members = {shown: _in(corpus, shown) for shown in SHOWN}
        for (name, tags), where, counted in itertools.product(TAGS.items(), CORPORA, COUNTED):
            lowest = lowest_counts(corpus, tags, where=where, counted=counted)
            for edges, inclusive, shown in itertools.product(EDGES, BOUNDS, SHOWN):
                fractions = shares(lowest[members[shown]], EDGES[edges], inclusive=inclusive)
                yield {
                    "form": form, "tags": name, "corpus": where, "counted": counted,
                    "edges": edges, "bound": BOUNDS[inclusive], "shown": shown,
                    **_as_columns(fractions), "distance": distance(fractions, printed),
                }  # fmt: skip


def _in(corpus: Corpus, shown: str) -> Bool[np.ndarray, " sentences"]:
    every = np.ones(len(corpus.splits), bool)
    return every if shown == "all" else corpus.splits == SPLITS.index(shown)


def _as_columns(fractions: Float[np.ndarray, " bins"]) -> dict[str, float]:
    return {f"share_{place}": float(share) for place, share in enumerate(fractions, start=1)}
