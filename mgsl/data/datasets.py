"""The datasets: pairs of annotations and features. CONTRIBUTING.md tells how to add one."""

import functools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mgsl import paths
from mgsl.configs import PrepareConfig
from mgsl.data import feature_files, sources
from mgsl.data.annotations import Annotation
from mgsl.data.annotations.activitynet import read_activitynet
from mgsl.data.annotations.charades import action_timelines, read_charades, read_charades_cd
from mgsl.data.annotations.tacos import read_tacos
from mgsl.data.embedded import generate
from mgsl.data.planted import Event, events_of_sentences, plant
from mgsl.data.text import Vectors, read_vectors, spelling_vector
from mgsl.errors import UserError, missing
from mgsl.files import atomic_path
from mgsl.parsing import meant
from mgsl.rarity import content_words

CBP = Path("JaywongWang/CBP/datasets")


@dataclass(frozen=True)
class FeatureRequest:
    """What features are made or read from.

    `durations_s` gives the videos in the order wanted, with their length in seconds; `published`
    holds every annotation, tagged; `vectors` those words that have a published vector. `placed` has
    the record of features that a person placed; what is read of them is counted in `census`.
    """

    raw: Path
    durations_s: Mapping[str, float]
    config: PrepareConfig
    published: Sequence[Annotation]
    vectors: Vectors
    placed: Path = Path()
    census: feature_files.Census = field(default_factory=feature_files.Census)


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset, and how its files are fetched and read.

    `features` says in one phrase what a model sees; `benchmark` names the paper's dataset whose
    printed numbers may stand beside, if any. `features_of` yields the features of each video in
    the order of the durations given to it. `archive` says which features of other people it needs
    beside what `download` fetches (`mgsl.data.placing` brings them), and `width` how many numbers a
    row of theirs has.
    """

    title: str
    features: str
    simulated: bool
    benchmark: str | None
    download: Callable[[Path], None]
    annotations: Callable[[Path], list[Annotation]]
    vectors: Callable[[Path], Vectors]
    features_of: Callable[[FeatureRequest], Iterator[np.ndarray]]
    dtype: type[np.floating]
    archive: str | None = None
    width: int = 0

    def lacking(self, config: PrepareConfig, videos: Sequence[str]) -> list[str]:
        """Which videos have no features, where their queries are to be left out (`missing: drop`).

        Raises:
            UserError: as `feature_files.lacking`.
        """
        if self.archive is None or config.missing != "drop":
            return []
        path = feature_files.locate(config.dataset, self.archive)
        return feature_files.lacking(path, videos, config.parts)


def find(name: str) -> Dataset:
    """A dataset by name.

    Raises:
        UserError: there is none of this name.
    """
    if name not in DATASETS:
        there = f"there is: {', '.join(DATASETS)}"
        raise UserError(f"no dataset {name!r}{meant(name, DATASETS)}; {there}")
    return DATASETS[name]


def _fetch(name: str, raw: Path) -> None:
    sources.fetch(sources.catalogue(name), raw)


def _copy_embedded(raw: Path) -> None:
    original = paths.EMBEDDED / generate.FILE
    if not original.is_file():
        raise missing(original, "run `dvc repro`, which imports it")
    with atomic_path(raw / generate.FILE) as temporary:
        shutil.copyfile(original, temporary)


def _published_vectors(folder: str, table: str, raw: Path) -> Vectors:
    return read_vectors(raw / CBP / folder / "word2id.json", raw / CBP / folder / table)


def _generated_events(request: FeatureRequest) -> Mapping[str, Sequence[Event]]:
    return generate.read_events(request.raw)


def _described_events(request: FeatureRequest) -> Mapping[str, Sequence[Event]]:
    tags = request.config.preparation.rare.tags
    return events_of_sentences(
        (a.video, a.start_s, a.end_s, content_words(a.tagged or (), tags))
        for a in request.published
    )


def _planted(
    events: Callable[[FeatureRequest], Mapping[str, Sequence[Event]]], request: FeatureRequest
) -> Iterator[np.ndarray]:
    config, vectors = request.config, request.vectors
    if config.planted is None:
        raise UserError(f"params.yaml: data.{config.dataset}.planted is missing")
    return plant(
        events(request),
        request.durations_s,
        lambda word, dim: vectors[word] if word in vectors else spelling_vector(word, dim),
        params=config.planted,
        num_clips=config.num_clips,
        video_dim=config.video_dim,
        word_dim=config.preparation.word_dim,
    )


def _action_timelines(request: FeatureRequest) -> Iterator[np.ndarray]:
    return action_timelines(request.raw, request.durations_s, num_clips=request.config.num_clips)


def _stored(hint: str, request: FeatureRequest) -> Iterator[np.ndarray]:
    config = request.config
    path = feature_files.locate(config.dataset, hint)
    feature_files.check_recorded(path, request.placed, config.dataset)
    return feature_files.read_stretched(
        path,
        list(request.durations_s),
        num_clips=config.num_clips,
        video_dim=config.video_dim,
        parts=config.parts,
        census=request.census,
    )


def _simulated(name: str, title: str, *, benchmark: str) -> Dataset:
    """Real queries of a benchmark with features simulated from what its sentences say."""
    return Dataset(
        title=f"{title}, planted features",
        features="simulated from the words of the annotated sentences",
        simulated=True,
        benchmark=benchmark,
        download=functools.partial(_fetch, name),
        annotations=ANNOTATIONS[benchmark],
        vectors=VECTORS[benchmark] if benchmark != "activitynet" else lambda raw: {},
        features_of=functools.partial(_planted, _described_events),
        dtype=np.float16,
    )


def _from_video(
    name: str, title: str, network: str, width: int, hint: str, *, benchmark: str
) -> Dataset:
    """Real queries of a benchmark with features computed from its videos."""
    return Dataset(
        title=f"{title}, {network}",
        features=f"{network}, {width} numbers a clip{' after PCA' * (benchmark == 'activitynet')}",
        simulated=False,
        benchmark=benchmark,
        download=functools.partial(_fetch, name),
        annotations=ANNOTATIONS[benchmark],
        vectors=VECTORS[benchmark],
        features_of=functools.partial(_stored, hint),
        dtype=np.float16,
        archive=hint,
        width=width,
    )


def _actions(
    name: str,
    title: str,
    annotations: Callable[[Path], list[Annotation]],
    *,
    benchmark: str | None,
) -> Dataset:
    """Real queries about Charades with what people marked as under way in its videos."""
    return Dataset(
        title=f"{title}, action timelines",
        features="157 action classes per clip, as annotated by people",
        simulated=False,
        benchmark=benchmark,
        download=functools.partial(_fetch, name),
        annotations=annotations,
        vectors=VECTORS["charades"],
        features_of=_action_timelines,
        dtype=np.float16,
    )


ANNOTATIONS = {
    "activitynet": read_activitynet,
    "tacos": read_tacos,
    "charades": read_charades,
}
VECTORS: dict[str, Callable[[Path], Vectors]] = {
    "activitynet": functools.partial(
        _published_vectors,
        "activitynet_captions/data/save",
        "activitynet_captions_glove_embeds.npy",
    ),
    "tacos": functools.partial(_published_vectors, "tacos/data/save", "tacos_glove_embeds.npy"),
    "charades": functools.partial(
        _published_vectors, "charades/data/save", "charades_glove_embeds.npy"
    ),
}

DATASETS = {
    "embedded": Dataset(
        title="Embedded",
        features="simulated from the annotated events",
        simulated=True,
        benchmark=None,
        download=_copy_embedded,
        annotations=generate.read_embedded,
        vectors=lambda raw: {},  # every word's vector comes from its spelling
        features_of=functools.partial(_planted, _generated_events),
        dtype=np.float32,
    ),
    "charades_actions": _actions(
        "charades_actions", "Charades-STA", read_charades, benchmark="charades"
    ),
    "charades_cd_ood_actions": _actions(
        "charades_cd_ood_actions",
        "Charades-CD, test elsewhere (ood)",
        functools.partial(read_charades_cd, test="ood"),
        benchmark=None,
    ),
    "charades_cd_iid_actions": _actions(
        "charades_cd_iid_actions",
        "Charades-CD, test alike (iid)",
        functools.partial(read_charades_cd, test="iid"),
        benchmark=None,
    ),
    "tacos_planted": _simulated("tacos_planted", "TACoS", benchmark="tacos"),
    "activitynet_planted": _simulated(
        "activitynet_planted", "ActivityNet Captions", benchmark="activitynet"
    ),
    "charades_i3d": _from_video(
        "charades_i3d",
        "Charades-STA",
        "I3D",
        1024,
        "I3D features of Charades, 1024 wide, by video, such as AO8RW",
        benchmark="charades",
    ),
    "tacos_c3d": _from_video(
        "tacos_c3d",
        "TACoS",
        "C3D",
        4096,
        "C3D features of TACoS, 4096 wide, by video, such as s27-d50.avi; known as "
        "tall_c3d_features.hdf5",
        benchmark="tacos",
    ),
    "activitynet_c3d": _from_video(
        "activitynet_c3d",
        "ActivityNet Captions",
        "C3D",
        500,
        "the C3D features that ActivityNet publishes, 500 wide, by video, such as v_QOlSCBRmfWY; "
        "known as sub_activitynet_v1-3.c3d.hdf5",
        benchmark="activitynet",
    ),
}
