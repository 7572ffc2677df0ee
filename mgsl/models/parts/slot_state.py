"""Whether a memory works: how spread its slots are, how they are used, what damage costs (F).

The training log has these figures of every epoch; `mgsl.inspection` asks the same of trained
models.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgsl.models.memory import (
    DomainMemory,
    Mask,
    PersistentMemory,
    Slots,
    Steps,
    Weights,
    real,
)


def of_domain(
    name: str, domain: DomainMemory, streams: list[Steps], mask: Mask
) -> dict[str, float]:
    """What `of_memory` tells, a mean over the memories of one domain, which `name` comes before."""
    rows = [
        of_memory(memory, [streams[i] for i in members], [mask for _ in members])
        for members, memory in zip(domain.members, domain.all(), strict=True)
    ]
    return {f"{name}_{key}": sum(row[key] for row in rows) / len(rows) for key in (rows or [{}])[0]}


@torch.no_grad()
def of_memory(
    memory: PersistentMemory, features: list[Steps], masks: list[Mask]
) -> dict[str, float]:
    """How spread the slots are, and how selectively these streams use them."""
    unit, norms = F.normalize(memory.slots, dim=-1), memory.slots.norm(dim=-1)
    count = len(unit)
    figures = {
        "slot_norm": norms.mean().item(),
        "slot_norm_max": norms.max().item(),
        "slot_cosine": ((unit.sum(0).square().sum() - count) / (count * (count - 1))).item(),
        "slot_rank": effective_rank(memory.slots).item(),
    }
    by_stream: dict[str, list[Tensor]] = {}
    for stream, x, mask in zip(memory.all_streams(), features, masks, strict=True):
        reading = memory.look(stream, x, mask, memory.slots)
        read = (reading @ memory.slots)[mask]
        values = {
            "read_entropy": entropy(reading)[mask].mean(),
            "used_slots": (reading[mask].mean(0) > 2 / count).float().mean(),
            "read_variation": read.std(dim=0).norm() / read.mean(dim=0).norm().clamp(min=1e-8),
            "beta": stream.betas().mean(),
        }
        if not memory.config.learned_slots:
            record = memory.record(stream, x, mask, memory.slots)
            weights, erase, _ = real(record)
            values |= {
                "write_entropy": entropy(record.weights)[mask].mean(),
                "kept": (1 - weights.T @ erase / len(x)).abs().mean(),
            }
        for key, value in values.items():
            by_stream.setdefault(key, []).append(value)
    return figures | {key: torch.stack(v).mean().item() for key, v in by_stream.items()}


def reading_weights(
    memory: PersistentMemory, features: list[Steps], masks: list[Mask]
) -> list[Weights]:
    """How much each step of each stream belongs to each slot when it is looked up."""
    return [
        memory.look(stream, x.float(), mask, memory.slots)
        for stream, x, mask in zip(memory.all_streams(), features, masks, strict=True)
    ]


def damages(
    memories: Sequence[PersistentMemory],
) -> Iterator[tuple[str, AbstractContextManager[None]]]:
    """What the memories are worth: read them as zeros, or as they were before training."""
    if memories:
        yield "memory_zeroed", _reading(memories, lambda memory: torch.zeros_like(memory.slots))
        yield "memory_initial", _reading(memories, lambda memory: memory.initial)


@contextmanager
def _reading(
    memories: Sequence[PersistentMemory], replace: Callable[[PersistentMemory], Tensor]
) -> Iterator[None]:
    copies = [memory.slots.detach().clone() for memory in memories]
    try:
        for memory in memories:
            memory.slots.data.copy_(replace(memory))
        yield
    finally:
        for memory, slots in zip(memories, copies, strict=True):
            memory.slots.data.copy_(slots)


def mean_entropy(
    weights: Float[Tensor, "batch rows choices"],
    rows: Bool[Tensor, "batch rows"],
    choices: Bool[Tensor, "batch choices"],
) -> float:
    """Mean of `entropy` over the real rows, each a distribution over the real choices."""
    return entropy(weights, choices.sum(1))[rows].mean().item()


def entropy(
    weights: Float[Tensor, "batch steps choices"], count: Int[Tensor, " batch"] | None = None
) -> Float[Tensor, "batch steps"]:
    """Entropy of each distribution as a share of the largest: 0 one choice, 1 all alike.

    Args:
        weights: distributions over the last axis.
        count: how many choices are real in each sample; by default all.
    """
    largest = torch.full((len(weights),), weights.shape[-1]) if count is None else count
    largest = largest.to(weights).log().clamp(min=1e-8)
    return torch.special.entr(weights).sum(-1) / largest[:, None]


def effective_rank(slots: Slots) -> Float[Tensor, ""]:
    """Participation ratio of the spectrum of the centred slots: 1 a line, at most slots - 1."""
    centered = slots - slots.mean(0)
    gram = centered.T @ centered if slots.shape[1] < len(slots) else centered @ centered.T
    return gram.trace().square() / gram.square().sum().clamp(min=1e-20)
