"""From published files to what training and evaluation read: the stage `prepare`."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgsl.configs import PrepareConfig
from mgsl.data import features, origins
from mgsl.data.annotations import Annotation, hold_out
from mgsl.data.datasets import Dataset, FeatureRequest, find
from mgsl.data.tagger import tag_sentences
from mgsl.data.text import Vectors, is_word, read_glove, vector_table
from mgsl.errors import UserError
from mgsl.files import atomic_folder, atomic_path, sha256, write_json, write_text
from mgsl.params import PreparationParams
from mgsl.prepared import write_summary
from mgsl.queries import SPLITS, Query, only_words, write_queries
from mgsl.rarity import bin_labels, frequencies, rarity, writer

TAGGER = Path("nltk/nltk_data/packages/taggers/averaged_perceptron_tagger.zip")


@dataclass
class Tally:
    """What became of the published pairs of one split. Clamped pairs may be dropped as well."""

    published: int = 0
    clamped: int = 0
    dropped: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Of two splits together."""
        return Tally(*(getattr(self, name) + getattr(other, name) for name in vars(self)))


def prepare(config: PrepareConfig, raw: Path, output: Path, placed: Path | None = None) -> None:
    """Write the prepared dataset: queries, videos, features, vocabulary, vectors, summary.

    Args:
        config: lengths, the reading of "rare", how validation is held out.
        raw: the folder of the published files.
        output: the folder to write. It is replaced as a whole, at the end.
        placed: the folder with the record of features that a person placed; None: `raw`.

    Raises:
        UserError: a file is missing or malformed, a query is empty, features are not as configured.
    """
    dataset = find(config.dataset)
    published = tag(dataset.annotations(raw), raw / TAGGER)
    annotations = hold_out(
        published,
        share=config.preparation.validation_share,
        seed=config.preparation.validation_seed,
    )
    kept, tallies = clamp(annotations)
    absent = dataset.lacking(config, list(dict.fromkeys(a.video for a in kept)))
    kept, left_out = origins.leave_out(kept, absent)
    queries = make_queries(kept, published, config.preparation)
    durations = {query.video: query.duration_s for query in queries}
    words = {token for query in queries for token in query.tokens}
    vectors = word_vectors(dataset, raw, config.preparation, words)
    if config.preparation.unknown_words == "dropped":  # Q14
        queries = [only_words(query, vectors.keys()) for query in queries]
        words &= vectors.keys()
    vocabulary = ["", *sorted(words)]
    request = FeatureRequest(raw, durations, config, published, vectors, placed or raw)
    table = vector_table(vocabulary, vectors, config.preparation.word_dim)
    with atomic_folder(output) as folder:
        features.store_features(
            folder / "features.npy",
            zip(durations, dataset.features_of(request), strict=True),
            shape=(len(durations), config.num_clips, config.video_dim),
            dtype=dataset.dtype,
        )
        write_queries(folder / "queries.jsonl", queries)
        videos = pd.DataFrame({"video": durations.keys(), "duration_s": durations.values()})
        write_text(folder / "videos.csv", videos.to_csv(index=False, lineterminator="\n"))
        write_json(folder / "vocabulary.json", vocabulary)
        with atomic_path(folder / "word_vectors.npy") as path:
            np.save(path, table)
        summary = summarise(dataset, config, queries, tallies, vectors)
        summary["validation_held_out"] = not any(a.split == "val" for a in published)
        summary["sources"] = _digests(raw) + _glove_digest(config.preparation)
        if dataset.archive is not None:
            summary |= origins.summarise(dataset, request, left_out)
            archive = summary["archive"]
            summary["sources"].append({key: archive[key] for key in ("file", "sha256")})
        write_summary(folder, summary)


def word_vectors(
    dataset: Dataset, raw: Path, preparation: PreparationParams, words: Set[str]
) -> Vectors:
    """Published vectors: from a GloVe text file of the user's, else those of the dataset.

    Raises:
        UserError: a file is missing or malformed.
    """
    if preparation.glove is None:
        return dataset.vectors(raw)
    return read_glove(Path(preparation.glove), words, preparation.word_dim)


def tag(annotations: Sequence[Annotation], archive: Path) -> list[Annotation]:
    """Tokenise and tag the sentences that were not published with tags.

    Args:
        annotations: of every split.
        archive: the tagger, as `load_tagger` wants it.

    Raises:
        UserError: a sentence has no word, or there is no tagger.
    """
    untagged = {annotation.sentence for annotation in annotations if annotation.tagged is None}
    tags = tag_sentences(untagged, archive) if untagged else {}
    tagged = [replace(a, tagged=tags[a.sentence]) if a.tagged is None else a for a in annotations]
    for annotation in tagged:
        if not any(is_word(token) for token, _ in annotation.tagged or ()):
            raise UserError(f"query {annotation.qid!r} has no word: {annotation.sentence!r}")
    return tagged


def clamp(annotations: Sequence[Annotation]) -> tuple[list[Annotation], dict[str, Tally]]:
    """Cut moments off at the end of their video; drop those of which nothing is left.

    Args:
        annotations: as published, of every split.

    Returns:
        The pairs kept, train first, then val, then test; and the counts of each split.

    Raises:
        UserError: a time is negative, a duration is not above 0 or not the same for all queries of
            a video, a query's id comes twice in a split, a training video is in another split too,
            or a split is left empty. Validation and test may share videos: ActivityNet's do.
    """
    tallies = {split: Tally() for split in SPLITS}
    pairs: dict[str, list[Annotation]] = {split: [] for split in SPLITS}
    _check(annotations)
    for a in annotations:
        end_s = min(a.end_s, a.duration_s)
        tally = tallies[a.split]
        tally.published += 1
        tally.clamped += end_s < a.end_s
        if a.start_s < end_s:
            pairs[a.split].append(replace(a, end_s=end_s))
        else:
            tally.dropped += 1
    if empty := [split for split in SPLITS if not pairs[split]]:
        raise UserError(f"no query is left in {', '.join(empty)}")
    return [a for split in SPLITS for a in pairs[split]], tallies


def make_queries(
    annotations: Sequence[Annotation],
    published: Sequence[Annotation],
    preparation: PreparationParams,
) -> list[Query]:
    """Queries with their words and their rarity.

    Args:
        annotations: the pairs kept, tagged.
        published: all pairs, tagged, in their published splits. A query's rarity is therefore the
            same whatever is held out for validation.
        preparation: the reading of "rare" and its counting corpus.
    """
    rare = preparation.rare
    written = writer(rare.form, (a.tagged or () for a in published))
    corpus = [a for a in published if rare.corpus == "all" or a.split == "train"]
    counts = frequencies((written(a.tagged or ()) for a in corpus), rare.tags)
    queries = []
    for a in annotations:
        words = [(token, tag) for token, tag in a.tagged or () if is_word(token)]
        queries.append(
            Query(
                qid=a.qid,
                video=a.video,
                sentence=a.sentence,
                split=a.split,
                start_s=a.start_s,
                end_s=a.end_s,
                duration_s=a.duration_s,
                tokens=tuple(token for token, _ in words),
                tags=tuple(tag for _, tag in words),
                **asdict(rarity(written(tuple(words)), counts, rare)),
            )
        )
    return queries


def summarise(
    dataset: Dataset,
    config: PrepareConfig,
    queries: Sequence[Query],
    tallies: Mapping[str, Tally],
    vectors: Vectors,
) -> dict[str, Any]:
    """What the dataset is, and the counts and shares that describe it."""
    labels = bin_labels(config.preparation.rare)
    of = {split: [query for query in queries if query.split == split] for split in SPLITS}
    tokens = Counter(token for query in queries for token in query.tokens)
    return {
        "dataset": config.dataset,
        "title": dataset.title,
        "benchmark": dataset.benchmark,
        "features": dataset.features,
        "simulated": dataset.simulated,
        "num_clips": config.num_clips,
        "video_dim": config.video_dim,
        "word_dim": config.preparation.word_dim,
        "unknown_words": config.preparation.unknown_words,
        "splits": {
            split: asdict(tallies[split])
            | {"pairs": len(of[split]), "videos": len({query.video for query in of[split]})}
            for split in SPLITS
        },
        "rare": config.preparation.rare.model_dump(mode="json"),
        "bins": labels,
        "shares": {
            split: {
                label: sum(query.bin == i for query in of[split]) / len(of[split])
                for i, label in enumerate(labels)
            }
            for split in SPLITS
        },
        "rare_share": {
            split: sum(query.rare for query in of[split]) / len(of[split]) for split in SPLITS
        },
        "vocabulary": len(tokens),
        "vector_coverage": coverage(tokens, vectors),
    }


def coverage(tokens: Counter[str], vectors: Vectors) -> dict[str, float]:
    """The share of the words, and of all tokens, that have a published vector."""
    return {
        "words": sum(token in vectors for token in tokens) / len(tokens),
        "tokens": sum(n for token, n in tokens.items() if token in vectors) / tokens.total(),
    }


def _check(annotations: Sequence[Annotation]) -> None:
    ids: set[tuple[str, str]] = set()
    videos: dict[str, float] = {}
    trained = {a.video for a in annotations if a.split == "train"}
    for a in annotations:
        duration_s = videos.setdefault(a.video, a.duration_s)
        if (a.split, a.qid) in ids:
            raise UserError(f"query {a.qid!r} comes twice in {a.split}")
        if a.split != "train" and a.video in trained:
            raise UserError(f"query {a.qid!r}: video {a.video!r} is in train and in {a.split}")
        if not a.duration_s > 0 or duration_s != a.duration_s:
            raise UserError(
                f"query {a.qid!r}: video {a.video!r} lasts {a.duration_s} s, first {duration_s} s"
            )
        if not min(a.start_s, a.end_s) >= 0:
            raise UserError(f"query {a.qid!r}: its moment is {a.start_s} to {a.end_s} s")
        ids.add((a.split, a.qid))


def _digests(raw: Path) -> list[dict[str, str]]:
    files = sorted(path for path in raw.rglob("*") if path.is_file())
    return [{"file": path.relative_to(raw).as_posix(), "sha256": sha256(path)} for path in files]


def _glove_digest(preparation: PreparationParams) -> list[dict[str, str]]:
    if preparation.glove is None:
        return []
    path = Path(preparation.glove)
    return [{"file": path.name, "sha256": sha256(path)}]
