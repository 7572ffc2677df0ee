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
            d         distances           batch clips 2      to start and end, shares of duration
            c, i      confidence, iou     batch clips

After the configuration and the network, its parts in the order of the paper: encoders, alignment
(Eqs. 1, 2), memories (Eqs. 3-10: memory.py), heterogeneous attention, heads, losses (Eqs. 11-13).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, NonNegative, Positive, Probability
from mgsl.models.memory import DomainMemory, MemoryConfig, PersistentMemory
from mgsl.models.parts import slot_state
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.convolution import ClipNorm, convolve
from mgsl.models.parts.layers import BiLSTM, SelfAttention, attend, masked_softmax
from mgsl.models.parts.per_clip import clip_centers, distance_iou, inside
from mgsl.records import Batch, Moments

Clips = Float[Tensor, "batch clips dim"]
Words = Float[Tensor, "batch words dim"]
ClipMask = Bool[Tensor, "batch clips"]
WordMask = Bool[Tensor, "batch words"]
PerClip = Float[Tensor, "batch clips"]
PerQuery = Float[Tensor, " batch"]
Count = Int[Tensor, " batch"]
Distances = Float[Tensor, "batch clips 2"]  # to start and end

Calibration = Literal["none", "attention", "reverse", "gate"]

LARGEST_EXPONENT = 5.0  # Q15: guards exp(·) against overflow


class EncoderConfig(Frozen):
    """The encoders of clips and words.

    Attributes:
        input_dim: what clips are brought to first (Q13); a multiple of `attention_heads`.
        word_input_dim: the same of words.
        attention_heads: of the self-attention (Q12).
        attention_layers: of it (Q12).
        attention_window: how far a step sees, to either side; 0: everywhere (Q12).
        attention_norm: layer-normalise after the self-attention (Q12).
        dropout: of what goes into an encoder and comes out, in [0, 1) (Q12).
    """

    input_dim: Positive
    word_input_dim: Positive
    attention_heads: Positive
    attention_layers: Positive
    attention_window: NonNegative
    attention_norm: bool
    dropout: Probability

    @model_validator(mode="after")
    def _divisible(self) -> "EncoderConfig":
        for key in ("input_dim", "word_input_dim"):
            if getattr(self, key) % self.attention_heads:
                raise ValueError(
                    f"{key} must be a multiple of attention_heads={self.attention_heads}"
                )
        return self


class AlignmentConfig(Frozen):
    """The cross-modal alignment.

    Attributes:
        normalized: clips and words are layer-normalised before they are compared (Q11).
    """

    normalized: bool


class AttentionConfig(Frozen):
    """The heterogeneous attention.

    Attributes:
        self_attention: clips attend to clips, words to words (Table 5).
        calibration: `none` (Table 5); `attention`, V looks the memory's content up; `reverse`, that
            content looks V up; `gate`, V scales it (Q10).
    """

    self_attention: bool
    calibration: Calibration


class HeadsConfig(Frozen):
    """The heads, and how the moments that they propose are ranked.

    Attributes:
        channels: of the hidden layers (Q15).
        kernel: clips that a convolution sees, an odd number (Q15).
        norm: batch-normalise what the hidden layers return (Q15).
        initial_distance: where the predicted distances start, a share of the duration (Q15).
        score: what moments are ranked by (Q19).
    """

    channels: Positive
    kernel: Positive
    norm: bool
    initial_distance: Annotated[float, Field(gt=0)]
    score: Literal["product", "confidence", "iou"]

    @model_validator(mode="after")
    def _odd(self) -> "HeadsConfig":
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {self.kernel}")
        return self


class LossesConfig(Frozen):
    """The three terms of the loss.

    Attributes:
        distance_unit: of the L1 term of Eq. 11: share of the duration, or clips (Q16).
        confidence_norm: what Eq. 12 divides by: the positive clips, or all (Q17).
        iou_gradient: let the target of the IoU head learn too (Q18).
    """

    distance_unit: Literal["share", "clips"]
    confidence_norm: Literal["positives", "clips"]
    iou_gradient: bool


class MGSLNetConfig(Frozen):
    """Sizes, the parts that Tables 3-5 take away, and the readings of what the paper leaves open.

    Attributes:
        video_dim: of a clip's features.
        word_dim: of a word's vector.
        dim: of an encoded clip or word, and of a slot: the paper's D (Q1).
        video_slots: how many slots a memory of clips has.
        query_slots: how many a memory of words has.
    """

    video_dim: Positive
    word_dim: Positive
    dim: Positive
    video_slots: Positive
    query_slots: Positive
    memory: MemoryConfig
    encoder: EncoderConfig
    alignment: AlignmentConfig
    attention: AttentionConfig
    heads: HeadsConfig
    losses: LossesConfig


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
            attention_heads=config.encoder.attention_heads,
            layers=config.encoder.attention_layers,
            dropout=config.encoder.dropout,
            window=config.encoder.attention_window,
            normalized=config.encoder.attention_norm,
        )
        self.video_encoder = encoder(config.video_dim, input_dim=config.encoder.input_dim)
        self.query_encoder = encoder(config.word_dim, input_dim=config.encoder.word_input_dim)
        self.alignment = Alignment(dim, normalized=config.alignment.normalized)
        memory = partial(DomainMemory, dim=dim, config=config.memory)
        self.video_memory = memory(streams=config.memory.video, num_slots=config.video_slots)
        self.query_memory = memory(streams=config.memory.query, num_slots=config.query_slots)
        self.attention = HeterogeneousAttention(
            dim,
            self_attention=config.attention.self_attention,
            calibration=config.attention.calibration,
        )
        self.heads = Heads(
            self.attention.fused_dim,
            channels=config.heads.channels,
            kernel=config.heads.kernel,
            normalized=config.heads.norm,
            initial_distance=config.heads.initial_distance,
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
        scores = parts[self.config.heads.score] * batch.video_mask  # Q19
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        return Moments(spans.gather(1, order[..., None].expand_as(spans)), scores)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The three terms of Eq. 14, all of weight 1 as in the paper."""
        predicted, choices = self._predict(batch), self.config.losses
        real, centers = batch.video_mask, clip_centers(batch.video_mask)
        positive = inside(batch.target, real)
        truth = torch.stack([centers - batch.target[:, :1], batch.target[:, 1:] - centers], dim=-1)
        iou = distance_iou(truth, predicted.distances)
        unit = real.sum(1)[:, None, None] if choices.distance_unit == "clips" else 1  # Q16
        divisor = positive if choices.confidence_norm == "positives" else real  # Q17
        goal = iou if choices.iou_gradient else iou.detach()  # Q18
        boundary = boundary_loss(unit * predicted.distances, unit * truth, iou, positive)
        confidence = confidence_loss(predicted.confidence, positive, real, divisor.sum(1))
        return {  # Eq. 14
            "boundary": boundary.mean(),
            "confidence": confidence.mean(),
            "iou": iou_loss(predicted.iou, goal, real).mean(),
        }

    def memories(self) -> list[PersistentMemory]:
        """Every memory there is, those of the video first."""
        return [*self.video_memory.all(), *self.query_memory.all()]

    def after_step(self) -> None:
        """Keep what the batch wrote."""
        for memory in self.memories():
            memory.commit()

    def _predict(self, batch: Batch) -> "Predicted":
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
        return {
            "over_words_entropy": slot_state.mean_entropy(views.over_words, clips, words),
            "over_clips_entropy": slot_state.mean_entropy(views.over_clips, words, clips),
            **slot_state.of_domain("video", self.video_memory, [video, views.textual], clips),
            **slot_state.of_domain("query", self.query_memory, [query, views.visual], words),
        }

    def probes(self) -> Iterator[tuple[str, AbstractContextManager[None]]]:
        """What the memories are worth: read them as zeros, or as they were before training."""
        return slot_state.damages(self.memories())


class Encoder(nn.Module):
    """Self-attention, then a BiLSTM (Q12); a wider input is first brought to `input_dim` (Q13)."""

    def __init__(
        self,
        feature_dim: int,
        *,
        input_dim: int,
        dim: int,
        attention_heads: int,
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
                dim=input_dim,
                attention_heads=attention_heads,
                dropout=dropout,
                window=window,
                normalized=normalized,
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


def layer_norm(x: Float[Tensor, "batch steps dim"]) -> Float[Tensor, "batch steps dim"]:
    """Each step with mean 0 and variance 1 over its numbers; nothing to learn."""
    return F.layer_norm(x, x.shape[-1:])


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
        names = ["inter", "clips", "words"] if self_attention else ["inter"]
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


class Predicted(NamedTuple):
    """What the heads say of each clip."""

    distances: Distances
    confidence: PerClip  # before the sigmoid
    iou: PerClip


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
        self.norms = nn.ModuleList(ClipNorm(channels) for _ in range(hidden if normalized else 0))
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


def boundary_loss(
    predicted: Distances, truth: Distances, iou: PerClip, positive: ClipMask
) -> PerQuery:
    """How far the distances of the positive clips are off, and how little their moments overlap.

    Args:
        predicted: distances to start and end, in whatever unit (Q16).
        truth: the same of the target; negative where a clip lies outside it.
        iou: of the two.
        positive: clips inside the target.
    """
    l1 = F.smooth_l1_loss(predicted, truth.clamp(min=0), reduction="none").sum(-1)
    log_iou = iou.clamp(min=1e-6).log()
    return ((l1 - log_iou) * positive).sum(1) / positive.sum(1)  # Eq. 11


def confidence_loss(
    logits: PerClip, positive: ClipMask, real: ClipMask, divisor: Count
) -> PerQuery:
    """Cross-entropy of which clips lie inside the target, summed over the real clips (Q17)."""
    bce = F.binary_cross_entropy_with_logits(logits, positive.to(logits.dtype), reduction="none")
    return (bce * real).sum(1) / divisor  # Eq. 12


def iou_loss(predicted: PerClip, iou: PerClip, real: ClipMask) -> PerQuery:
    """How far each clip's opinion of its own moment is from the overlap that it has."""
    error = F.smooth_l1_loss(predicted, iou, reduction="none")
    return (error * real).sum(1) / real.sum(1)  # Eq. 13
