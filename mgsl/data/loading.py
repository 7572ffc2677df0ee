"""From a prepared dataset to padded batches: the only loader."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from mgsl.configs import RunConfig
from mgsl.data.features import read_features, read_vectors
from mgsl.data.unspelled import without_spelled
from mgsl.errors import UserError
from mgsl.prepared import read_videos, read_vocabulary
from mgsl.queries import SPLITS, Query, read_queries
from mgsl.recipes import Unspelled
from mgsl.records import Batch

Item = TypeVar("Item")


@dataclass(frozen=True)
class Split:
    """The queries of one split, ready to be batched.

    `words` holds rows of `word_vectors`, 0 beyond a query's last word; `videos` holds rows of
    `features`, which stays on disk and is mapped into memory. With `mask_padding` off, the padding
    of a query is taken for words whose vectors are zero, up to `max_words` (Q25).
    """

    queries: list[Query]
    words: Int[np.ndarray, "queries max_words"]
    videos: Int[np.ndarray, " queries"]
    durations_s: Float[np.ndarray, " queries"]
    targets: Float32[np.ndarray, "queries 2"]
    word_vectors: Float32[Tensor, "vocabulary word_dim"]
    features: Float[np.ndarray, "videos clips video_dim"]
    mask_padding: bool

    def __len__(self) -> int:
        return len(self.queries)

    def batch(self, rows: Int[np.ndarray, " batch"]) -> Batch:
        """The queries of these rows, padded to the longest of them.

        Raises:
            UserError: features of a video are not finite.
        """
        words = torch.from_numpy(self.words[rows])
        real = words > 0 if self.mask_padding else torch.ones_like(words, dtype=torch.bool)
        longest = int(real.sum(1).max())
        video = torch.from_numpy(self.features[self.videos[rows]]).float()
        if not video.sum().isfinite():  # much cheaper than to look at each number
            self._check(rows, video)
        return Batch(
            video=video,
            video_mask=torch.ones(video.shape[:2], dtype=torch.bool),  # Q14: videos are stretched
            query=self.word_vectors[words[:, :longest]],
            query_mask=real[:, :longest],
            target=torch.from_numpy(self.targets[rows]),
            words=words[:, :longest],
        )

    def _check(
        self, rows: Int[np.ndarray, " batch"], video: Float[Tensor, "batch clips video_dim"]
    ) -> None:
        """Name the first of some videos whose features are not finite, if there is one."""
        for row, finite in zip(rows, video.isfinite().all(2).all(1).tolist(), strict=True):
            if not finite:
                raise UserError(
                    f"the features of video {self.queries[row].video!r} hold NaN or infinity: "
                    "correct them, and prepare the dataset again"
                )


def load_splits(prepared: Path, config: RunConfig) -> dict[str, Split]:
    """Open a prepared dataset.

    Args:
        prepared: the folder that the stage `prepare` wrote.
        config: of a run: where longer queries are cut, whether padding is masked, and whether words
            whose vector comes from their spelling are left out.

    Raises:
        UserError: a file is missing or not what the summary says, a word vector is not finite, or
            there are more words than the method has room for.
    """
    queries = read_queries(prepared / "queries.jsonl")
    vocabulary, videos = read_vocabulary(prepared), read_videos(prepared)
    _see_that_words_fit(vocabulary, config)
    vectors, features = read_vectors(prepared, vocabulary), read_features(prepared, videos)
    if isinstance(config.training.rare_words, Unspelled):
        queries = without_spelled(queries, vocabulary, vectors)
    word_row = {word: row for row, word in enumerate(vocabulary)}
    video_row = {video: row for row, video in enumerate(videos)}

    def split(name: str) -> Split:
        mine = [query for query in queries if query.split == name]
        words = np.zeros((len(mine), config.max_words), dtype=np.int64)
        for row, query in enumerate(mine):
            ids = [word_row[token] for token in query.tokens[: config.max_words]]
            words[row, : len(ids)] = ids
        spans = np.array([[query.start_s, query.end_s] for query in mine])
        durations = np.array([query.duration_s for query in mine])
        return Split(
            queries=mine,
            words=words,
            videos=np.array([video_row[query.video] for query in mine]),
            durations_s=durations,
            targets=(spans / durations[:, None]).astype(np.float32),
            word_vectors=torch.from_numpy(vectors),
            features=features,
            mask_padding=config.training.mask_padding,
        )

    return {name: split(name) for name in SPLITS}


def _see_that_words_fit(vocabulary: list[str], config: RunConfig) -> None:
    """A method that tells words apart has as many outputs as its configuration says."""
    room = config.model.get("vocabulary", len(vocabulary))
    if room < len(vocabulary):
        raise UserError(
            f"{config.name} has outputs for vocabulary={room} words, and {config.dataset} has "
            f"{len(vocabulary)}: correct data.{config.dataset}.vocabulary in params.yaml"
        )


def batches(
    split: Split, order: Int[np.ndarray, " order"], *, batch_size: int, rank: int, world_size: int
) -> Iterator[Batch]:
    """This process's share of every joint batch of `batch_size` queries, in the order given.

    A joint batch with fewer queries than processes, at the very end, is left out.
    """
    for start in range(0, len(order), batch_size):
        joint = order[start : start + batch_size]
        if len(joint) >= world_size:
            yield split.batch(np.array_split(joint, world_size)[rank])


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, the next one made in a thread while one is in use."""
    iterator = iter(items)
    with ThreadPoolExecutor(max_workers=1) as thread:
        future = thread.submit(next, iterator, None)
        while (item := future.result()) is not None:
            future = thread.submit(next, iterator, None)
            yield item
