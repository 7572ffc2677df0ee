"""Encode the words along their graph and the video by local attention; score anchors everywhere.

Paper       Z. Zhang, Z. Lin, Z. Zhao, Z. Xiao. "Cross-Modal Interaction Networks for Query-Based
            Moment Retrieval in Videos". SIGIR 2019: "CMIN".
Reference   ikuinen/CMIN_moment_retrieval, commit 4f96560
Deviations  No parser is at hand: the graph of a query joins each word to the next, as its
            dependent, with one relation (the code has the 39 of a dependency parse). Interaction is
            what the code does, not the paper's bilinear form; so is the regression, of the one
            anchor that fits best. Features of another size are mapped to `input_dim` first, as in
            the code's forks; the code reads them as they are. So are words, to `word_input_dim`.
            By the harness: moments and answers keep their fractions of a clip (the code rounds both
            to whole ones); padding, which the code's videos do not have, takes no part. Words
            without a vector are not removed. The epoch is chosen on validation (the code has no
            rule); answers beyond the first pass NMS, of which the code has none.

Notation    v     clips   batch clips dim       encoded clips
            q     words   batch words dim       encoded words
            u     words   batch clips dim       what a clip attends to
"""

from typing import Annotated, final

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability, Share
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.layers import Dropout, SelfAttention, permute_steps, reversal
from mgsl.models.parts.windows import shared
from mgsl.models.parts.word_attention import WordAttention
from mgsl.records import Batch, Moments

Steps = Float[Tensor, "batch steps dim"]
StepMask = Bool[Tensor, "batch steps"]
Anchors = Float[Tensor, "anchors 2"]
PerAnchor = Float[Tensor, "batch anchors"]
Offsets = Float[Tensor, "batch anchors 2"]
Graph = Float[Tensor, "relations batch words words"]


class CMINConfig(Frozen):
    """Sizes of the layers, the anchors' widths in clips, and what is learned of them.

    A clip attends to `attention_window` clips on either side. Labels below `least_label` of a
    query's best are cleared.
    """

    num_clips: Positive
    video_dim: Positive
    word_dim: Positive
    input_dim: Positive
    word_input_dim: Positive
    hidden_dim: Annotated[int, Field(gt=0, multiple_of=2)]
    heads: Positive
    attention_layers: Positive
    attention_window: Positive
    graph_layers: Positive
    dropout: Probability
    anchors: Annotated[tuple[Positive, ...], Field(min_length=1)]
    least_label: Share
    regression_weight: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _possible(self) -> "CMINConfig":
        if self.input_dim % self.heads:
            raise ValueError(f"{self.heads} heads do not divide input_dim={self.input_dim}")
        if max(self.anchors) > self.num_clips:
            raise ValueError(f"anchors are longer than {self.num_clips} clips: {self.anchors}")
        return self


@final
class CMIN(GroundingModel):
    """At every clip, anchors of several widths around it, each with a score and two offsets."""

    Config = CMINConfig
    anchors: Anchors
    inside: Int[Tensor, " proposals"]

    def __init__(self, config: CMINConfig) -> None:
        super().__init__()
        self.config = config
        dim, inputs, word_inputs = config.hidden_dim, config.input_dim, config.word_input_dim
        self.video_map = mapped(config.video_dim, inputs)
        self.query_map = mapped(config.word_dim, word_inputs)
        self.attention = nn.ModuleList(
            SelfAttention(
                dim=inputs,
                attention_heads=config.heads,
                dropout=config.dropout,
                window=config.attention_window,
                normalized=False,
            )
            for _ in range(config.attention_layers)
        )
        for layer in self.attention.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.video = BiGRU(inputs, dim)
        self.graph = nn.ModuleList(
            GraphLayer(word_inputs, relations=1) for _ in range(config.graph_layers)
        )
        self.query = BiGRU(word_inputs, dim)
        self.word_attention = WordAttention(step_dim=dim, word_dim=dim, dim=dim)
        self.gate_of_words = nn.Linear(dim, dim, bias=False)
        self.gate_of_video = nn.Linear(dim, dim, bias=False)
        self.fusion = BiGRU(2 * dim, dim)
        self.score = nn.Linear(dim, len(config.anchors))
        self.offset = nn.Linear(dim, 2 * len(config.anchors))
        self.dropout = Dropout(config.dropout)
        anchors = centered_anchors(config.num_clips, config.anchors)
        self.register_buffer("anchors", anchors, persistent=False)
        inside = anchors_inside(config.num_clips, config.anchors)
        self.register_buffer("inside", torch.tensor(inside), persistent=False)

    def forward(self, batch: Batch) -> Moments:
        """Rank all anchors that lie in the video, moved by their offsets."""
        logits, offsets = self._predict(batch)
        count, anchors = batch.video_mask.sum(1), self.anchors[self.inside]
        scores = logits[:, self.inside].sigmoid().masked_fill(~legal(anchors, count), 0)
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        spans = moved(anchors, offsets[:, self.inside]) / count[:, None, None]
        start, end = spans.clamp(0, 1).unbind(-1)
        spans = torch.stack([start, torch.maximum(start, end)], dim=-1)
        return Moments(spans.gather(1, order[..., None].expand_as(spans)), scores)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross entropy with the labels, and how far the best-fitting anchor is off."""
        logits, offsets = self._predict(batch)
        count = batch.video_mask.sum(1)
        target = batch.target * count[:, None]
        real, label = legal(self.anchors, count), self._labels(target, count)
        cost = F.binary_cross_entropy_with_logits(logits, label, reduction="none") * real
        entries = count.sum() * len(self.config.anchors)
        best = label.argmax(1)
        answer = moved(
            self.anchors[best], offsets[torch.arange(len(best), device=best.device), best]
        )
        return {
            "overlap": cost.sum() / entries,
            "regression": self.config.regression_weight * F.smooth_l1_loss(answer, target),
        }

    def _predict(self, batch: Batch) -> tuple[PerAnchor, Offsets]:
        """Logits, and offsets of start and end in clips; clip by clip."""
        video, words = self._encode(batch)
        attended = self.word_attention(video, words, batch.query_mask)
        fused = self.fusion(self._gated(video, attended), batch.video_mask)
        fused = self.dropout(fused)
        offsets = self.offset(fused).flatten(1).unflatten(1, (-1, 2))
        return self.score(fused).flatten(1).float(), offsets.float()

    def _encode(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "batch clips dim"], Float[Tensor, "batch words dim"]]:
        """Clips in the light of those around, words in that of the graph; then both in order."""
        clips = self.video_map(self.dropout(batch.video * batch.video_mask[..., None]))
        for layer in self.attention:
            clips = layer(clips, batch.video_mask)
        words, graph = self.query_map(self.dropout(batch.query)), chain(batch.query_mask)
        for layer in self.graph:
            words = words + self.dropout(layer(words, graph))
        video = self.dropout(self.video(clips, batch.video_mask))
        return video, self.dropout(self.query(words, batch.query_mask))

    def _gated(
        self, video: Float[Tensor, "batch clips dim"], words: Float[Tensor, "batch clips dim"]
    ) -> Float[Tensor, "batch clips both"]:
        """ṽ = σ(W_u u) v,  ũ = σ(W_v v) u, side by side."""
        gated_video = self.gate_of_video(words).sigmoid() * video
        gated_words = self.gate_of_words(video).sigmoid() * words
        return torch.cat([gated_video, gated_words], dim=-1)

    def _labels(self, target: Float[Tensor, "batch 2"], count: Int[Tensor, " batch"]) -> PerAnchor:
        """The tIoU of each anchor as a share of the query's best; low ones are 0."""
        tiou, _ = shared(self.anchors, target[:, None])
        tiou = tiou * legal(self.anchors, count)
        best = tiou.amax(1, keepdim=True)
        tiou = tiou.masked_fill(tiou < self.config.least_label * best, 0)
        return tiou / best.clamp(min=torch.finfo(tiou.dtype).tiny)


def mapped(feature_dim: int, dim: int) -> nn.Module:
    """A map of features to `dim` numbers; none where they have as many."""
    return nn.Identity() if feature_dim == dim else nn.Linear(feature_dim, dim)


def centered_anchors(num_clips: int, widths: tuple[int, ...]) -> Anchors:
    """Spans of each width around the middle of each clip, in clips; clip by clip."""
    middles, halves = torch.arange(num_clips)[:, None] + 0.5, torch.tensor(widths) / 2
    return torch.stack([middles - halves, middles + halves], dim=-1).flatten(0, 1)


def anchors_inside(num_clips: int, widths: tuple[int, ...]) -> list[int]:
    """Which anchors are `legal` in a video of so many clips."""
    anchors = enumerate((clip + 0.5, width / 2) for clip in range(num_clips) for width in widths)
    return [n for n, (at, half) in anchors if half <= at < num_clips + 1 - half]


def legal(anchors: Anchors, count: Int[Tensor, " batch"]) -> Bool[Tensor, "batch anchors"]:
    """Which anchors lie in a video of so many clips; the last of even width hangs half a clip out.

    So it is in the code, which counts clips by their middles.
    """
    start, end = anchors.unbind(-1)
    return (start >= 0) & (end < count[:, None] + 1)


def moved(
    anchors: Float[Tensor, "*#batch 2"], offsets: Float[Tensor, "*#batch 2"]
) -> Float[Tensor, "*#batch 2"]:
    """Anchors with their offsets added; those of even width begin half a clip earlier.

    So it is in the code, where anchors take the type of the ground truth, whole clips, before.
    """
    return anchors.floor() + offsets


def chain(mask: Bool[Tensor, "batch words"]) -> Graph:
    """A graph of one relation in which each real word's dependent is the next."""
    return mask[:, 1:].float().diag_embed(offset=1)[None]


class GraphLayer(nn.Module):
    """Messages along the edges of a graph of words, in both directions, and to itself.

    x_i = ReLU(Σ_k Σ_j σ(G_k W_k x_j + c_r) (W_k x_j + b_r)),  r the relation of i and j

    The directions k: itself, from dependents, from the head. A word's message depends on the
    relation and not on whom it reaches, so each is made once and passed on by a product.
    """

    def __init__(self, dim: int, *, relations: int) -> None:
        super().__init__()
        self.message = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.gate = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(3))
        for first, *others in (self.message, self.gate):
            for layer in others:
                layer.load_state_dict(first.state_dict())
        self.own_bias = nn.Parameter(torch.zeros(2, dim))  # of message and gate
        self.biases = nn.Parameter(torch.zeros(2, 2, relations, 1, 1, dim))  # both, each direction

    def forward(
        self, x: Float[Tensor, "batch words dim"], graph: Graph
    ) -> Float[Tensor, "batch words dim"]:
        """The new words; `graph` is 1 where the row is the head of the column."""
        own, *others = (layer(x) for layer in self.message)
        gate, *gates = (layer(y) for layer, y in zip(self.gate, (own, *others), strict=True))
        total = (gate + self.own_bias[1]).sigmoid() * (own + self.own_bias[0])
        biases = zip(*self.biases, strict=True)
        ways = (graph, graph.mT)
        for y, g, (bias, gate_bias), way in zip(others, gates, biases, ways, strict=True):
            messages = (g + gate_bias).sigmoid() * (y + bias)
            total = total + einsum(way, messages, "r b i j, r b j d -> b i d")
        return total.relu()


class BiGRU(nn.Module):
    """A gated recurrent unit each way that padding cannot reach; it comes out as zeros."""

    def __init__(self, input_dim: int, dim: int) -> None:
        super().__init__()
        self.forwards = nn.GRU(input_dim, dim // 2, batch_first=True)
        self.backwards = nn.GRU(input_dim, dim // 2, batch_first=True)

    def forward(self, x: Float[Tensor, "batch steps input_dim"], mask: StepMask) -> Steps:
        """Encode each step from both sides."""
        order = reversal(mask)
        backwards = permute_steps(self.backwards(permute_steps(x, order))[0], order)
        return torch.cat([self.forwards(x)[0], backwards], dim=-1) * mask[..., None]
