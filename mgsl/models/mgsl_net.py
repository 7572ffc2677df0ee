"""Remember rare content: align clips and words, look both up in two persistent memories, localise.

Paper       D. Liu, X. Qu, X. Di, Y. Cheng, Z. Xu, P. Zhou. "Memory-Guided Semantic Learning Network
            for Temporal Sentence Grounding". AAAI 2022 (arXiv 2201.00454).
Reference   none was released; written from the paper's text. Its open questions (Q1-Q25), errata
            (C) and the evidence for each reading are in docs/open_questions.md.
Deviations  none from the equations beyond their errata in the configuration `printed`; each reading
            of the configuration `mgsl_net` is a key of `choices` in params.yaml.

Notation    V, Q      video, query        batch clips dim, batch words dim   encoded clips and words
            A1, A2    over_words, over_clips   batch clips words, batch words clips
            Q̂         textual_view        batch clips dim    the query as each clip sees it
            V̂         visual_view         batch words dim    the video as each word sees it
            Ṽ, Q̃      video_pair, query_pair   batch steps 2·dim   what the memories gave
            F         fused               batch clips 3·dim
            d         distances           batch clips 2      to start and end, share of duration
            c, i      confidence, iou     batch clips
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.models.memory import Mask, MemoryReadings, PersistentMemory, Steps, entropy
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.layers import BiLSTM, SelfAttention, attend, masked_softmax
from mgsl.models.parts.per_clip import clip_centers, distance_iou, inside
from mgsl.params import NonNegative, Positive, Probability
from mgsl.records import Batch, Moments

Clips = Float[Tensor, "batch clips dim"]
Words = Float[Tensor, "batch words dim"]
ClipMask = Bool[Tensor, "batch clips"]
WordMask = Bool[Tensor, "batch words"]
PerClip = Float[Tensor, "batch clips"]

MemoryOf = Literal["none", "own", "separate", "shared"]
Calibration = Literal["none", "attention", "reverse", "gate"]

LARGEST_EXPONENT = 5.0  # Q15: guards exp(·) against overflow


class MGSLNetConfig(MemoryReadings):
    """Sizes, the parts that Tables 3-5 take away, and the readings of what the paper leaves open.

    Attributes:
        video_memory: what clips remember in: `none`; `own`, a memory of V; `separate`, one of V and
            one of the textual view; `shared`, one of both (Table 4).
        query_memory: the same of words and their visual view.
        attention_window: how far a step sees in its encoder, to either side; 0: everywhere (Q12).
        attention_norm: layer-normalise after the encoders' self-attention (Q12).
        head_kernel: clips that a convolution of the heads sees, an odd number (Q15).
        head_norm: batch-normalise what the heads' hidden layers return (Q15).
        initial_distance: where the predicted distances start, a share of the duration (Q15).
        self_attention: clips attend to clips, words to words (Table 5).
        calibration: `none` (Table 5); `attention`, V looks the memory's content up; `reverse`, that
            content looks V up; `gate`, V scales it (Q10).
        normalized_alignment: clips and words are layer-normalised before they are compared (Q11).
        distance_unit: of the L1 term of Eq. 11: share of the duration, or clips (Q16).
        confidence_norm: what Eq. 12 divides by: the positive clips, or all (Q17).
        iou_gradient: let the target of the IoU head learn too (Q18).
        score: what moments are ranked by (Q19).
    """

    video_dim: Positive
    word_dim: Positive
    video_slots: Positive
    query_slots: Positive
    input_dim: Positive
    word_input_dim: Positive
    dim: Positive
    heads: Positive
    attention_layers: Positive
    attention_window: NonNegative
    attention_norm: bool
    head_channels: Positive
    head_kernel: Positive
    head_norm: bool
    initial_distance: Annotated[float, Field(gt=0)]
    dropout: Probability
    video_memory: MemoryOf
    query_memory: MemoryOf
    self_attention: bool
    normalized_alignment: bool
    calibration: Calibration
    distance_unit: Literal["share", "clips"]
    confidence_norm: Literal["positives", "clips"]
    iou_gradient: bool
    score: Literal["product", "confidence", "iou"]

    @model_validator(mode="after")
    def _divisible(self) -> "MGSLNetConfig":
        for key in ("input_dim", "word_input_dim"):
            if getattr(self, key) % self.heads:
                raise ValueError(f"{key} must be a multiple of heads={self.heads}")
        if self.head_kernel % 2 == 0:
            raise ValueError(f"head_kernel must be odd, got {self.head_kernel}")
        return self


class Predicted(NamedTuple):
    """What the heads say of each clip."""

    distances: Float[Tensor, "batch clips 2"]
    confidence: PerClip  # before the sigmoid
    iou: PerClip


@final
class MGSLNet(GroundingModel):
    """Every clip proposes a moment; a memory per domain carries what other videos taught."""

    Config = MGSLNetConfig

    def __init__(self, config: MGSLNetConfig) -> None:
        super().__init__()
        dim = config.dim
        encoder = partial(
            Encoder,
            dim=dim,
            heads=config.heads,
            layers=config.attention_layers,
            dropout=config.dropout,
            window=config.attention_window,
            normalized=config.attention_norm,
        )
        self.video_encoder = encoder(config.video_dim, input_dim=config.input_dim)
        self.query_encoder = encoder(config.word_dim, input_dim=config.word_input_dim)
        self.alignment = Alignment(dim, normalized=config.normalized_alignment)
        memory = partial(DomainMemory, dim=dim, readings=config)
        self.video_memory = memory(kind=config.video_memory, num_slots=config.video_slots)
        self.query_memory = memory(kind=config.query_memory, num_slots=config.query_slots)
        self.attention = HeterogeneousAttention(
            dim, self_attention=config.self_attention, calibration=config.calibration
        )
        self.heads = Heads(
            self.attention.fused_dim,
            channels=config.head_channels,
            kernel=config.head_kernel,
            normalized=config.head_norm,
            initial_distance=config.initial_distance,
        )
        self.config = config

    def forward(self, batch: Batch) -> Moments:
        """Rank the moments that the clips propose."""
        predicted = self._predict(batch)
        centers = clip_centers(batch.video_mask)
        starts, ends = centers - predicted.distances[..., 0], centers + predicted.distances[..., 1]
        spans = torch.stack([starts, ends], dim=-1).clamp(0, 1)
        parts = {"confidence": predicted.confidence.sigmoid(), "iou": predicted.iou}
        parts["product"] = parts["confidence"] * parts["iou"]
        scores = parts[self.config.score] * batch.video_mask  # Q19
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        return Moments(spans.gather(1, order[..., None].expand_as(spans)), scores)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The three terms of Eq. 14, all of weight 1 as in the paper."""
        predicted = self._predict(batch)
        real = batch.video_mask
        positive = inside(batch.target, real)
        num_positive = positive.sum(1)
        centers = clip_centers(real)
        truth = torch.stack([centers - batch.target[:, :1], batch.target[:, 1:] - centers], dim=-1)
        iou = distance_iou(truth, predicted.distances)
        unit = real.sum(1)[:, None, None] if self.config.distance_unit == "clips" else 1  # Q16
        l1 = F.smooth_l1_loss(
            unit * predicted.distances, unit * truth.clamp(min=0), reduction="none"
        ).sum(-1)
        log_iou = iou.clamp(min=1e-6).log()
        boundary = ((l1 - log_iou) * positive).sum(1) / num_positive  # Eq. 11
        confidence = F.binary_cross_entropy_with_logits(
            predicted.confidence, positive.to(predicted.confidence.dtype), reduction="none"
        )
        count = num_positive if self.config.confidence_norm == "positives" else real.sum(1)  # Q17
        confidence = (confidence * real).sum(1) / count  # Eq. 12
        goal = iou if self.config.iou_gradient else iou.detach()  # Q18
        error = F.smooth_l1_loss(predicted.iou, goal, reduction="none")
        iou_loss = (error * real).sum(1) / real.sum(1)  # Eq. 13
        return {  # Eq. 14
            "boundary": boundary.mean(),
            "confidence": confidence.mean(),
            "iou": iou_loss.mean(),
        }

    def memories(self) -> list[PersistentMemory]:
        """Every memory there is, those of the video first."""
        return [*self.video_memory.all(), *self.query_memory.all()]

    def after_step(self) -> None:
        """Keep what the batch wrote."""
        for memory in self.memories():
            memory.commit()

    def _predict(self, batch: Batch) -> Predicted:
        video, query, views = self._align(batch)
        clips, words = batch.video_mask, batch.query_mask
        fused = self.attention(
            torch.cat(self.video_memory([video, views.textual], clips), dim=-1),
            torch.cat(self.query_memory([query, views.visual], words), dim=-1),
            video,
            clips,
            words,
        )
        return self.heads(fused, clips)

    def _align(self, batch: Batch) -> tuple[Clips, Words, "Views"]:
        video = self.video_encoder(batch.video, batch.video_mask)
        query = self.query_encoder(batch.query, batch.query_mask)
        return video, query, self.alignment(video, query, batch.video_mask, batch.query_mask)

    @torch.no_grad()
    def diagnostics(self, batch: Batch) -> dict[str, float]:
        """How spread, how sharp and how selective alignment and memories are (F)."""
        video, query, views = self._align(batch)
        clips, words = batch.video_mask, batch.query_mask
        figures = {
            "over_words_entropy": entropy(views.over_words, words.sum(1))[clips].mean().item(),
            "over_clips_entropy": entropy(views.over_clips, clips.sum(1))[words].mean().item(),
        }
        for name, memory, features, mask in (
            ("video", self.video_memory, [video, views.textual], clips),
            ("query", self.query_memory, [query, views.visual], words),
        ):
            seen = memory.diagnostics(features, mask)
            figures |= {f"{name}_{key}": value for key, value in seen.items()}
        return figures

    def probes(self) -> Iterator[tuple[str, AbstractContextManager[None]]]:
        """What the memories are worth: read them as zeros, or as they were before training."""
        if self.memories():
            yield "memory_zeroed", self._reading(lambda memory: torch.zeros_like(memory.slots))
            yield "memory_initial", self._reading(lambda memory: memory.initial)

    @contextmanager
    def _reading(self, replace: Callable[[PersistentMemory], Tensor]) -> Iterator[None]:
        kept = [memory.slots.detach().clone() for memory in self.memories()]
        try:
            for memory in self.memories():
                memory.slots.data.copy_(replace(memory))
            yield
        finally:
            for memory, slots in zip(self.memories(), kept, strict=True):
                memory.slots.data.copy_(slots)


class DomainMemory(nn.Module):
    """What one domain remembers: its own stream and the other domain's view of it.

    Args:
        kind: which of the streams remember, and whether they share the slots (`MGSLNetConfig`).
        num_slots: of each memory.
        dim: width of the streams.
        readings: of what the paper leaves open.
    """

    def __init__(
        self, *, kind: MemoryOf, num_slots: int, dim: int, readings: MemoryReadings
    ) -> None:
        super().__init__()
        order = [0, 1] if readings.own_first else [1, 0]  # which stream writes first
        self.members = {
            "none": [], "own": [[0]], "separate": [[0], [1]], "shared": [order]
        }[kind]  # fmt: skip
        self.memories = nn.ModuleList(
            PersistentMemory(
                num_slots=num_slots, dim=dim, num_streams=len(members), readings=readings
            )
            for members in self.members
        )
        self.residual = readings.residual

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

    def diagnostics(self, streams: list[Steps], mask: Mask) -> dict[str, float]:
        """Means over the memories of this domain (F)."""
        seen = [
            memory.diagnostics([streams[i] for i in members], [mask for _ in members])
            for members, memory in zip(self.members, self.all(), strict=True)
        ]
        return {key: sum(one[key] for one in seen) / len(seen) for key in (seen or [{}])[0]}


class Encoder(nn.Module):
    """Self-attention, then a BiLSTM (Q12); a wider input is first brought to `input_dim` (Q13)."""

    def __init__(
        self,
        feature_dim: int,
        *,
        input_dim: int,
        dim: int,
        heads: int,
        layers: int,
        dropout: float,
        window: int,
        normalized: bool,
    ) -> None:
        super().__init__()
        same = feature_dim == input_dim
        self.project = nn.Identity() if same else nn.Linear(feature_dim, input_dim)
        self.attention = nn.ModuleList(
            SelfAttention(
                dim=input_dim, heads=heads, dropout=dropout, window=window, normalized=normalized
            )
            for _ in range(layers)
        )
        self.lstm = BiLSTM(input_dim=input_dim, dim=dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        features: Float[Tensor, "batch steps feature_dim"],
        mask: Bool[Tensor, "batch steps"],
    ) -> Float[Tensor, "batch steps dim"]:
        """Encode every step in the light of the others; padded steps come out as zeros."""
        x = self.dropout(self.project(features))
        for layer in self.attention:
            x = layer(x, mask)
        return self.dropout(self.lstm(x, mask))


class Views(NamedTuple):
    """Each domain as the other sees it, and the attention between them."""

    textual: Clips
    visual: Words
    over_words: Float[Tensor, "batch clips words"]
    over_clips: Float[Tensor, "batch words clips"]


class Alignment(nn.Module):
    """One step of graph convolution between clips and words.

    `normalized` brings clips and words to one scale before they are compared (Q11); without it the
    affinities of a young network are so small that both attentions start, and long stay, flat.
    """

    def __init__(self, dim: int, *, normalized: bool) -> None:
        super().__init__()
        self.normalized = normalized
        self.from_video = nn.Linear(dim, dim)
        self.from_query = nn.Linear(dim, dim)
        self.visual = nn.Linear(dim, dim, bias=False)
        self.textual = nn.Linear(dim, dim, bias=False)

    def forward(self, video: Clips, query: Words, clips: ClipMask, words: WordMask) -> Views:
        """Pair each clip with its textual view and each word with its visual view."""
        v, q = (layer_norm(video), layer_norm(query)) if self.normalized else (video, query)
        affinity = einsum(self.from_video(v), self.from_query(q), "b t d, b w d -> b t w").float()
        over_words = masked_softmax(affinity, words[:, None])  # Eq. 1
        over_clips = masked_softmax(affinity.mT, clips[:, None])  # Eq. 1
        return Views(
            textual=self.textual(over_words @ query) * clips[..., None],  # Eq. 2
            visual=self.visual(over_clips @ video) * words[..., None],  # Eq. 2
            over_words=over_words,
            over_clips=over_clips,
        )


class HeterogeneousAttention(nn.Module):
    """Self, inter and calibrating attention; residual and layer normalisation in each (Q10).

    Calibration by `attention` lets the encoded video look the memory's content up, and `reverse`
    the other way round; by `gate` it scales that content, the only place where clips and words meet
    in a product. Without self-attention the mapped streams stand in for what it returns, and what
    is concatenated lacks it (Table 5).
    """

    def __init__(self, dim: int, *, self_attention: bool, calibration: Calibration) -> None:
        super().__init__()
        self.self_attention, self.calibration = self_attention, calibration
        self.video = nn.Linear(2 * dim, dim)
        self.query = nn.Linear(2 * dim, dim)
        names = ["inter"] + ["clips", "words"] * self_attention
        if calibration != "none":
            self.context = nn.Linear(dim, dim)
            names.append("calibration")
        self.norms = nn.ModuleDict({name: nn.LayerNorm(dim) for name in names})
        self.fused_dim = dim * (1 + self_attention + (calibration != "none"))

    def forward(
        self,
        video_pair: Float[Tensor, "batch clips pair"],
        query_pair: Float[Tensor, "batch words pair"],
        video: Clips,
        clips: ClipMask,
        words: WordMask,
    ) -> Float[Tensor, "batch clips fused"]:
        """Concatenate what each unit makes of the clips."""
        x, y = self.video(video_pair), self.query(query_pair)
        units = []
        if self.self_attention:
            x = self.norms["clips"](x + attend(x, x, clips))
            y = self.norms["words"](y + attend(y, y, words))
            units.append(x)
        units.append(self.norms["inter"](x + attend(x, y, words)))
        if self.calibration != "none":
            units.append(self.norms["calibration"](self._calibrate(x, self.context(video), clips)))
        return torch.cat(units, dim=-1)

    def _calibrate(self, x: Clips, context: Clips, clips: ClipMask) -> Clips:
        if self.calibration == "attention":
            return context + attend(context, x, clips)
        if self.calibration == "reverse":
            return x + attend(x, context, clips)
        return context.sigmoid() * x


class Heads(nn.Module):
    """Boundary, confidence and IoU of the moment each clip proposes (Q15)."""

    def __init__(
        self,
        fused_dim: int,
        *,
        channels: int,
        kernel: int,
        normalized: bool,
        initial_distance: float,
    ) -> None:
        super().__init__()

        def convolutions(*sizes: int) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Conv1d(a, b, kernel, padding=kernel // 2) for a, b in pairwise(sizes)
            )

        self.boundary = convolutions(fused_dim, channels, 2)
        self.confidence = convolutions(fused_dim, channels, 1)
        self.iou = convolutions(fused_dim, channels, channels, 1)
        hidden = sum(len(stack) - 1 for stack in (self.boundary, self.confidence, self.iou))
        self.norms = nn.ModuleList(ClipNorm(channels) for _ in range(hidden * normalized))
        self.scale = nn.Parameter(torch.ones(()))
        self.initial_distance = initial_distance

    def forward(self, fused: Float[Tensor, "batch clips fused"], mask: ClipMask) -> Predicted:
        """Distances as shares of the duration, the logit of the confidence, the IoU in (0, 1)."""
        stacks, real = (self.boundary, self.confidence, self.iou), mask[..., None]
        hidden = convolve([stack[0] for stack in stacks], fused, real)
        norms, outputs = iter(self.norms), []
        for stack, x in zip(stacks, hidden, strict=True):
            for layer in stack[1:]:
                if norm := next(norms, None):
                    x = norm(x, real)
                (x,) = convolve([layer], x.relu(), real)
            outputs.append(x.float())
        exponent = (self.scale * outputs[0]).clamp(max=LARGEST_EXPONENT)
        return Predicted(
            distances=self.initial_distance * exponent.exp(),
            confidence=outputs[1].squeeze(-1),
            iou=outputs[2].squeeze(-1).sigmoid(),
        )


class ClipNorm(nn.BatchNorm1d):
    """Batch normalisation over the real clips of a batch."""

    def forward(  # type: ignore[override]
        self, x: Float[Tensor, "batch clips channels"], real: Bool[Tensor, "batch clips 1"]
    ) -> Float[Tensor, "batch clips channels"]:
        """Every clip; while training, only the real ones count and change."""
        if not self.training:
            return super().forward(x.flatten(0, 1)).view_as(x)
        return x.masked_scatter(real, super().forward(x[real.squeeze(-1)]))


def layer_norm(x: Float[Tensor, "batch steps dim"]) -> Float[Tensor, "batch steps dim"]:
    """Each step with mean 0 and variance 1 over its width; nothing to learn."""
    return F.layer_norm(x, x.shape[-1:])


def convolve(
    layers: Sequence[nn.Module],
    x: Float[Tensor, "batch clips channels"],
    real: Bool[Tensor, "batch clips 1"],
) -> tuple[Float[Tensor, "batch clips outputs"], ...]:
    """Convolutions of one input, of one odd width, as one matrix product; only the mask is real.

    A tenth of the time of as many calls for narrow layers on a CPU, and no slower elsewhere.
    """
    weights = [layer.weight.transpose(1, 2).flatten(1) for layer in layers]  # type: ignore[operator]
    kernel, clips = weights[0].shape[1] // x.shape[2], x.shape[1]
    x = F.pad(x * real, (0, 0, kernel // 2, kernel // 2))
    neighbours = torch.cat([x[:, i : i + clips] for i in range(kernel)], dim=-1)
    bias = torch.cat([layer.bias for layer in layers])  # type: ignore[misc]
    joint = F.linear(neighbours, torch.cat(weights), bias)
    return joint.split([len(weight) for weight in weights], dim=-1)
