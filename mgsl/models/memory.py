"""The memories of one domain (the paper's Cross-modal Semantic Memory).

Two streams share a memory: for the video memory the encoded clips V and their textual view, for the
query memory the encoded words Q and their visual view. In training every batch is written, then
all of it is read; in evaluation the memory is only read.

Notation   M    slots     slots dim           what is remembered
           x_i  features  batch steps dim     one stream: what is written and read
           k_i  key       batch steps dim     where: one map for reading, one for writing
           w_i  weights   batch steps slots   how much a feature belongs to a slot
           e_i  erase     batch steps dim     what a slot forgets, in (0, 1)
           u_i  value     batch steps dim     what a slot learns
           β    sharpness                     inverse temperature of the addressing; printed: 1

In the order of the paper: the maps of a stream, addressing, writing, reading; then which streams
share a memory (Table 4). What the paper leaves open is a choice of `MemoryConfig`: see Q2-Q9 and G
in docs/open_questions.md. All of it runs in float32, whatever the precision around it.
"""

from functools import partial
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.distributed import total
from mgsl.fields import Frozen

Steps = Float[Tensor, "batch steps dim"]
Mask = Bool[Tensor, "batch steps"]
Slots = Float[Tensor, "slots dim"]
Weights = Float[Tensor, "batch steps slots"]

Streams = Literal["none", "own", "separate", "shared"]

RUNNING = 0.1  # weight of a batch in a running mean
SHORTEST = 1e-12  # a key of no length has no direction
SERIES_TERMS = 4  # of the logarithm in the product form: an erase of 1/2 is right to 1.3 percent


class MemoryConfig(Frozen):
    """Who remembers (Table 4), and what the paper leaves open of Eqs. 3-10.

    Attributes:
        video: what clips remember in: `none`; `own`, a memory of V; `separate`, one of V and one of
            the textual view; `shared`, one of both.
        query: the same of words and their visual view.
        initial_slots: what slots hold before training (Q7); see `fresh_slots`.
        beta: sharpness of the addressing, at least 1; where it starts if it is learned (Q2).
        learn_beta: learn the sharpness of reading and of writing (Q2).
        write: how all steps of a sample write one stream (Q3): `sum`, `product` or `sequential`.
        pooling: how the samples of a batch write (Q4): their `mean`, or their `sum`.
        readdress: the second stream addresses what the first has left, not what was before (Q8).
        own_first: a domain's own stream writes before the view of the other domain (Q3).
        learned_slots: the slots are learned by gradient and never written (Q5).
        values: what is written (G): the value map of a step (`map`), or its write key (`key`).
        centered_keys: remove from the keys of a stream their mean, a running one in evaluation (G).
        centered_values: remove from the values of a write their mean over the batch (G).
        unit_slots: bring each slot to unit length after each write (G).
        write_slots: how many slots a step writes to, its nearest; 0: all, as printed (G).
        residual: what is read is added to the stream instead of replacing it (Q9).
    """

    video: Streams
    query: Streams
    initial_slots: Literal["normal", "uniform", "positive"]
    beta: Annotated[float, Field(ge=1)]
    learn_beta: bool
    write: Literal["sum", "product", "sequential"]
    pooling: Literal["mean", "sum"]
    readdress: bool
    own_first: bool
    learned_slots: bool
    values: Literal["map", "key"]
    centered_keys: bool
    centered_values: bool
    unit_slots: bool
    write_slots: Annotated[int, Field(ge=0)]
    residual: bool

    @model_validator(mode="after")
    def _possible(self) -> "MemoryConfig":
        if self.learn_beta and self.beta <= 1:
            raise ValueError(
                f"beta is softplus(b) + 1 if it is learned: more than 1, got {self.beta}"
            )
        if self.write == "sequential" and self.pooling != "mean":
            raise ValueError("write: sequential keeps slots bounded with pooling: mean only")
        return self


class Stream(nn.Module):
    """The maps of one stream: read key, write key, erase and value; only the first never writes.

    Args:
        dim: of the stream.
        config: of it the sharpness, and whether and what the stream writes.
    """

    def __init__(self, *, dim: int, config: MemoryConfig) -> None:
        super().__init__()
        key = partial(Key, dim, centered=config.centered_keys)
        self.read_key = key()
        count = 1
        if not config.learned_slots:
            self.write_key = key()
            self.erase = nn.Linear(dim, dim)
            if config.values == "map":
                self.value = nn.Linear(dim, dim)
            count = 2
        sharpness = inverse_softplus(torch.full((count,), config.beta - 1))
        self.sharpness = nn.Parameter(sharpness, requires_grad=config.learn_beta)

    def betas(self) -> Float[Tensor, " kinds"]:
        """Sharpness of reading, and of writing where the stream writes."""
        return F.softplus(self.sharpness) + 1


class Key(nn.Linear):
    """A key map; `centered`, its keys have no mean over the batch, nor over training (G).

    In training the mean is that of the batch; in evaluation it is the running one, so that an
    answer depends on no other query.
    """

    mean: Float[Tensor, " dim"]

    def __init__(self, dim: int, *, centered: bool) -> None:
        super().__init__(dim, dim)
        self.centered = centered
        if centered:
            self.register_buffer("mean", torch.zeros(dim))

    def forward(self, x: Steps, mask: Mask) -> Steps:  # type: ignore[override]
        """The key of each step."""
        key = super().forward(x)
        if not self.centered:
            return key
        if not self.training:
            return key - self.mean
        mean = batch_mean(key, mask)
        self.mean.lerp_(mean.detach(), RUNNING)
        return key - mean


def address(key: Steps, slots: Slots, beta: Float[Tensor, ""]) -> Weights:
    """Soft assignment of each key to the slots by cosine; sums to 1 over them."""
    length = key.norm(dim=-1, keepdim=True).clamp(min=SHORTEST)
    return ((beta / length) * (key @ F.normalize(slots, dim=-1).T)).softmax(dim=-1)  # Eq. 3, 4


def nearest(weights: Weights, count: int) -> Weights:
    """The largest weights of each step, brought to the sum of 1; the others are 0."""
    top = weights.topk(min(count, weights.shape[-1]), dim=-1)
    largest = torch.zeros_like(weights).scatter(-1, top.indices, top.values)
    return largest / largest.sum(dim=-1, keepdim=True)


class Record(NamedTuple):
    """What one stream writes: weights w, erase e and value u of each step, and what is real."""

    weights: Weights
    erase: Steps
    value: Steps
    mask: Mask


def sum_write(slots: Slots, record: Record, pooling: str) -> Slots:
    """All steps of all samples write at once: M (1 - Σ w e) + Σ w u (Q3, Q4).

    Eq. 5-8 to first order in the weights, exact where one step writes to a slot. The mean over the
    samples equals the mean of their own updated copies. Z_l = max(1, Σ w_l) keeps a slot bounded
    where sharp addressing gives it more than one unit of weight. Never materialises
    `batch slots dim`.
    """
    weights, erase, value = real(record)
    share, z = _shares(weights, record, pooling)
    erased = total(weights.T @ erase) * share / z
    added = total(weights.T @ value) * share / z
    return slots * (1 - erased).clamp(0, 1) + added  # Eq. 5-8


def product_write(slots: Slots, record: Record, pooling: str) -> Slots:
    """The same, but every step erases from what the others left: M Π (1 - w e) + Σ w u (Q3).

    ln(1 - w e) is taken to `SERIES_TERMS` powers, each a matrix product. The erasures of the
    samples are pooled in the exponent: their geometric mean, where the sum form has the mean.
    """
    weights, erase, value = real(record)
    share, z = _shares(weights, record, pooling)
    powers = [(weights**n).T @ erase**n / n for n in range(1, SERIES_TERMS + 1)]
    exponent = torch.stack(powers).sum(0)
    added = total(weights.T @ value) * share / z
    return slots * torch.exp(-total(exponent) * share) + added  # Eq. 5-8


def sequential_write(slots: Slots, record: Record, pooling: str) -> Slots:
    """The recurrence as printed: one step after the other, the samples' mean at each (Q3, Q4)."""
    share = 1 / total(record.weights.new_tensor(float(len(record.weights))))
    weights = record.weights * record.mask[..., None] * share
    for w, e, u in zip(
        weights.unbind(1), record.erase.unbind(1), record.value.unbind(1), strict=True
    ):
        slots = slots * (1 - total(w.T @ e)) + total(w.T @ u)  # Eq. 5-8
    return slots


WRITES = {"sum": sum_write, "product": product_write, "sequential": sequential_write}


def real(
    record: Record,
) -> tuple[Float[Tensor, "real slots"], Float[Tensor, "real dim"], Float[Tensor, "real dim"]]:
    """Weights, erase and value of the steps of all samples in one row; padding has no weight."""
    weights = record.weights * record.mask[..., None]
    return weights.flatten(0, 1), record.erase.flatten(0, 1), record.value.flatten(0, 1)


def _shares(
    weights: Float[Tensor, "real slots"], record: Record, pooling: str
) -> tuple[Float[Tensor, ""], Float[Tensor, "slots 1"]]:
    """What one sample's write counts, and the bound Z of each slot."""
    share = weights.new_ones(())
    if pooling == "mean":
        share = share / total(weights.new_tensor(float(len(record.weights))))
    return share, (total(weights.sum(0)) * share).clamp(min=1)[:, None]


class PersistentMemory(nn.Module):
    """Slots that outlive the batch, the streams that share them, and how they read and write.

    Args:
        num_slots: how many slots; printed: 512 or 1024.
        dim: of a slot.
        num_streams: how many streams share the slots.
        config: of what the paper leaves open.
    """

    slots: Slots
    initial: Slots

    def __init__(self, *, num_slots: int, dim: int, num_streams: int, config: MemoryConfig) -> None:
        super().__init__()
        self.config = config
        self.streams = nn.ModuleList(Stream(dim=dim, config=config) for _ in range(num_streams))
        slots = self._settle(fresh_slots(config.initial_slots, num_slots, dim))
        self.register_buffer("initial", slots)
        if config.learned_slots:  # Q5
            self.slots = nn.Parameter(slots.clone())
        else:
            self.register_buffer("slots", slots.clone())
        self._written: list[Slots] = []

    def forward(self, features: list[Steps], masks: list[Mask]) -> list[Steps]:
        """Record every stream while training, in order; then look every stream up.

        Args:
            features: the streams, in the order in which they write.
            masks: what is real of each.

        Returns:
            What is read for each step of each stream.
        """
        with torch.autocast(features[0].device.type, enabled=False):
            features = [stream.float() for stream in features]
            slots = self.slots
            if self.training and not self.config.learned_slots:
                slots = self.write(features, masks)
                self._written.append(slots.detach())
            return [
                self.read(stream, x, mask, slots)
                for stream, x, mask in zip(self.all_streams(), features, masks, strict=True)
            ]

    def write(self, features: list[Steps], masks: list[Mask]) -> Slots:
        """The memory after every stream has written; addressed as it was before (Q8)."""
        before = after = self.slots
        for stream, x, mask in zip(self.all_streams(), features, masks, strict=True):
            addressed = after if self.config.readdress else before
            record = self.record(stream, x, mask, addressed)
            after = self._settle(WRITES[self.config.write](after, record, self.config.pooling))
        return after

    def record(self, stream: Stream, features: Steps, mask: Mask, slots: Slots) -> Record:
        """What one stream is about to write, addressed in `slots`."""
        key = stream.write_key(features, mask)
        value = key if self.config.values == "key" else stream.value(features)
        if self.config.centered_values:
            value = value - batch_mean(value, mask)
        weights = address(key, slots, stream.betas()[1])
        if self.config.write_slots:
            weights = nearest(weights, self.config.write_slots)
        return Record(weights, torch.sigmoid(stream.erase(features)), value, mask)

    def look(self, stream: Stream, features: Steps, mask: Mask, slots: Slots) -> Weights:
        """How much each step belongs to each slot when it is looked up."""
        return address(stream.read_key(features, mask), slots, stream.betas()[0])

    def read(self, stream: Stream, features: Steps, mask: Mask, slots: Slots) -> Steps:
        """Rebuild each feature from the slots that resemble its read key."""
        return self.look(stream, features, mask, slots) @ slots  # Eq. 9, 10

    @torch.no_grad()
    def commit(self) -> None:
        """Keep what was written since the last call; the mean where several batches wrote (Q5)."""
        if self._written:
            written = torch.stack(self._written).mean(0)
            self.slots.copy_(self._settle(written) if len(self._written) > 1 else written)
            self._written.clear()

    def _settle(self, slots: Slots) -> Slots:
        return F.normalize(slots, dim=-1) if self.config.unit_slots else slots

    def all_streams(self) -> list[Stream]:
        """The streams that share the slots, in the order in which they write."""
        return list(self.streams)  # type: ignore[arg-type]


class DomainMemory(nn.Module):
    """What one domain remembers: its own stream and the other domain's view of it.

    Args:
        streams: which of the two remember, and whether they share the slots (`MemoryConfig`).
        num_slots: of each memory.
        dim: of the streams.
        config: of what the paper leaves open.
    """

    def __init__(self, *, streams: Streams, num_slots: int, dim: int, config: MemoryConfig) -> None:
        super().__init__()
        order = [0, 1] if config.own_first else [1, 0]  # which stream writes first
        self.members = {
            "none": [], "own": [[0]], "separate": [[0], [1]], "shared": [order]
        }[streams]  # fmt: skip
        self.memories = nn.ModuleList(
            PersistentMemory(num_slots=num_slots, dim=dim, num_streams=len(members), config=config)
            for members in self.members
        )
        self.residual = config.residual

    def forward(self, streams: list[Steps], mask: Mask) -> list[Steps]:
        """Both streams, with what is remembered of them in their place or added (Q9)."""
        enhanced = list(streams)  # a stream without a memory stays as it is (A4)
        for members, memory in zip(self.members, self.memories, strict=True):
            read = memory([streams[i] for i in members], [mask for _ in members])
            for i, remembered in zip(members, read, strict=True):
                enhanced[i] = streams[i] + remembered if self.residual else remembered
        return enhanced

    def all(self) -> list[PersistentMemory]:
        """The memories, in order."""
        return list(self.memories)  # type: ignore[arg-type]


def fresh_slots(kind: str, num_slots: int, dim: int) -> Slots:
    """What a memory holds before training (Q7); zeros would have no cosine.

    Args:
        kind: `normal`, of variance 1 / dim; `uniform` within 1 / √dim, as in MemAE; `positive`,
            uniform in [0, 1) and brought to unit length, as in MNAD.
        num_slots: how many.
        dim: of each.
    """
    if kind == "normal":
        return torch.randn(num_slots, dim) / dim**0.5
    slots = torch.rand(num_slots, dim)
    return (2 * slots - 1) / dim**0.5 if kind == "uniform" else F.normalize(slots, dim=-1)


def batch_mean(x: Steps, mask: Mask) -> Float[Tensor, " dim"]:
    """Mean over the real steps of all samples on every process."""
    real = mask[..., None].to(x.dtype)
    return total((x * real).sum(dim=(0, 1))) / total(real.sum())


def inverse_softplus(y: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The x whose softplus is y >= 0; minus infinity, which softplus takes back to 0, for y = 0."""
    return y + torch.log(-torch.expm1(-y))
