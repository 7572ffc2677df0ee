"""Read the video as a text is read for the answer to a question: where does the span start and end?

Paper       H. Zhang, A. Sun, W. Jing, J. T. Zhou. "Span-based Localizing Network for Natural
            Language Video Localization". ACL 2020.
Reference   26hzhang/VSLNet, commit 3793c62: its PyTorch port, with the recurrent span head
Deviations  Words have no characters and no vector of their own for what is unknown: every word has
            a frozen vector here. Padding is zeroed before each convolution, or a query would depend
            on what it is batched with. The highlight's cross entropy is taken of logits; the
            reference takes it of probabilities and cuts their logarithms at -100. Five answers are
            an extension: the reference gives the best cell of the joint matrix alone. Weights are
            chosen on validation, by the reference on test. Tables of positions are as long as the
            videos of this benchmark.
            Paper and code differ: the code takes 5 times the highlight loss and the whole sum of
            the two cross entropies (the paper their plain sum and half of the sum). The port's
            positions start from N(0, 1), eleven times wider than those of the original, which made
            the paper's numbers; `initial_positions` has both.

Notation    V, Q   clips, words   batch steps dim       encoded by the same layers
            S      similarity     batch clips words
            s, e   logits         batch clips           of the moment's first and last clip
"""

from typing import Annotated, Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.context_query import ContextQueryAttention, SharedEncoder
from mgsl.models.parts.layers import Dropout, masked_softmax
from mgsl.records import Batch, Moments

Clips = Float[Tensor, "batch clips dim"]
ClipMask = Bool[Tensor, "batch clips"]
PerClip = Float[Tensor, "batch clips"]


class VSLNetConfig(Frozen):
    """Sizes of the layers, and the highlighted part of the video.

    The highlight is the moment, wider on both sides by `extension` of its length. `positions` are
    those of the longest video or query; a step behind them is where the last is. `proposals`
    answers are kept of each query.
    """

    num_clips: Positive
    video_dim: Positive
    word_dim: Positive
    hidden_dim: Positive
    heads: Positive
    positions: Positive
    dropout: Probability
    initial_positions: Literal["normal", "glorot"]
    extension: Annotated[float, Field(ge=0)]
    highlight_weight: Annotated[float, Field(ge=0)]
    proposals: Positive

    @model_validator(mode="after")
    def _possible(self) -> "VSLNetConfig":
        if self.hidden_dim % self.heads:
            raise ValueError(f"hidden_dim={self.hidden_dim} is no multiple of heads={self.heads}")
        if self.positions < self.num_clips:
            raise ValueError(f"positions={self.positions} are fewer than clips, {self.num_clips}")
        return self


class SpanPrediction(NamedTuple):
    """What is said of each clip, before sigmoid and softmax; padded clips have the least number."""

    highlight: PerClip
    start: PerClip
    end: PerClip


@final
class VSLNet(GroundingModel):
    """Encode clips and words alike, let them attend to each other, classify first and last clip."""

    Config = VSLNetConfig
    cells: Int[Tensor, "2 cells"]

    def __init__(self, config: VSLNetConfig) -> None:
        super().__init__()
        self.config, dim = config, config.hidden_dim
        self.video = nn.Linear(config.video_dim, dim)
        self.query = nn.Linear(config.word_dim, dim)
        self.dropout = Dropout(config.dropout)
        self.encoder = SharedEncoder(
            dim=dim, heads=config.heads, positions=config.positions, dropout=config.dropout
        )
        self.attention = ContextQueryAttention(dim=dim, dropout=config.dropout)
        self.pool = nn.Linear(dim, 1, bias=False)
        self.concatenation = nn.Linear(2 * dim, dim)
        self.highlight = nn.Linear(dim, 1)
        self.span = ConditionedSpanHead(dim)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv1d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        for part in self.encoder.qkv.weight.chunk(3):
            nn.init.xavier_uniform_(part)
        if config.initial_positions == "glorot":
            nn.init.xavier_uniform_(self.encoder.positions.weight)
        cells = torch.triu_indices(config.num_clips, config.num_clips)
        self.register_buffer("cells", cells, persistent=False)

    def forward(self, batch: Batch) -> Moments:
        """Rank the spans from any clip to a later one, or itself, by the product of both ends."""
        predicted = self._predict(batch)
        first, last = self.cells
        logits = predicted.start.log_softmax(1)[:, first] + predicted.end.log_softmax(1)[:, last]
        best, cell = logits.topk(min(self.config.proposals, len(first)), dim=1)
        spans = torch.stack([first[cell], last[cell] + 1], dim=-1)
        count = batch.video_mask.sum(1)[:, None, None]
        return Moments((spans / count).clamp(max=1), best.exp())

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross entropies of first and last clip; of the highlight, positives counting double."""
        predicted, mask = self._predict(batch), batch.video_mask
        cells = best_cell(batch.target, mask.sum(1))
        label = highlighted(cells, mask, self.config.extension)
        cost = F.binary_cross_entropy_with_logits(
            predicted.highlight, label.float(), (1.0 + label) * mask, reduction="sum"
        )
        return {
            "span": F.cross_entropy(predicted.start, cells[:, 0])
            + F.cross_entropy(predicted.end, cells[:, 1]),
            "highlight": self.config.highlight_weight * cost / mask.sum(),
        }

    def _predict(self, batch: Batch) -> SpanPrediction:
        mask = batch.video_mask
        clips = self.encoder(self.video(self.dropout(batch.video)), mask)
        words = self.encoder(self.query(self.dropout(batch.query)), batch.query_mask)
        attended = self.attention(clips, words, mask, batch.query_mask)
        weights = masked_softmax(self.pool(words).mT, batch.query_mask[:, None])
        of_clips, of_query = self.concatenation.weight.chunk(2, dim=1)
        pooled = F.linear((weights @ words), of_query, self.concatenation.bias)
        clips = attended @ of_clips.T + pooled
        highlight = self.highlight(clips)
        gated = highlight.sigmoid() * mask[..., None] * clips
        start, end = self.span(gated)
        least = torch.finfo(torch.float32).min
        said = (x.squeeze(-1).float().masked_fill(~mask, least) for x in (highlight, start, end))
        return SpanPrediction(*said)


def best_cell(
    target: Float[Tensor, "batch 2"], count: Int[Tensor, " batch"]
) -> Int[Tensor, "batch 2"]:
    """First and last clip, both inclusive, of the run of clips that overlaps the target best.

    An end of the best run is the grid's line before or behind that of the target.

    Args:
        target: as fractions of the duration.
        count: how many clips a video has.
    """
    edges = (target.double() * count[:, None]).clamp(min=0)
    edges = torch.minimum(edges, count[:, None].double())
    starts = edges[:, :1].floor() + edges.new_tensor([0, 0, 1, 1])
    ends = edges[:, 1:].ceil() - edges.new_tensor([1, 0, 1, 0])
    common = torch.minimum(ends, edges[:, 1:]) - torch.maximum(starts, edges[:, :1])
    union = torch.maximum(ends, edges[:, 1:]) - torch.minimum(starts, edges[:, :1])
    tiou = (common / union).masked_fill(ends <= starts, -1)
    best = tiou.argmax(1, keepdim=True)  # the first of equals, row by row of the matrix
    return torch.cat([starts.gather(1, best), ends.gather(1, best) - 1], dim=1).long()


def highlighted(cells: Int[Tensor, "batch 2"], mask: ClipMask, extension: float) -> ClipMask:
    """The clips from the first to the last of each row, and some on both sides of them."""
    first, last = cells[:, :1], cells[:, 1:]
    extra = ((last - first + 1).double() * extension).round().long()  # half to even
    clips = torch.arange(mask.shape[1], device=mask.device)
    return (clips >= first - extra) & (clips <= last + extra) & mask


class ConditionedSpanHead(nn.Module):
    """One LSTM for the first clip; for the last, another that reads what the first has made."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.start_states = nn.LSTM(dim, dim, batch_first=True)
        self.end_states = nn.LSTM(dim, dim, batch_first=True)
        self.start, self.end = (
            nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, 1)) for _ in range(2)
        )

    def forward(
        self, clips: Clips
    ) -> tuple[Float[Tensor, "batch clips 1"], Float[Tensor, "batch clips 1"]]:
        """Logits of both ends. Padding comes last, so the LSTMs need no mask."""
        starts = self.start_states(clips)[0]
        ends = self.end_states(starts)[0]
        start, end = (torch.cat([states, clips], dim=-1) for states in (starts, ends))
        return self.start(start), self.end(end)
