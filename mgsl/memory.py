"""The persistent memory of one domain (the paper's Cross-modal Semantic Memory).

Two streams share it: for the video memory the encoded clips V and their textual view, for the query
memory the encoded words Q and their visual view. In training every batch records itself, then all
of it is looked up; in evaluation the memory is only looked up.

Notation   M    slots     slots dim           what is remembered: a buffer, not a parameter
           x_i  features  batch steps dim     one stream: what is recorded and looked up
           k_i  key       batch steps dim     where: one map for reading, one for writing
           w_i  weights   batch steps slots   how much a feature belongs to a slot
           e_i  erase     batch steps dim     what a slot forgets, in (0, 1)
           u_i  value     batch steps dim     what a slot learns
           β    sharpness                     inverse temperature of the addressing; printed: 1

Readings of what the paper leaves open are arguments: see Q2-Q9 and G in docs/open_questions.md.
The joint write (Q3, Q4) lets all steps of all samples of a batch write at once: their pooled erase
and add terms are divided by the number of samples, which for one write equals the mean over the
samples of their own updated copies, and by Z_l = max(1, Σ w_l), which keeps a slot bounded where
sharp addressing gives it more than one unit of weight. All of it runs in float32.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mgsl.distributed import total

Steps = Float[Tensor, "batch steps dim"]
Mask = Bool[Tensor, "batch steps"]
Slots = Float[Tensor, "slots dim"]


class Stream(nn.Module):
    """The four maps of one stream: read key, write key, erase and value.

    Args:
        dim: width of the stream.
        beta: sharpness of the addressing, at least 1; where it starts if it is learned.
        learn_beta: learn the sharpness of reading and of writing, each by softplus(b) + 1 (Q2).
    """

    def __init__(self, *, dim: int, beta: float, learn_beta: bool) -> None:
        super().__init__()
        self.read_key = nn.Linear(dim, dim)
        self.write_key = nn.Linear(dim, dim)
        self.erase = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        sharpness = inverse_softplus(torch.full((2,), beta - 1))
        self.sharpness = nn.Parameter(sharpness, requires_grad=learn_beta)

    def betas(self) -> Float[Tensor, "2"]:
        """Sharpness of reading and of writing."""
        return F.softplus(self.sharpness) + 1


class Record(NamedTuple):
    """What one stream writes: weights w, erase e and value u of each step, and what is real."""

    weights: Float[Tensor, "batch steps slots"]
    erase: Steps
    value: Steps
    mask: Mask


class PersistentMemory(nn.Module):
    """Slots that outlive the batch, the streams that share them, and how they read and write.

    Args:
        num_slots: how many slots; printed: 512 or 1024.
        dim: width of a slot.
        num_streams: how many streams share the slots.
        beta: sharpness of the addressing (Q2).
        learn_beta: whether the sharpness is learned (Q2).
        centered_values: remove from the values of a write their mean over the batch (G).
        unit_slots: bring each slot to unit length after each write (G).
    """

    slots: Slots
    initial: Slots

    def __init__(
        self,
        *,
        num_slots: int,
        dim: int,
        num_streams: int,
        beta: float,
        learn_beta: bool,
        centered_values: bool,
        unit_slots: bool,
    ) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            Stream(dim=dim, beta=beta, learn_beta=learn_beta) for _ in range(num_streams)
        )
        self.centered_values = centered_values
        self.unit_slots = unit_slots
        slots = self._settle(torch.randn(num_slots, dim) / dim**0.5)  # Q7
        self.register_buffer("slots", slots)
        self.register_buffer("initial", slots.clone())
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
            if self.training:
                slots = self.write(features, masks)
                self._written.append(slots.detach())
            return [
                self.read(stream, x, slots)
                for stream, x in zip(self._streams(), features, strict=True)
            ]

    def write(self, features: list[Steps], masks: list[Mask]) -> Slots:
        """The memory after every stream has written; addressed as it was before (Q8)."""
        slots = self.slots
        records = [
            self.record(stream, x, mask)
            for stream, x, mask in zip(self._streams(), features, masks, strict=True)
        ]
        for record in records:
            slots = self._settle(joint_write(slots, record))  # Eq. 5-8
        return slots

    def record(self, stream: Stream, features: Steps, mask: Mask) -> Record:
        """What one stream is about to write."""
        value = stream.value(features)
        if self.centered_values:
            value = value - batch_mean(value, mask)
        weights = address(stream.write_key(features), self.slots, stream.betas()[1])
        return Record(weights, torch.sigmoid(stream.erase(features)), value, mask)

    def read(self, stream: Stream, features: Steps, slots: Slots) -> Steps:
        """Rebuild each feature from the slots that resemble its read key."""
        weights = address(stream.read_key(features), slots, stream.betas()[0])
        return einsum(weights, slots, "b s k, k d -> b s d")  # Eq. 9, 10

    @torch.no_grad()
    def commit(self) -> None:
        """Keep what was written since the last call; the mean where several batches wrote (Q5)."""
        if self._written:
            written = torch.stack(self._written).mean(0)
            self.slots.copy_(self._settle(written) if len(self._written) > 1 else written)
            self._written.clear()

    @torch.no_grad()
    def diagnostics(self, features: list[Steps], masks: list[Mask]) -> dict[str, float]:
        """How spread the slots are, and how selectively these streams use them (F)."""
        unit, norms = F.normalize(self.slots, dim=-1), self.slots.norm(dim=-1)
        count = len(unit)
        figures = {
            "slot_norm": norms.mean().item(),
            "slot_norm_max": norms.max().item(),
            "slot_cosine": ((unit.sum(0).square().sum() - count) / (count * (count - 1))).item(),
            "slot_rank": effective_rank(self.slots).item(),
        }
        per_stream: dict[str, list[Tensor]] = {}
        for stream, x, mask in zip(self._streams(), features, masks, strict=True):
            record = self.record(stream, x, mask)
            reading = address(stream.read_key(x), self.slots, stream.betas()[0])
            read = einsum(reading, self.slots, "b s k, k d -> b s d")[mask]
            written = record.weights * mask[..., None]
            erased = einsum(written, record.erase, "b s k, b s d -> k d") / len(x)
            for key, value in {
                "read_entropy": entropy(reading)[mask].mean(),
                "write_entropy": entropy(record.weights)[mask].mean(),
                "used_slots": (reading[mask].mean(0) > 2 / count).float().mean(),
                "kept": (1 - erased).abs().mean(),
                "read_variation": read.std(dim=0).norm() / read.mean(dim=0).norm().clamp(min=1e-8),
                "beta": stream.betas().mean(),
            }.items():
                per_stream.setdefault(key, []).append(value)
        return figures | {k: torch.stack(v).mean().item() for k, v in per_stream.items()}

    def _settle(self, slots: Slots) -> Slots:
        return F.normalize(slots, dim=-1) if self.unit_slots else slots

    def _streams(self) -> list[Stream]:
        return list(self.streams)  # type: ignore[arg-type]


def address(
    key: Steps, slots: Slots, beta: Float[Tensor, ""]
) -> Float[Tensor, "batch steps slots"]:
    """Soft assignment of each key to the slots by cosine; sums to 1 over them."""
    cosine = einsum(F.normalize(key, dim=-1), F.normalize(slots, dim=-1), "b s d, k d -> b s k")
    return (beta * cosine).softmax(dim=-1)  # Eq. 3, 4


def joint_write(slots: Slots, record: Record) -> Slots:
    """Let all steps of all samples, on every process, write one stream at once (Q3, Q4).

    The closed form of Eq. 5-8 to first order in the weights: exact where at most one step writes
    to a slot; never materialises `batch slots dim`.
    """
    weights = record.weights * record.mask[..., None]
    num_samples = total(weights.new_tensor(float(len(weights))))
    weight = total(weights.sum(dim=(0, 1))) / num_samples
    erase = total(einsum(weights, record.erase, "b s k, b s d -> k d")) / num_samples
    add = total(einsum(weights, record.value, "b s k, b s d -> k d")) / num_samples
    z = weight.clamp(min=1)[:, None]
    return slots * (1 - erase / z).clamp(0, 1) + add / z


def batch_mean(x: Steps, mask: Mask) -> Float[Tensor, " dim"]:
    """Mean over the real steps of all samples on every process."""
    real = mask[..., None].to(x.dtype)
    return total((x * real).sum(dim=(0, 1))) / total(real.sum())


def inverse_softplus(y: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The x whose softplus is y >= 0; minus infinity, which softplus takes back to 0, for y = 0."""
    return y + torch.log(-torch.expm1(-y))


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
