"""Let VSLNet propose the likeliest spans, then rate how well each of them matches the query.

Paper       S. Xiao, L. Chen, S. Zhang, W. Ji, J. Shao, L. Ye, J. Xiao. "Boundary Proposal Network
            for Two-Stage Natural Language Video Localization". AAAI 2021.
Reference   none was released. Read instead: xiaoneil/LPNet, commit 306e232, a later method of the
            same first author, which holds unused routines for two stages
Deviations  From the paper: a first stage without anchors that classifies clips, any such model; a
            second that fuses each candidate with the query, and rates the match. That its first
            stage is VSLNet is remembered, and LPNet is a fork of it. From LPNet's routines, which
            may be those of BPNet: 16 candidates, the likeliest spans, without NMS; a linear layer
            and the mean over the span; a hidden layer and a sigmoid; squared error to the overlap,
            with the weight 100 that its live head has. Ours: the formula of the fusion, which is
            how VSLNet puts the query beside its clips; the clips that are pooled, as they have
            attended to the words; a first tenth of the epochs without the second stage; answers
            behind the candidates, for five of them. The paper's numbers for all of these are
            unknown. LPNet's routine adds the bias of the linear layer for clips outside the span
            too, and measures overlap without the last clip, which leaves 0 / 0 for equal spans of
            one clip: neither is done here. The choices of its block in params.yaml are its open
            points. What VSLNet deviates in, this does.

Notation    V      clips       batch clips dim     which have attended to the words
            u      candidates  batch spans dim     mean of W v + b over the clips of a span
            h      query       batch 1 dim         mean of the words, by weights of their own
            f      fused       batch spans dim     W_f [u; h] + b
            s      rating      batch spans         σ(w·relu(W_1 f + b_1) + b_2), in (0, 1)
            Π      joint       batch spans         probability of both ends
A query holds, beyond what VSLNet does, `proposals` · (clips + 4 dim) numbers: at 200 clips, 100
proposals and 128 dimensions 0.28 MB; while training, `candidates` in place of `proposals`.
"""

from typing import Annotated, Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Positive, Probability, Share
from mgsl.models.parts.context_query import Encoded
from mgsl.models.parts.span_prediction import (
    Clips,
    SpanConfig,
    SpanPrediction,
    SpanPredictor,
    beside,
    best_cell,
    start_uniform,
    summary,
)
from mgsl.models.parts.windows import shared
from mgsl.records import Batch, Moments

Spans = Int[Tensor, "batch spans 2"]  # first clip, and the clip behind the last
PerSpan = Float[Tensor, "batch spans"]


class BPNetConfig(SpanConfig):
    """Those of the first stage; which of its spans are candidates, and how these are rated.

    `candidates` spans compete for the first answer, and the match is learned from them; the others
    of `proposals` follow behind. `warmup` is the share of the epochs before the second stage.
    """

    rating_dim: Positive
    proposals: Positive
    candidates: Positive
    candidate_nms: Share | None
    with_truth: bool
    fusion: Literal["concat", "hadamard"]
    match_weight: Annotated[float, Field(gt=0)]
    warmup: Probability
    joint_power: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _enough(self) -> "BPNetConfig":
        if self.candidates > self.proposals:
            raise ValueError(f"candidates={self.candidates} of proposals={self.proposals}")
        return self


@final
class BPNet(SpanPredictor):
    """Propose spans by their ends, rate them by what is in them and what is asked."""

    Config = BPNetConfig
    config: BPNetConfig
    trust: Float[Tensor, ""]  # in the ratings: 1 once they are learned, 0 before

    def __init__(self, config: BPNetConfig) -> None:
        super().__init__(config)
        self.rating = MatchRating(
            dim=config.hidden_dim, hidden_dim=config.rating_dim, fusion=config.fusion
        )
        self.register_buffer("trust", torch.zeros(()))
        self.enter(0)

    def stage(self, progress: float) -> int:
        """The second begins after the warm-up; without one, both are trained as the first."""
        return int(progress >= self.config.warmup > 0)

    def enter(self, stage: int) -> float:
        """Train the first stage alone, then both."""
        self.rates = stage == 1 or self.config.warmup == 0
        self.trust.fill_(float(self.rates))
        self.rating.requires_grad_(self.rates)
        return 1.0

    def forward(self, batch: Batch) -> Moments:
        """Rank the candidates by their ratings; by the first stage alone before there are any.

        Proposals that are no candidates have their rating times the least of the candidates.
        """
        encoded = self.encode(batch)
        spans, joint = self._propose(self.locate(encoded, batch), batch, self.config.proposals)
        scores = self.rating(encoded, batch, spans).sigmoid() * joint**self.config.joint_power
        ahead, behind = scores[:, : self.config.candidates], scores[:, self.config.candidates :]
        scores = torch.cat([ahead, behind * ahead.amin(1, keepdim=True)], dim=1)
        scores = torch.where(self.trust > 0, scores, joint)
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        count = batch.video_mask.sum(1)[:, None, None]
        return Moments((spans / count).gather(1, order[..., None].expand_as(spans)), scores)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Of both ends and of the highlight; in the second stage also of the match."""
        encoded, mask = self.encode(batch), batch.video_mask
        predicted = self.locate(encoded, batch)
        truth = best_cell(batch.target, mask.sum(1))
        terms = self.span_losses(predicted, truth, mask)
        if self.rates:
            truth = (truth + truth.new_tensor([0, 1]))[:, None]
            with torch.no_grad():
                spans = self._candidates(predicted, batch, truth)
                overlap, _ = shared(spans.float(), truth.float())
            rating = self.rating(encoded, batch, spans).sigmoid()
            terms["match"] = self.config.match_weight * F.mse_loss(rating, overlap)
        return terms

    def _propose(
        self, predicted: SpanPrediction, batch: Batch, number: int
    ) -> tuple[Spans, PerSpan]:
        """Spans inside the video, candidates first, and Π; they repeat where there are too few."""
        config, count = self.config, batch.video_mask.sum(1)[:, None]
        spans, logits = self.likeliest(predicted, number)
        spans = torch.minimum(spans, torch.stack([count - 1, count], dim=-1))
        if config.candidate_nms is not None:
            alive = apart(spans, config.candidate_nms)
            order = alive.float().sort(dim=1, descending=True, stable=True).indices
            spans = spans.gather(1, order[..., None].expand_as(spans))
            logits = logits.gather(1, order)
        return spans, logits.exp()

    def _candidates(
        self, predicted: SpanPrediction, batch: Batch, truth: Int[Tensor, "batch 1 2"]
    ) -> Spans:
        """What the rating learns from."""
        config = self.config
        number = config.candidates if config.candidate_nms is None else config.proposals
        spans = self._propose(predicted, batch, number)[0][:, : config.candidates]
        if not config.with_truth:
            return spans
        return torch.cat([spans, around(truth, batch.video_mask.sum(1))], dim=1)


def around(
    truth: Int[Tensor, "batch 1 2"], count: Int[Tensor, " batch"]
) -> Int[Tensor, "batch 9 2"]:
    """The target, and all that its ends make if they move by a clip; inside, a clip at least."""
    steps = torch.arange(-1, 2, device=truth.device)
    spans = truth + torch.cartesian_prod(steps, steps)
    start = torch.minimum(spans[..., 0].clamp(min=0), count[:, None] - 1)
    end = torch.minimum(torch.maximum(spans[..., 1], start + 1), count[:, None])
    return torch.stack([start, end], dim=-1)


def apart(spans: Spans, threshold: float) -> Bool[Tensor, "batch spans"]:
    """The spans that greedy NMS leaves, where they come best first: each depends on the last."""
    tiou, _ = shared(spans[:, :, None].float(), spans[:, None].float())
    close = (tiou > threshold).triu(1)
    alive = torch.ones_like(close[:, 0])
    for rank in range(spans.shape[1]):
        alive = alive & ~(close[:, rank] & alive[:, rank, None])
    return alive


class MatchRating(nn.Module):
    """How well the clips of a span match the query, before the sigmoid."""

    def __init__(self, *, dim: int, hidden_dim: int, fusion: str) -> None:
        super().__init__()
        self.concat = fusion == "concat"
        self.span = nn.Linear(dim, dim)
        self.pool = nn.Linear(dim, 1, bias=False)
        self.fusion = nn.Linear(2 * dim if self.concat else dim, dim)
        self.match = nn.Sequential(nn.Linear(dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 1))
        start_uniform(self)

    def forward(self, encoded: Encoded, batch: Batch, spans: Spans) -> PerSpan:
        """Rate each span alone; the linear layer of the mean is the mean of the linear layer."""
        candidates = self.span(means(encoded.clips, spans))
        query = summary(encoded.words, self.pool, batch.query_mask)
        if self.concat:
            fused = beside(candidates, query, self.fusion)
        else:
            fused = self.fusion(F.normalize(candidates * query, dim=-1))
        return self.match(fused).squeeze(-1).float()


def means(clips: Clips, spans: Spans) -> Float[Tensor, "batch spans dim"]:
    """The mean clip of each span: one product, whose gradient is another."""
    start, end = spans[..., :1], spans[..., 1:]
    places = torch.arange(clips.shape[1], device=clips.device)
    inside = (places >= start) & (places < end)
    return (inside / (end - start)).to(clips.dtype) @ clips
