"""Which clips are the first and the last of a moment: VSLNet, and the first stage of BPNet.

The network, the labels of clips, their losses, and the spans whose ends are likeliest.
"""

from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability
from mgsl.models.parts.context_query import ContextQueryModel, Encoded
from mgsl.models.parts.layers import masked_softmax
from mgsl.records import Batch

Steps = Float[Tensor, "batch steps dim"]
Clips = Float[Tensor, "batch clips dim"]
Words = Float[Tensor, "batch words dim"]
ClipMask = Bool[Tensor, "batch clips"]
WordMask = Bool[Tensor, "batch words"]
PerClip = Float[Tensor, "batch clips"]
Ends = Int[Tensor, "batch 2"]  # first and last clip, both inclusive


class SpanConfig(Frozen):
    """Sizes of the layers, and the highlighted part of the video.

    The highlight is the moment, wider on both sides by `extension` of its length. `positions` are
    those of the longest video or query; a step behind them is where the last is.
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

    @model_validator(mode="after")
    def _possible(self) -> "SpanConfig":
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


class SpanPredictor(ContextQueryModel):
    """Encode clips and words alike, let them attend to each other, classify first and last clip."""

    config: SpanConfig
    cells: Int[Tensor, "2 cells"]

    def __init__(self, config: SpanConfig) -> None:
        dim = config.hidden_dim
        super().__init__(
            video_dim=config.video_dim,
            word_dim=config.word_dim,
            dim=dim,
            heads=config.heads,
            positions=config.positions,
            dropout=config.dropout,
        )
        self.config = config
        self.pool = nn.Linear(dim, 1, bias=False)
        self.concatenation = nn.Linear(2 * dim, dim)
        self.highlight = nn.Linear(dim, 1)
        self.span = ConditionedSpanHead(dim)
        start_uniform(self)
        for part in self.encoder.qkv.weight.chunk(3):
            nn.init.xavier_uniform_(part)
        if config.initial_positions == "glorot":
            nn.init.xavier_uniform_(self.encoder.positions.weight)
        cells = torch.triu_indices(config.num_clips, config.num_clips)
        self.register_buffer("cells", cells, persistent=False)

    def locate(self, encoded: Encoded, batch: Batch) -> SpanPrediction:
        """Highlight the clips in the light of the whole query, then look for both ends."""
        mask = batch.video_mask
        of_query = summary(encoded.words, self.pool, batch.query_mask)
        clips = beside(encoded.clips, of_query, self.concatenation)
        highlight = self.highlight(clips)
        gated = highlight.sigmoid() * mask[..., None] * clips
        start, end = self.span(gated)
        least = torch.finfo(torch.float32).min
        said = (x.squeeze(-1).float().masked_fill(~mask, least) for x in (highlight, start, end))
        return SpanPrediction(*said)

    def likeliest(
        self, predicted: SpanPrediction, number: int
    ) -> tuple[Int[Tensor, "batch spans 2"], Float[Tensor, "batch spans"]]:
        """The best spans from any clip to a later one, or itself, by the product of both ends.

        Args:
            predicted: of each clip.
            number: of spans; all there are, where they are fewer.

        Returns:
            First clip and the clip behind the last, and the logarithm of the product; where a video
            has fewer spans, the last ones reach into its padding and have the probability 0.
        """
        first, last = self.cells
        logits = predicted.start.log_softmax(1)[:, first] + predicted.end.log_softmax(1)[:, last]
        best, cell = logits.topk(min(number, len(first)), dim=1)
        return torch.stack([first[cell], last[cell] + 1], dim=-1), best

    def span_losses(
        self, predicted: SpanPrediction, truth: Ends, mask: ClipMask
    ) -> dict[str, Float[Tensor, ""]]:
        """Cross entropies of first and last clip; of the highlight, positives counting double."""
        label = highlighted(truth, mask, self.config.extension)
        cost = F.binary_cross_entropy_with_logits(
            predicted.highlight, label.float(), (1.0 + label) * mask, reduction="sum"
        )
        return {
            "span": F.cross_entropy(predicted.start, truth[:, 0])
            + F.cross_entropy(predicted.end, truth[:, 1]),
            "highlight": self.config.highlight_weight * cost / mask.sum(),
        }


def start_uniform(network: nn.Module) -> None:
    """Draw the weights of linear layers and convolutions as Glorot does; no bias."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def summary(words: Words, score: nn.Linear, mask: WordMask) -> Float[Tensor, "batch 1 dim"]:
    """The query as a mean of its words, weighted by a softmax of their scores."""
    return masked_softmax(score(words).mT, mask[:, None]) @ words


def beside(
    steps: Steps, of_query: Float[Tensor, "batch 1 dim"], layer: nn.Linear
) -> Float[Tensor, "batch steps dim"]:
    """W [step; query] + b, the query's part computed once for all steps."""
    of_steps, of_one = layer.weight.chunk(2, dim=1)
    return steps @ of_steps.T + F.linear(of_query, of_one, layer.bias)


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
