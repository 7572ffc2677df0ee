"""The datasets: pairs of annotations and features. A new one is one more entry."""

import functools
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgsl import paths
from mgsl.data import sources, synthetic
from mgsl.data.annotations import Annotation, read_charades
from mgsl.data.features import action_timelines
from mgsl.data.planted import plant
from mgsl.data.text import Vectors, read_vectors, spelling_vector
from mgsl.errors import UserError
from mgsl.files import atomic_path
from mgsl.params import PrepareConfig


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset, and how its files are fetched and read.

    `features` says in one phrase what a model sees; `benchmark` names the paper's dataset whose
    printed numbers may stand beside, if any. `features_of` yields the features of each video in
    the order of the durations given to it.
    """

    title: str
    features: str
    simulated: bool
    benchmark: str | None
    download: Callable[[Path], None]
    annotations: Callable[[Path], list[Annotation]]
    vectors: Callable[[Path], Vectors]
    features_of: Callable[[Path, Mapping[str, float], PrepareConfig], Iterator[np.ndarray]]
    dtype: type[np.floating]


def find(name: str) -> Dataset:
    """A dataset by name.

    Raises:
        UserError: there is none of this name.
    """
    if name not in DATASETS:
        raise UserError(f"no dataset {name!r}; there is: {', '.join(DATASETS)}")
    return DATASETS[name]


def _fetch(name: str, raw: Path) -> None:
    sources.fetch(sources.catalogue(name), raw)


def _copy_embedded(raw: Path) -> None:
    original = paths.EMBEDDED / synthetic.FILE
    if not original.is_file():
        raise UserError(f"{original} is missing: run `dvc repro`, which imports it")
    with atomic_path(raw / synthetic.FILE) as temporary:
        shutil.copyfile(original, temporary)


def _planted(
    raw: Path, durations_s: Mapping[str, float], config: PrepareConfig
) -> Iterator[np.ndarray]:
    if config.planted is None:
        raise UserError(f"params.yaml: data.{config.dataset}.planted is missing")
    return plant(
        synthetic.read_events(raw),
        durations_s,
        spelling_vector,
        params=config.planted,
        num_clips=config.num_clips,
        video_dim=config.video_dim,
        word_dim=config.preparation.word_dim,
    )


def _charades_vectors(raw: Path) -> Vectors:
    folder = raw / "JaywongWang/CBP/datasets/charades/data/save"
    return read_vectors(folder / "word2id.json", folder / "charades_glove_embeds.npy")


def _action_timelines(
    raw: Path, durations_s: Mapping[str, float], config: PrepareConfig
) -> Iterator[np.ndarray]:
    return action_timelines(raw, durations_s, num_clips=config.num_clips)


DATASETS = {
    "embedded": Dataset(
        title="Embedded",
        features="simulated from the annotated events",
        simulated=True,
        benchmark=None,
        download=_copy_embedded,
        annotations=synthetic.read_embedded,
        vectors=lambda raw: {},  # every word's vector comes from its spelling
        features_of=_planted,
        dtype=np.float32,
    ),
    "charades_actions": Dataset(
        title="Charades-STA, action timelines",
        features="157 action classes per clip, as annotated by people",
        simulated=False,
        benchmark="charades",
        download=functools.partial(_fetch, "charades_actions"),
        annotations=read_charades,
        vectors=_charades_vectors,
        features_of=_action_timelines,
        dtype=np.float16,
    ),
}
