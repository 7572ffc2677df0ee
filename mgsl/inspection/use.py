"""Who addresses which slot: the memories of a model, watched while it answers a split.

A word or a query *addresses* a slot by the weight it gives to the slot when it is looked up (Eq. 3,
4), averaged over the streams of the memory. In a memory of words each content word speaks for
itself. In a memory of clips the clips of the annotated moment speak for the query and for each of
its content words.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgsl.configs import RunConfig
from mgsl.data.loading import Split
from mgsl.models.memory import Mask, PersistentMemory
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.per_clip import inside
from mgsl.models.parts.slot_state import reading_weights
from mgsl.queries import Query
from mgsl.records import Batch

Weights = Float[Tensor, "batch steps slots"]


@dataclass(frozen=True)
class Use:
    """How the queries of one split address the slots of one memory.

    `by_word` has the mean weight over the occurrences of each word, `by_query` the highest weight
    over the steps of each query, `share` the mean weight over all steps: 1 / slots if all are used
    alike.
    """

    words: list[str]
    by_word: Float[np.ndarray, "words slots"]
    by_query: Float[np.ndarray, "queries slots"]
    share: Float[np.ndarray, " slots"]


class _Tally:
    """Sums over the batches of a split, for one memory."""

    def __init__(self, num_words: int, num_slots: int) -> None:
        self.words = torch.zeros(num_words, num_slots, dtype=torch.float64)
        self.counts = torch.zeros(num_words, dtype=torch.float64)
        self.queries: list[Tensor] = []
        self.total = torch.zeros(num_slots, dtype=torch.float64)
        self.steps = 0

    def add(self, rows: Int[Tensor, " n"], weights: Float[Tensor, "n slots"]) -> None:
        self.words.index_add_(0, rows, weights)
        self.counts.index_add_(0, rows, torch.ones(len(rows), dtype=torch.float64))


def memories(model: torch.nn.Module) -> dict[str, PersistentMemory]:
    """The memories of a model by what they remember: a domain, or the other one's view of it."""
    return {
        name.replace("_memory.memories.0", "").replace("_memory.memories.1", "_view"): module
        for name, module in model.named_modules()
        if isinstance(module, PersistentMemory)
    }


@torch.inference_mode()
def watch(
    model: GroundingModel,
    split: Split,
    config: RunConfig,
    tags: tuple[str, ...],
    device: torch.device,
) -> dict[str, Use]:
    """Let a model answer a split, without writing; see which slots are addressed by what.

    Args:
        model: on `device`.
        split: what is asked.
        config: of the model; its batch size is used.
        tags: prefixes of the Penn tags of content words.
        device: where to compute.

    Returns:
        The use of each memory, by its name; empty if the model has none.
    """
    model.eval()
    words, ids = content_words(split.queries, split.words.shape[1], tags)
    tallies = {
        name: _Tally(len(words), len(memory.slots)) for name, memory in memories(model).items()
    }
    for start in range(0, len(split), config.batch_size):
        rows = np.arange(start, min(start + config.batch_size, len(split)))
        batch = split.batch(rows).to(device)
        of_batch = torch.from_numpy(ids[rows])[:, : batch.query.shape[1]]
        with _watching(model) as lookups:
            model(batch)
        for name, (weights, mask) in lookups.items():
            _count(tallies[name], weights.double().cpu(), mask, batch, of_batch)
    return {
        name: Use(
            words=words,
            by_word=(tally.words / tally.counts[:, None]).numpy(),
            by_query=torch.cat(tally.queries).numpy(),
            share=(tally.total / tally.steps).numpy(),
        )
        for name, tally in tallies.items()
    }


def content_words(
    queries: Sequence[Query], max_words: int, tags: tuple[str, ...]
) -> tuple[list[str], Int[np.ndarray, "queries max_words"]]:
    """The nouns, verbs and adjectives of some queries, and where they stand.

    Args:
        queries: at least one.
        max_words: places of a query; what comes later is cut off.
        tags: prefixes of the Penn tags of content words.

    Returns:
        The words in alphabetical order, and for each place of each query the number of its content
        word, or -1.
    """
    places = [
        [
            token if token.isalpha() and tag.startswith(tags) else ""
            for token, tag in zip(query.tokens[:max_words], query.tags, strict=False)
        ]
        for query in queries
    ]
    words = sorted({word for row in places for word in row if word})
    number = {word: index for index, word in enumerate(words)}
    ids = np.full((len(queries), max_words), -1)
    for row, tokens in enumerate(places):
        ids[row, : len(tokens)] = [number.get(word, -1) for word in tokens]
    return words, ids


@contextmanager
def _watching(model: GroundingModel) -> Iterator[dict[str, tuple[Weights, Mask]]]:
    """Collect what each memory is looked up with: the mean weights of its streams, their mask."""
    lookups: dict[str, tuple[Weights, Mask]] = {}

    def look(name: str, memory: PersistentMemory, inputs: tuple[Any, ...], _: object) -> None:
        features, masks = inputs
        lookups[name] = torch.stack(reading_weights(memory, features, masks)).mean(0), masks[0]

    handles = [
        memory.register_forward_hook(partial(look, name))
        for name, memory in memories(model).items()
    ]
    try:
        yield lookups
    finally:
        for handle in handles:
            handle.remove()


def _count(
    tally: _Tally, weights: Weights, mask: Mask, batch: Batch, ids: Int[Tensor, "batch words"]
) -> None:
    tally.total += weights[mask.cpu()].sum(0)
    tally.steps += int(mask.sum())
    content = ids >= 0
    if mask is batch.video_mask:
        steps = inside(batch.target, batch.video_mask).cpu()
        mean = (weights * steps[..., None]).sum(1) / steps.sum(1)[:, None]
        places = mean[:, None].expand(-1, ids.shape[1], -1)
    else:
        steps, places = _some(content, mask.cpu()), weights
    tally.add(ids[content], places[content])
    tally.queries.append(weights.masked_fill(~steps[..., None], 0).amax(1).float())


def _some(
    content: Bool[Tensor, "batch words"], real: Bool[Tensor, "batch words"]
) -> Bool[Tensor, "batch words"]:
    """The content words of each query; all its words where it has none."""
    return torch.where(content.any(1, keepdim=True), content, real)
