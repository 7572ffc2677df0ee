"""Read the video once, the words at every clip anew; score anchors of many lengths ending there.

Paper       J. Chen, X. Chen, L. Ma, Z. Jie, T.-S. Chua. "Temporally Grounding Natural Sentence in
            Video". EMNLP 2018: "TGN".
Reference   JaywongWang/TGN, the implementation that the field uses; not by the paper's authors, and
            none of theirs was released
Deviations  Numbers of anchors and thresholds are the code's; the paper's are not known. Padded
            words take no share of the attention (the code gives them some). The attention's
            constant is left out, since a softmax does not see it. Anchors in the band between the
            thresholds are ignored everywhere (the code counts those far from the target as
            negative). The label frequencies behind the positive weights are those of our training
            queries.
            By the harness: anchors end with a clip and span the whole video's range of lengths,
            since videos are stretched to a fixed number of clips; training takes videos whole (the
            code crops them at random); words are cut at 20. The learning rate is constant and the
            epoch is chosen on validation (the code lowers the rate on a plateau of a split that
            is also its test). LSTMs have the two biases that the framework gives them.

Notation    h^s   words     batch words query_dim   encoded words
            h^v   clips     batch clips hidden      encoded clips
            h^r   state     batch hidden            the interactor's, clip after clip
            α     weights   batch words             attention of one clip to the words
"""

from typing import Annotated, TypeVar, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.layers import permute_steps, reversal
from mgsl.models.parts.windows import rank, shared
from mgsl.params import Frozen, Positive, Probability, Share
from mgsl.records import Batch, Moments

Words = Float[Tensor, "batch words query_dim"]
Clips = Float[Tensor, "batch clips dim"]
WordMask = Bool[Tensor, "batch words"]
Recurrent = TypeVar("Recurrent", nn.LSTM, nn.LSTMCell)
Anchors = Float[Tensor, "batch clips anchors"]

COUNTED = 256  # queries whose labels are counted at a time


class TGNConfig(Frozen):
    """Sizes, the anchors' lengths in clips, and what makes an anchor positive or negative."""

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
    most_weight: Annotated[float, Field(ge=1)]
    weight_decay: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _band(self) -> "TGNConfig":
        if self.negative_iou > self.positive_iou:
            raise ValueError(
                f"negative_iou={self.negative_iou} is above positive_iou={self.positive_iou}"
            )
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
        ends = torch.arange(1, config.num_clips + 1)[:, None]
        starts = ends - torch.tensor(config.anchors)
        anchors = torch.stack([starts, ends.expand_as(starts)], dim=-1)
        self.register_buffer("anchors", anchors.float(), persistent=False)
        lengths = enumerate(config.anchors * config.num_clips)  # of all anchors, clip by clip
        inside = [n for n, length in lengths if length <= n // len(config.anchors) + 1]
        self.register_buffer("inside", torch.tensor(inside), persistent=False)
        self.register_buffer("positive_weight", torch.ones(len(config.anchors)))

    def before_training(self, targets: Float[Tensor, "queries 2"]) -> None:
        """Weigh an anchor's positives by how rare they are among the training queries."""
        counts = torch.zeros(2, len(self.config.anchors), device=targets.device)
        for part in (targets * self.config.num_clips).split(COUNTED):
            counts += torch.stack([sign.sum((0, 1)) for sign in self._labels(part)])
        weight = counts[1] / counts[0].clamp(min=1)
        self.positive_weight = weight.clamp(max=self.config.most_weight)

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
        terms = self.positive_weight * positive * F.softplus(-logits)
        terms = terms + negative * F.softplus(logits)
        norm = torch.stack([parameter.square().sum() for parameter in self.parameters()]).sum()
        return {
            "anchors": (terms.sum(-1) * mask).sum() / mask.sum(),
            "penalty": self.config.weight_decay / 2 * norm,
        }

    def _logits(self, batch: Batch) -> Anchors:
        words = self.query_encoder(batch.query, batch.query_mask)
        clips = self.video_encoder(self.dropout(batch.video * batch.video_mask[..., None]))[0]
        return self.grounder(self.interactor(words, batch.query_mask, clips))

    def _labels(
        self, target: Float[Tensor, "batch 2"]
    ) -> tuple[Bool[Tensor, "batch clips anchors"], Bool[Tensor, "batch clips anchors"]]:
        """Which anchors are positive and which negative; `target` in clips."""
        tiou, _ = shared(self.anchors, target[:, None, None])
        return tiou > self.config.positive_iou, tiou < self.config.negative_iou


class QueryEncoder(nn.Module):
    """An LSTM over the words, and one backwards where it is asked for; padding comes out as zeros.

    Dropout, as the code has it, of the forward direction's input and output.
    """

    def __init__(
        self, word_dim: int, *, hidden_dim: int, dropout: float, bidirectional: bool
    ) -> None:
        super().__init__()
        self.forwards = recurrent(nn.LSTM(word_dim, hidden_dim, batch_first=True))
        self.backwards = (
            recurrent(nn.LSTM(word_dim, hidden_dim, batch_first=True)) if bidirectional else None
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: Float[Tensor, "batch words word_dim"], mask: WordMask) -> Words:
        """Encode each word in the light of those before it, or of all."""
        encoded = self.dropout(self.forwards(self.dropout(words))[0])
        if self.backwards is not None:
            order = reversal(mask)
            backwards = self.backwards(permute_steps(words, order))[0]
            encoded = torch.cat([encoded, permute_steps(backwards, order)], dim=-1)
        return encoded * mask[..., None]


class Interactor(nn.Module):
    """An LSTM over the clips that looks at the words before every step.

    β_i = w·tanh(W_S h^s_i + W_V h^v_t + W_R h^r_{t-1} + b),  α = softmax β,  H_t = Σ_i α_i h^s_i
    h^r_t = LSTM([h^v_t ‖ H_t], h^r_{t-1})

    What does not depend on the state is computed for all steps at once. Dropout is of the LSTM's
    input.
    """

    def __init__(
        self, *, clip_dim: int, query_dim: int, hidden_dim: int, attention_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self.from_words = dense(nn.Linear(query_dim, attention_dim))
        self.from_clips = dense(nn.Linear(clip_dim, attention_dim, bias=False))
        self.from_state = dense(nn.Linear(hidden_dim, attention_dim, bias=False))
        self.score = dense(nn.Linear(attention_dim, 1, bias=False))
        self.cell = recurrent(nn.LSTMCell(clip_dim + query_dim, hidden_dim))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, words: Words, mask: WordMask, clips: Clips
    ) -> Float[Tensor, "batch clips hidden"]:
        """The state after each clip."""
        cell, keys = self.cell, self.from_words(words)
        of_clips, of_words = cell.weight_ih.split([clips.shape[-1], words.shape[-1]], dim=1)
        gates = self.dropout(clips) @ of_clips.T + (cell.bias_ih + cell.bias_hh)
        seen = self.from_clips(clips)
        of_state = torch.cat([self.from_state.weight, cell.weight_hh]).T
        kept = self.dropout(words.new_ones(clips.shape[1], len(words), words.shape[-1]))
        absent = torch.zeros_like(mask, dtype=words.dtype).masked_fill(~mask, -torch.inf)
        state = memory = clips.new_zeros(len(clips), cell.hidden_size)
        states = []
        for gate, clip, keep in zip(gates.unbind(1), seen.unbind(1), kept.unbind(0), strict=True):
            asked, recurred = (state @ of_state).split([keys.shape[-1], gate.shape[-1]], dim=1)
            beta = self.score((keys + (clip + asked)[:, None]).tanh()).squeeze(-1)
            alpha = (beta + absent).softmax(dim=1)
            attended = (alpha[:, None] @ words).squeeze(1)
            gate = gate + recurred + (attended * keep) @ of_words.T
            enter, forget, new, leave = gate.chunk(4, dim=1)
            memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
            state = leave.sigmoid() * memory.tanh()
            states.append(state)
        return torch.stack(states, dim=1)


def recurrent(layer: Recurrent) -> Recurrent:
    """Orthogonal weights, no bias but 1 of the gate that forgets."""
    for name, parameter in layer.named_parameters():
        if name.startswith("weight"):
            nn.init.orthogonal_(parameter)
        else:
            nn.init.zeros_(parameter)
            if name.startswith("bias_ih"):
                nn.init.ones_(parameter.chunk(4)[1])
    return layer


def dense(layer: nn.Linear) -> nn.Linear:
    """Glorot's uniform weights, no bias."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
