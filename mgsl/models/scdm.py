"""Let the words modulate a pyramid of convolutions; score and nudge the anchors of every cell.

Paper       Y. Yuan, L. Ma, J. Wang, W. Liu, W. Zhu. "Semantic Conditioned Dynamic Modulation for
            Temporal Sentence Grounding in Videos". NeurIPS 2019.
Reference   yytzsy/SCDM, commit 075159b
Deviations  Word vectors stay frozen, as for every method (the code trains them). Attention weights
            that the code has and does not use are absent.
            By the harness: a video's clips are stretched to the grid, so the grid measures shares
            of the video and has no padding (the code's is of seconds; ActivityNet Captions and
            TACoS have 1,024 there, and levels of 256 cells and fewer). No anchor is longer than the
            video, then; those that are shorter than a second stay in the answers (the code drops
            them on Charades-STA), and moments of TACoS keep their fractions of a second. Words are
            cut at 20. Batches are drawn anew (in the code 16 queries stay together). The epoch is
            chosen on validation, by the code on test.

Notation    s     words     batch words dim     s̄ their mean, the sentence
            a     map       batch cells dim     of one level
            c     context   batch cells dim     what a cell attends to; or s̄, for all cells
            o     overlap   batch anchors       tIoU with the target
"""

from typing import Annotated, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, NonNegative, Positive, Probability, Share
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.convolution import Convolution
from mgsl.models.parts.layers import permute_steps, reversal
from mgsl.models.parts.windows import shared
from mgsl.models.parts.word_attention import WordAttention
from mgsl.records import Batch, Moments

POSITIVE_IOU = 0.5
REACH = 0.1  # of an offset: a share of the width for the centre, of its logarithm for the width
EPSILON, MOMENTUM = 1e-3, 0.01  # of batch normalisation
Words = Float[Tensor, "batch words dim"]
WordMask = Bool[Tensor, "batch words"]
Cells = Float[Tensor, "batch cells dim"]
PerAnchor = Float[Tensor, "batch anchors"]
Weight = Annotated[float, Field(ge=0)]


class SCDMConfig(Frozen):
    """Sizes of the layers and the grid, and what its anchors learn from.

    The grid has so many steps, its levels from a quarter of them to 1 cell. An anchor is as wide as
    its cell times one of `ratios`; one of at most `least_width` steps is left out. The first
    `sentence_blocks` blocks are modulated by the sentence, all others by the words that a cell
    attends to. A negative anchor is hard where its logit is above `hard_logit`.
    """

    video_dim: Positive
    word_dim: Positive
    hidden_dim: Annotated[int, Field(gt=0, multiple_of=2)]
    head_channels: Positive
    grid: Annotated[int, Field(ge=4)]
    kernel: Positive
    sentence_blocks: NonNegative
    dropout: Probability
    ratios: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
    least_width: Weight
    negative_iou: Share
    hard_logit: float
    positive_weight: Weight
    negative_weight: Weight
    center_weight: Weight
    width_weight: Weight
    weight_decay: Weight

    @model_validator(mode="after")
    def _possible(self) -> "SCDMConfig":
        if self.grid & (self.grid - 1):
            raise ValueError(f"grid must be a power of two, got {self.grid}")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {self.kernel}")
        return self


@final
class SCDM(GroundingModel):
    """Fuse each step with the sentence, convolve to ever coarser maps, predict from every map."""

    Config = SCDMConfig
    anchors: Float[Tensor, "anchors 2"]
    counted: Bool[Tensor, " anchors"]
    kept: Int[Tensor, " proposals"]
    level: Float[Tensor, "anchors levels"]

    def __init__(self, config: SCDMConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.hidden_dim
        self.query = BiSRU(config.word_dim, dim)
        self.dropout = nn.Dropout(config.dropout)
        self.fuse = nn.Linear(config.video_dim + dim, dim)
        self.stem = Convolution(dim, dim, config.kernel)
        cells = [config.grid >> shift for shift in range(2, config.grid.bit_length())]
        self.blocks = nn.ModuleList(
            ModulatedBlock(
                dim,
                kernel=3 if number else config.kernel,
                stride=2 if number else 1,
                attends=number >= config.sentence_blocks,
            )
            for number in range(len(cells) + 1)
        )
        self.heads = nn.ModuleList(
            LevelHead(dim, config.head_channels, anchors=len(config.ratios)) for _ in cells
        )
        draw_weights(self)
        counts = torch.tensor([n * len(config.ratios) for n in cells])
        anchors = anchor_grid(config.grid, cells, config.ratios)
        widths = [config.grid / n * ratio for n in cells for ratio in config.ratios * n]
        wide = [n for n, width in enumerate(widths) if width > config.least_width]
        size = len(anchors)
        level = torch.repeat_interleave(torch.eye(len(cells)), counts, dim=0, output_size=size)
        self.register_buffer("anchors", anchors, persistent=False)
        self.register_buffer("counted", anchors[:, 1] > config.least_width, persistent=False)
        self.register_buffer("kept", torch.tensor(wide), persistent=False)
        self.register_buffer("level", level, persistent=False)

    def forward(self, batch: Batch) -> Moments:
        """Rank all anchors but the shortest, each moved by its offsets."""
        logits, offsets = self._predict(batch)
        center, width = self._decode(offsets)[:, self.kept].unbind(-1)
        spans = torch.stack([center - width / 2, center + width / 2], dim=-1) / self.config.grid
        scores = logits[:, self.kept].sigmoid()
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        spans = spans.clamp(0, 1).gather(1, order[..., None].expand_as(spans))
        return Moments(spans, scores)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross entropies with the overlaps, and how far positives are off; summed over levels."""
        logits, offsets = self._predict(batch)
        config = self.config
        target = batch.target * config.grid
        center, width = self.anchors.unbind(1)
        overlap, _ = shared(
            torch.stack([center - width / 2, center + width / 2], dim=-1), target[:, None]
        )
        positive = (overlap > POSITIVE_IOU) & self.counted
        negative = (overlap < config.negative_iou) & self.counted
        hard = negative & (logits > config.hard_logit)
        cost = F.binary_cross_entropy_with_logits(logits, overlap, reduction="none")
        wanted = torch.stack([target.sum(1) / 2, target[:, 1] - target[:, 0]], dim=-1)
        decoded = self._decode(offsets)
        off = F.smooth_l1_loss(decoded, wanted[:, None].expand_as(decoded), reduction="none")
        squares = [parameter.square().sum() for parameter in self.parameters()]
        return {
            "positive": config.positive_weight * self._level_means(cost, positive),
            "hard_negative": config.negative_weight * self._level_means(cost, hard),
            "easy_negative": config.negative_weight * self._level_means(cost, negative & ~hard),
            "center": config.center_weight * self._level_means(off[..., 0], positive),
            "width": config.width_weight * self._level_means(off[..., 1], positive),
            "penalty": config.weight_decay / 2 * torch.stack(squares).sum(),
        }

    def _level_means(
        self, cost: PerAnchor, where: Bool[Tensor, "batch anchors"]
    ) -> Float[Tensor, ""]:
        """The mean over some anchors of a batch, at each level by itself; 0 where there is none."""
        sums, counts = (
            (of_anchor[:, None] * self.level).sum(0)  # no product: those may lose digits
            for of_anchor in ((cost * where).sum(0), where.sum(0))
        )
        return (sums / counts.clamp(min=1)).sum()

    def _predict(self, batch: Batch) -> tuple[PerAnchor, Float[Tensor, "batch anchors 2"]]:
        """Logits, and offsets of centre and width in [-1, 1], level by level."""
        words = self.dropout(self.query(batch.query, batch.query_mask))
        mask = batch.query_mask
        sentence = words.sum(1) / mask.sum(1, keepdim=True)
        x = self.stem(self._fused(batch, sentence))
        x = F.max_pool1d(self.blocks[0](x, words, mask, sentence).mT, 2).mT
        logits, offsets = [], []
        for block, head in zip(self.blocks[1:], self.heads, strict=True):
            x = block(x, words, mask, sentence)
            overlaps, moves = head(x)
            logits.append(overlaps)
            offsets.append(moves)
        return torch.cat(logits, dim=1).float(), torch.cat(offsets, dim=1).float()

    def _fused(self, batch: Batch, sentence: Float[Tensor, "batch dim"]) -> Cells:
        """Each step of the grid beside the sentence; clips are stretched once they are narrow."""
        dims = [batch.video.shape[-1], sentence.shape[-1]]
        of_video, of_sentence = self.fuse.weight.split(dims, dim=1)
        steps = stretched(F.linear(batch.video, of_video), batch.video_mask, self.config.grid)
        return (steps + F.linear(sentence, of_sentence, self.fuse.bias)[:, None]).relu()

    def _decode(
        self, offsets: Float[Tensor, "batch anchors 2"]
    ) -> Float[Tensor, "batch anchors 2"]:
        """Centres and widths in steps."""
        center, width = self.anchors.unbind(1)
        moved = center + REACH * width * offsets[..., 0]
        return torch.stack([moved, width * (REACH * offsets[..., 1]).exp()], dim=-1)


def anchor_grid(
    steps: int, cells: list[int], ratios: tuple[float, ...]
) -> Float[Tensor, "anchors 2"]:
    """Centre and width of every anchor in steps: level by level, cell by cell, ratio by ratio."""
    shares = torch.tensor(ratios)
    levels = []
    for number in cells:
        span = steps / number
        centers = ((torch.arange(number) + 0.5) * span)[:, None].expand(-1, len(shares))
        levels.append(torch.stack([centers, (span * shares).expand_as(centers)], dim=-1))
    return torch.cat([level.flatten(0, 1) for level in levels])


def stretched(
    clips: Float[Tensor, "batch clips dim"], mask: Bool[Tensor, "batch clips"], steps: int
) -> Float[Tensor, "batch {steps} dim"]:
    """The real clips, interpolated at the middles of so many equal steps."""
    count = mask.sum(1, keepdim=True)
    middles = torch.arange(steps, device=clips.device) + 0.5
    where = torch.minimum((middles * count / steps - 0.5).clamp(min=0), count - 1.0)
    apart = where[..., None] - torch.arange(clips.shape[1], device=clips.device)
    shares = (1 - apart.abs()).clamp(min=0)
    return shares.to(clips.dtype) @ clips


def draw_weights(model: nn.Module) -> None:
    """Glorot's uniform weights; biases of 0, but of the attention, drawn as its vector is."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for layer in model.modules():
        if isinstance(layer, WordAttention):
            for vector in (layer.from_steps.bias, layer.score.weight):
                limit = (3 / vector.numel()) ** 0.5
                nn.init.uniform_(vector, -limit, limit)


class BiSRU(nn.Module):
    """A simple recurrent unit each way over the words; padding comes out as zeros.

    f, r = σ(W_g x + b),  c_t = tanh(f c_{t-1} + (1 - f) W x),  h_t = r c_t + (1 - r) W x

    Only what is elementwise is computed word after word, for both directions together.
    """

    def __init__(self, word_dim: int, dim: int) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(nn.Linear(word_dim, dim // 2, bias=False) for _ in range(2))
        self.gates = nn.ModuleList(nn.Linear(word_dim, dim) for _ in range(2))

    def forward(self, words: Float[Tensor, "batch words word_dim"], mask: WordMask) -> Words:
        """Encode each word from both sides."""
        order = reversal(mask)
        ways = (words, permute_steps(words, order))
        inputs = torch.stack([layer(way) for layer, way in zip(self.inputs, ways, strict=True)])
        gates = [layer(way) for layer, way in zip(self.gates, ways, strict=True)]
        forget, keep = torch.stack(gates).sigmoid().chunk(2, dim=-1)
        enter = (1 - forget) * inputs
        memory, memories = torch.zeros_like(inputs[:, :, 0]), []
        for old, new in zip(forget.unbind(2), enter.unbind(2), strict=True):
            memory = (old * memory + new).tanh()
            memories.append(memory)
        forwards, backwards = torch.lerp(inputs, torch.stack(memories, dim=2), keep)
        both = torch.cat([forwards, permute_steps(backwards, order)], dim=-1)
        return both * mask[..., None]


class ModulatedBlock(nn.Module):
    """Normalise a map over time, modulate it by the query, convolve.

    γ, δ = tanh(W c + b),  â = γ (a - μ) / σ + δ,  then ReLU and convolution
    """

    def __init__(self, dim: int, *, kernel: int, stride: int, attends: bool) -> None:
        super().__init__()
        self.attention = (
            WordAttention(step_dim=dim, word_dim=dim, dim=dim // 2) if attends else None
        )
        self.modulation = nn.ModuleList(nn.Linear(dim, dim) for _ in range(2))
        self.convolution = Convolution(dim, dim, kernel, stride)

    def forward(
        self, x: Cells, words: Words, mask: WordMask, sentence: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch cells_after dim"]:
        """The map of the next level."""
        context = sentence[:, None] if self.attention is None else self.attention(x, words, mask)
        scale, shift = (layer(context).tanh() for layer in self.modulation)
        normal = F.instance_norm(x.mT, eps=1e-6).mT
        return self.convolution((scale * normal + shift).relu())


class LevelHead(nn.Module):
    """Two branches over one map: logits and offsets of each cell's anchors."""

    def __init__(self, dim: int, channels: int, *, anchors: int) -> None:
        super().__init__()
        self.overlap, self.offset = (
            nn.Sequential(
                BatchNorm(dim),
                nn.ReLU(),
                Convolution(dim, channels, 3),
                BatchNorm(channels),
                nn.ReLU(),
                Convolution(channels, outputs, 3),
            )
            for outputs in (anchors, 2 * anchors)
        )

    def forward(self, x: Cells) -> tuple[PerAnchor, Float[Tensor, "batch anchors 2"]]:
        """Logits, and offsets of centre and width."""
        offsets = self.offset(x).tanh()
        return self.overlap(x).flatten(1), offsets.flatten(1).unflatten(1, (-1, 2))


class BatchNorm(nn.Module):
    """Batch normalisation of channels, with the biased variance: one value has one too.

    The coarsest map has a single cell, of which the framework's own needs two queries.
    """

    running_mean: Float[Tensor, "channels 1"]
    running_variance: Float[Tensor, "channels 1"]

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1))
        self.register_buffer("running_mean", torch.zeros(channels, 1))
        self.register_buffer("running_variance", torch.ones(channels, 1))

    def forward(self, x: Cells) -> Cells:
        """Normalise over batch and cells; in evaluation by running statistics."""
        rows, weight, bias = x.flatten(0, 1), self.weight.squeeze(1), self.bias.squeeze(1)
        mean, variance = self.running_mean.squeeze(1), self.running_variance.squeeze(1)
        if not self.training:
            return F.batch_norm(rows, mean, variance, weight, bias, eps=EPSILON).view_as(x)
        y, now, scale = torch.native_batch_norm(
            rows, weight, bias, None, None, training=True, momentum=0.0, eps=EPSILON
        )
        with torch.no_grad():
            mean.lerp_(now.to(mean.dtype), MOMENTUM)
            variance.lerp_(scale.to(variance.dtype) ** -2 - EPSILON, MOMENTUM)
        return y.view_as(x)
