"""From published files to what training and evaluation read: the stage `prepare`."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgsl.configs import PrepareConfig
from mgsl.data import features, glove, origins
from mgsl.data.annotations import Annotation, hold_out
from mgsl.data.counted import Tally, clamp, leave_out
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


def prepare(
    config: PrepareConfig,
    raw: Path,
    output: Path,
    *,
    placed: Path | None = None,
    dataset: Dataset | None = None,
) -> None:
    """Write the prepared dataset: queries, videos, features, vocabulary, vectors, summary.

    Args:
        config: lengths, the reading of "rare", how validation is held out.
        raw: the folder of the published files.
        output: the folder to write. It is replaced as a whole, at the end.
        placed: the folder with the record of features and word vectors that stand elsewhere; None:
            `raw`.
        dataset: what takes the place of the dataset that the configuration names.

    Raises:
        UserError: a file is missing or malformed, a query is empty, features are not as configured.
    """
    dataset = dataset or find(config.dataset)
    placed = placed or raw
    own = _glove_digest(config, placed)
    published = tag(dataset.annotations(raw), raw / TAGGER)
    annotations = hold_out(
        published,
        share=config.preparation.validation_share,
        seed=config.preparation.validation_seed,
    )
    kept, tallies = clamp(annotations)
    absent = dataset.lacking(config, list(dict.fromkeys(a.video for a in kept)))
    kept, left_out = leave_out(kept, absent)
    queries = make_queries(kept, published, config.preparation)
    durations = {query.video: query.duration_s for query in queries}
    words = {token for query in queries for token in query.tokens}
    vectors = word_vectors(dataset, raw, config.preparation, words)
    if config.preparation.unknown_words == "dropped":  # Q14
        queries = [only_words(query, vectors.keys()) for query in queries]
        words &= vectors.keys()
    vocabulary = ["", *sorted(words)]
    request = FeatureRequest(raw, durations, config, published, vectors, placed)
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
        summary["sources"] = _digests(raw) + own
        if dataset.archive is not None:
            summary |= origins.summarise(dataset, request, left_out)
            archive = summary["archive"]
            summary["sources"].append({key: archive[key] for key in ("file", "sha256")})
        write_summary(folder, summary)


def word_vectors(
    dataset: Dataset, raw: Path, preparation: PreparationParams, words: Set[str]
) -> Vectors:
    """Published vectors: those of the GloVe file that params.yaml names, else of the dataset.

    Raises:
        UserError: a file is missing, malformed, or has none of the words.
    """
    if preparation.glove is None:
        return dataset.vectors(raw)
    return read_glove(glove.place(preparation.glove), words, preparation.word_dim)


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


def _digests(raw: Path) -> list[dict[str, str]]:
    files = sorted(path for path in raw.rglob("*") if path.is_file())
    return [{"file": path.relative_to(raw).as_posix(), "sha256": sha256(path)} for path in files]


def _glove_digest(config: PrepareConfig, placed: Path) -> list[dict[str, str]]:
    """Of the file of word vectors that params.yaml names; it must be the one recorded."""
    if config.preparation.glove is None:
        return []
    identity = glove.check_recorded(config.preparation.glove, placed, config.dataset)
    return [{"file": identity.file, "sha256": identity.sha256}]
