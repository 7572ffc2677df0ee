"""Score anchors of many lengths as TGN does, after every clip has looked at the others.

A second head says of each clip whether the moment begins or ends there; an anchor's score is the
mean of its own and of those of its two ends.

Paper       J. Wang, L. Ma, W. Jiang. "Temporally Grounding Language Queries in Videos by Contextual
            Boundary-aware Prediction". AAAI 2020: "CBP".
Reference   JaywongWang/CBP, commit 4a1764f
Deviations  Padded words take no share of the attention (the code gives them some). The attention's
            constant is left out, since a softmax does not see it. Anchors in the band between the
            thresholds are ignored everywhere (the code counts those far from the target as
            negative). The label frequencies behind the positive weights are those of our training
            queries, of anchors and of boundaries.
            By the harness: anchors end with a clip (in the code with the middle of one, which moves
            the clip that holds their start on by one) and their lengths span the whole video, since
            videos are stretched to a fixed number of clips; so the clips that one looks at are
            counted in those. Training takes videos whole (the code
            crops them at random); words are cut at 20. The epoch is chosen on validation, and at
            the paper's scale the rate falls on a plateau of that (the code has none on Charades-STA
            and ActivityNet Captions but its test split). Gradients are clipped tensor by tensor, of
            which an LSTM and the attention have several here, and one in the code.

Notation    h^m   states    batch clips hidden      the interactor's, clip after clip
            h^c   context   batch clips 2·hidden    what a clip has looked at, and its own state
            p     anchors   batch clips anchors
            b     boundary  batch clips
"""

from typing import Annotated, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability, Share
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.ending_anchors import (
    Labels,
    anchors_inside,
    cross_entropy,
    ending_anchors,
    labels,
    positive_weights,
)
from mgsl.models.parts.interactor import (
    Interactor,
    QueryEncoder,
    dense,
    half_square,
    recurrent,
)
from mgsl.records import Batch, Moments

PerClip = Float[Tensor, "batch clips"]


class CBPConfig(Frozen):
    """Sizes, the anchors' lengths in clips, and what makes an anchor positive or negative.

    A clip looks at `neighbours` clips, half of them before it; 0: at all. Both thresholds of
    `weighed_iou` are those that the weights of positives are counted at. Where `boundary_weight` is
    0, there is no boundary head.
    """

    num_clips: Positive
    video_dim: Positive
    word_dim: Positive
    hidden_dim: Positive
    attention_dim: Positive
    map_dim: Annotated[int, Field(gt=0, multiple_of=2)]
    neighbours: Annotated[int, Field(ge=0, multiple_of=2)]
    dropout: Probability
    bidirectional: bool
    anchors: Annotated[tuple[Positive, ...], Field(min_length=1)]
    positive_iou: Share
    negative_iou: Share
    weighed_iou: tuple[Share, Share]
    most_weight: Annotated[float, Field(ge=1)] | None
    boundary_weight: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _band(self) -> "CBPConfig":
        for above, below in ((self.positive_iou, self.negative_iou), self.weighed_iou):
            if below > above:
                raise ValueError(f"anchors would be positive at {above} and negative at {below}")
        return self


@final
class CBP(GroundingModel):
    """One pass over the video, one look around; anchors and boundaries are scored together."""

    Config = CBPConfig
    anchors: Float[Tensor, "clips anchors 2"]
    inside: Int[Tensor, " proposals"]
    first: Int[Tensor, " proposals"]
    last: Int[Tensor, " proposals"]
    positive_weight: Float[Tensor, " anchors"]
    boundary_positive_weight: Float[Tensor, ""]

    def __init__(self, config: CBPConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden_dim
        self.query_encoder = QueryEncoder(
            config.word_dim,
            hidden_dim=hidden,
            dropout=config.dropout,
            bidirectional=config.bidirectional,
        )
        self.video_encoder = recurrent(nn.LSTM(config.video_dim, hidden, batch_first=True))
        self.interactor = Interactor(
            clip_dim=hidden,
            query_dim=hidden * (1 + config.bidirectional),
            hidden_dim=hidden,
            attention_dim=config.attention_dim,
            dropout=config.dropout,
        )
        self.context = Context(hidden, map_dim=config.map_dim, neighbours=config.neighbours)
        self.grounder = dense(nn.Linear(2 * hidden, len(config.anchors)))
        self.boundary = dense(nn.Linear(2 * hidden, 1)) if config.boundary_weight else None
        self.dropout = nn.Dropout(config.dropout)
        anchors = ending_anchors(config.num_clips, config.anchors)
        self.register_buffer("anchors", anchors, persistent=False)
        inside = anchors_inside(config.num_clips, config.anchors)
        self.register_buffer("inside", torch.tensor(inside), persistent=False)
        first, end = anchors.flatten(0, 1)[inside].long().unbind(1)
        self.register_buffer("first", first.clone(), persistent=False)
        self.register_buffer("last", end - 1, persistent=False)
        self.register_buffer("positive_weight", torch.ones(len(config.anchors)))
        self.register_buffer("boundary_positive_weight", torch.ones(()))

    def before_training(self, targets: Float[Tensor, "queries 2"]) -> None:
        """Weigh positives by how rare they are among the training queries."""
        above, below = self.config.weighed_iou
        clips = targets * self.config.num_clips
        self.positive_weight = positive_weights(
            self.anchors, clips, above=above, below=below, most=self.config.most_weight
        )
        count = torch.full_like(targets[:, 0], self.config.num_clips, dtype=torch.long)
        first, last = boundary_clips(targets, count).unbind(1)
        positives = (2 - (first == last).float()).mean()
        self.boundary_positive_weight = (self.config.num_clips - positives) / positives

    def forward(self, batch: Batch) -> Moments:
        """Rank all anchors that begin within the video."""
        anchors, boundaries = self._logits(batch)
        scores = anchors.sigmoid().flatten(1)[:, self.inside]
        if boundaries is not None:
            boundary = boundaries.sigmoid()
            ends = (boundary[:, self.first] + boundary[:, self.last]) / 2
            scores = (scores + ends) / 2
        scores = scores.masked_fill(~batch.video_mask[:, self.last], 0)
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        spans = self.anchors.flatten(0, 1)[self.inside]
        spans = (spans / batch.video_mask.sum(1)[:, None, None]).clamp(max=1)
        return Moments(spans.gather(1, order[..., None].expand_as(spans)), scores)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Weighted cross entropies, each a mean over all clips; and the weights' norm."""
        anchors, boundaries = self._logits(batch)
        mask = batch.video_mask
        positive, negative = self._labels(batch.target * mask.sum(1, keepdim=True))
        cost = cross_entropy(anchors, positive, negative, self.positive_weight)
        terms = {"anchors": (cost.sum(-1) * mask).sum() / mask.sum()}
        if boundaries is not None:
            clips = boundary_clips(batch.target, mask.sum(1))
            there = F.one_hot(clips, mask.shape[1]).amax(1).to(boundaries.dtype)
            cost = F.binary_cross_entropy_with_logits(
                boundaries, there, reduction="none", pos_weight=self.boundary_positive_weight
            )
            terms["boundary"] = self.config.boundary_weight * (cost * mask).sum() / mask.sum()
        terms["penalty"] = self.config.weight_decay * half_square(self)
        return terms

    def _logits(self, batch: Batch) -> tuple[Float[Tensor, "batch clips anchors"], PerClip | None]:
        words = self.query_encoder(batch.query, batch.query_mask)
        clips = self.video_encoder(self.dropout(batch.video * batch.video_mask[..., None]))[0]
        states = self.interactor(words, batch.query_mask, clips)
        context = self.context(states, batch.video_mask)
        boundaries = None if self.boundary is None else self.boundary(context).squeeze(-1)
        return self.grounder(context), boundaries

    def _labels(self, target: Float[Tensor, "batch 2"]) -> tuple[Labels, Labels]:
        """Which anchors are positive and which negative; `target` in clips."""
        return labels(
            self.anchors, target, above=self.config.positive_iou, below=self.config.negative_iou
        )


class Context(nn.Module):
    """Let every clip look at those around it, or at all; what it sees stands beside its state.

    a_ts = softmax_s q_t·k_s / √hidden,  h^c_t = [Σ_s a_ts h^m_s ‖ h^m_t]

    Among neighbours one map makes both q and k; they are half of `neighbours` before a clip, the
    clip itself, and one fewer after it.
    """

    def __init__(self, dim: int, *, map_dim: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.query = nn.Linear(dim, map_dim if neighbours else map_dim // 2, bias=False)
        self.key = None if neighbours else nn.Linear(dim, map_dim // 2, bias=False)
        for weight in self.parameters():
            nn.init.normal_(weight, std=dim**-0.5)

    def forward(
        self, states: Float[Tensor, "batch clips hidden"], mask: Bool[Tensor, "batch clips"]
    ) -> Float[Tensor, "batch clips context"]:
        """The context of each clip; that of padding is arbitrary."""
        query = self.query(states)
        key = query if self.key is None else self.key(states)
        visible = self.seen(mask)
        scale = states.shape[-1] ** -0.5
        around = F.scaled_dot_product_attention(query, key, states, attn_mask=visible, scale=scale)
        return torch.cat([around, states], dim=-1)

    def seen(self, mask: Bool[Tensor, "batch clips"]) -> Bool[Tensor, "batch #clips clips"]:
        """Which clips each clip looks at."""
        if not self.neighbours:
            return mask[:, None]
        clips = torch.arange(mask.shape[1], device=mask.device)
        apart = clips - clips[:, None]
        near = (apart >= -(self.neighbours // 2)) & (apart < self.neighbours // 2)
        return near & mask[:, None] | (apart == 0)  # padding sees itself, not nothing


def boundary_clips(
    target: Float[Tensor, "batch 2"], count: Int[Tensor, " batch"]
) -> Int[Tensor, "batch 2"]:
    """The clips that hold the moment's start and its end; `count` clips make the video."""
    return torch.minimum((target * count[:, None]).long(), count[:, None] - 1)
