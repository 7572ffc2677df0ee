"""A few videos of a dataset, prepared as all of them will be, before its features are at hand.

Queries and moments are those published. Features that a person has to fetch are random numbers, in
a file of the form and with as many rows as the published one has.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from mgsl.configs import PrepareConfig
from mgsl.data import counted, feature_files, glove, preparing, sources
from mgsl.data.annotations import Annotation, hold_out
from mgsl.data.datasets import Dataset, FeatureRequest, find
from mgsl.data.text import Vectors, is_word
from mgsl.errors import UserError
from mgsl.queries import SPLITS


@dataclass(frozen=True)
class Layout:
    """How published features lie in their file: rows a second, and of which type."""

    rows_per_s: float
    dtype: str


STORED = {  # by dataset, as the releases that mgsl/data/releases.yaml lists first
    "charades_i3d": Layout(1 / 0.49, "float32"),
    "tacos_c3d": Layout(1 / 0.41, "float32"),
    "activitynet_c3d": Layout(3.5, "float64"),
}


@dataclass(frozen=True)
class Sample:
    """What was prepared, and what is known of the whole.

    `pairs` and `videos` count all that is kept of the dataset, `vocabulary` its words and the
    padding; `sampled` is how many videos were prepared, in `seconds`. `missing` are the published
    files that are not at hand.
    """

    pairs: Mapping[str, int]
    videos: int
    vocabulary: int
    sampled: int
    seconds: float
    missing: Sequence[str]
    features: str


def prepare_sample(config: PrepareConfig, folder: Path, *, least: Mapping[str, int]) -> Sample:
    """Prepare some videos of a dataset in `folder/prepared`.

    Args:
        config: as the stage `prepare` is told.
        folder: an empty one, for all that is written.
        least: how many pairs of each split are wanted, if there are so many.

    Raises:
        UserError: annotations are not at hand, or what would stop the stage `prepare`.
    """
    dataset, raw = find(config.dataset), folder / "raw"
    missing = _bring(dataset, config.dataset, raw)
    try:
        annotations = dataset.annotations(raw)
        published = preparing.tag(annotations, raw / preparing.TAGGER)
    except UserError as error:
        if not missing:
            raise
        raise UserError(
            f"{error}\nnot at hand: {', '.join(missing)}. `python -m mgsl download --dataset "
            f"{config.dataset}` fetches them before features; or set MGSL_MIRROR"
        ) from None
    preparation = config.preparation
    held_out = hold_out(
        published, share=preparation.validation_share, seed=preparation.validation_seed
    )
    kept, _ = counted.clamp(held_out)
    words = {token for a in kept for token, _ in a.tagged or () if is_word(token)}
    vectors, missing = _vectors(dataset, raw, config, words, missing)
    unknown = preparation.unknown_words if vectors else "spelled"  # or no word would be left
    if unknown == "dropped":
        words &= vectors.keys()
    sample = choose(kept, least)
    stored = STORED.get(config.dataset) if dataset.archive else None
    small = replace(
        dataset,
        annotations=lambda raw: sample,
        vectors=lambda raw: vectors,
        features_of=made_up_features(stored, dataset.width, folder)
        if stored
        else dataset.features_of,
        archive=None,  # what a person placed is not read, nor looked for
    )
    changes = {"glove": None, "unknown_words": unknown}  # `small` has the vectors
    read = config.model_copy(update={"preparation": preparation.model_copy(update=changes)})
    started = time.monotonic()
    preparing.prepare(read, raw, folder / "prepared", dataset=small)
    return Sample(
        pairs=Counter(a.split for a in kept),
        videos=len({a.video for a in kept}),
        vocabulary=len(words) + 1,
        sampled=len({a.video for a in sample}),
        seconds=time.monotonic() - started,
        missing=missing,
        features=f"made up: {dataset.width} numbers a row, {stored.rows_per_s:.2g} rows a second"
        if stored
        else dataset.features,
    )


def choose(annotations: Sequence[Annotation], least: Mapping[str, int]) -> list[Annotation]:
    """All pairs of as many videos as are needed, those with the longest sentences first.

    Args:
        annotations: tagged, each in its split. Validation and test may share videos.
        least: how many pairs of each split are wanted, if there are so many.
    """
    longest: dict[tuple[str, str], int] = {}
    for a in annotations:
        key = (a.split, a.video)
        longest[key] = max(longest.get(key, 0), len(a.tagged or ()))
    pairs = Counter((a.split, a.video) for a in annotations)
    videos: set[str] = set()
    for split in SPLITS:
        count = 0
        for key in sorted((key for key in longest if key[0] == split), key=lambda k: -longest[k]):
            if count >= least[split]:
                break
            videos.add(key[1])
            count += pairs[key]
    return [a for a in annotations if a.video in videos]


def made_up_features(
    stored: Layout, width: int, folder: Path
) -> Callable[[FeatureRequest], Iterator[np.ndarray]]:
    """What reads features from a file of random numbers that it writes first."""

    def features_of(request: FeatureRequest) -> Iterator[np.ndarray]:
        path = folder / f"{request.config.dataset}.hdf5"
        generator = np.random.default_rng(0)
        with h5py.File(path, "w") as file:
            for video, duration_s in request.durations_s.items():
                rows = math.ceil(duration_s * stored.rows_per_s)
                array = generator.standard_normal((rows, width), dtype=np.float32)
                file[video] = array.astype(stored.dtype)
        return feature_files.read_stretched(
            path,
            list(request.durations_s),
            num_clips=request.config.num_clips,
            video_dim=request.config.video_dim,
        )

    return features_of


def _bring(dataset: Dataset, name: str, raw: Path) -> list[str]:
    """Put what is at hand of a dataset's published files in place; the network is not asked."""
    listed = sources.catalogue(name)
    at_hand = [source for source in listed if sources.status(source) != "missing"]
    sources.fetch(at_hand, raw)
    if not listed:
        dataset.download(raw)
    return [str(source.place) for source in listed if source not in at_hand]


def _vectors(
    dataset: Dataset, raw: Path, config: PrepareConfig, words: set[str], missing: list[str]
) -> tuple[Vectors, list[str]]:
    """Published vectors, or none where their files are not at hand; then what is missing in all."""
    named = config.preparation.glove
    if named is None:
        return ({} if missing else dataset.vectors(raw)), missing
    if glove.is_awaited(named):
        return {}, [*missing, f"GloVe {named}"]
    return preparing.word_vectors(dataset, raw, config.preparation, words), missing
