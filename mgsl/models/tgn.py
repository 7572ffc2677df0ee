"""Read the video once, the words at every clip anew; score anchors of many lengths ending there.

Paper       J. Chen, X. Chen, L. Ma, Z. Jie, T.-S. Chua. "Temporally Grounding Natural Sentence in
            Video". EMNLP 2018: "TGN".
Reference   JaywongWang/TGN, commit 858899a: the implementation that the field uses; not by the
            paper's authors, and none of theirs was released
Deviations  Numbers of anchors and thresholds are the code's; the paper's are not known. Padded
            words take no share of the attention (the code gives them some). The attention's
            constant is left out, since a softmax does not see it. Anchors in the band between the
            thresholds are ignored everywhere (the code counts those far from the target as
            negative). The label frequencies behind the positive weights are those of our training
            queries.
            By the harness: anchors end with a clip and span the whole video's range of lengths,
            since videos are stretched to a fixed number of clips; training takes videos whole (the
            code crops them at random); words are cut at 20. The epoch is chosen on validation,
            and at the paper's scale the rate falls on a plateau of that (the code has none on
            Charades-STA and ActivityNet Captions but its test split). Gradients are clipped tensor
            by tensor, of which an LSTM and the attention have several here, and one in the code.

Notation    h^s   words     batch words query_dim   encoded words
            h^v   clips     batch clips hidden      encoded clips
            h^r   state     batch hidden            the interactor's, clip after clip
            α     weights   batch words             attention of one clip to the words
"""

from typing import Annotated, final

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability, Share
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.ending_anchors import (
    anchors_inside,
    cross_entropy,
    ending_anchors,
    labels,
    positive_weights,
)
from mgsl.models.parts.interactor import Interactor, QueryEncoder, dense, half_square, recurrent
from mgsl.models.parts.windows import rank
from mgsl.records import Batch, Moments

Anchors = Float[Tensor, "batch clips anchors"]


class TGNConfig(Frozen):
    """Sizes, the anchors' lengths in clips, and what makes an anchor positive or negative.

    Both thresholds of `weighed_iou` are those that the weights of positives are counted at.
    """

    num_clips: Positive
    video_dim: Positive
    word_dim: Positive
    hidden_dim: Positive
    attention_dim: Positive
    dropout: Probability
    bidirectional: bool  # whether words are read backwards too
    anchors: Annotated[tuple[Positive, ...], Field(min_length=1)]
    positive_iou: Share
    negative_iou: Share
    weighed_iou: tuple[Share, Share]
    most_weight: Annotated[float, Field(ge=1)] | None
    weight_decay: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _band(self) -> "TGNConfig":
        for above, below in ((self.positive_iou, self.negative_iou), self.weighed_iou):
            if below > above:
                raise ValueError(f"anchors would be positive at {above} and negative at {below}")
        return self


@final
class TGN(GroundingModel):
    """One pass over the video; at each clip, a score for every anchor that ends with it."""

    Config = TGNConfig
    anchors: Float[Tensor, "clips anchors 2"]
    inside: Int[Tensor, " proposals"]
    positive_weight: Float[Tensor, " anchors"]

    def __init__(self, config: TGNConfig) -> None:
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
        self.grounder = dense(nn.Linear(hidden, len(config.anchors)))
        self.dropout = nn.Dropout(config.dropout)
        anchors = ending_anchors(config.num_clips, config.anchors)
        self.register_buffer("anchors", anchors, persistent=False)
        inside = anchors_inside(config.num_clips, config.anchors)
        self.register_buffer("inside", torch.tensor(inside), persistent=False)
        self.register_buffer("positive_weight", torch.ones(len(config.anchors)))

    def before_training(self, targets: Float[Tensor, "queries 2"]) -> None:
        """Weigh an anchor's positives by how rare they are among the training queries."""
        above, below = self.config.weighed_iou
        clips, most = targets * self.config.num_clips, self.config.most_weight
        self.positive_weight = positive_weights(
            self.anchors, clips, above=above, below=below, most=most
        )

    def forward(self, batch: Batch) -> Moments:
        """Rank all anchors that begin within the video."""
        logits = self._logits(batch)
        anchors, mask = self.anchors.flatten(0, 1)[self.inside], batch.video_mask
        spans = (anchors / mask.sum(1)[:, None, None]).clamp(max=1)
        real = mask[..., None].expand_as(logits)
        return rank(spans, logits.flatten(1)[:, self.inside], real.flatten(1)[:, self.inside])

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Weighted cross-entropy, summed over anchors, mean over clips; and the weights' norm."""
        logits, mask = self._logits(batch), batch.video_mask
        target = batch.target * mask.sum(1, keepdim=True)
        positive, negative = self._labels(target)
        terms = cross_entropy(logits, positive, negative, self.positive_weight)
        return {
            "anchors": (terms.sum(-1) * mask).sum() / mask.sum(),
            "penalty": self.config.weight_decay * half_square(self),
        }

    def _logits(self, batch: Batch) -> Anchors:
        words = self.query_encoder(batch.query, batch.query_mask)
        clips = self.video_encoder(self.dropout(batch.video * batch.video_mask[..., None]))[0]
        return self.grounder(self.interactor(words, batch.query_mask, clips))

    def _labels(
        self, target: Float[Tensor, "batch 2"]
    ) -> tuple[Bool[Tensor, "batch clips anchors"], Bool[Tensor, "batch clips anchors"]]:
        """Which anchors are positive and which negative; `target` in clips."""
        return labels(
            self.anchors, target, above=self.config.positive_iou, below=self.config.negative_iou
        )
