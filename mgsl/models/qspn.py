"""Propose segments in the light of the query, then read each proposal while reading the query.

Paper       H. Xu, K. He, B. A. Plummer, L. Sigal, S. Sclaroff, K. Saenko. "Multilevel Language and
            Vision Integration for Text-to-Clip Retrieval". AAAI 2019
Reference   VisionLearningGroup/Text-to-Clip_Retrieval, commit f3c479d: Caffe, for Charades-STA
            alone, and without the query's guidance. It did not run: a transcription of its second
            stage is what ours is compared with
Deviations  The code's: anchors, their labels, both heads of the proposals and their losses; the
            second stage with its matching, captions and losses; proposals at test. The paper's
            guidance is known from descriptions alone; its form here, one layer of attention to the
            clips by the encoded query, is our reading, and `guidance` has others.
            Ours by the harness: clips have features, so there is no C3D to train along: two
            convolutions in time stand for its last map, and proposals are pooled from them
            (`pooled: input`: from the features themselves). Anchors are cut off at the ends of the
            video; the code ignores those that leave it. The guided network is asked query by query,
            so its only true segment is the query's moment; the code takes all of a video's. Lengths
            count from a start to an end, not whole frames. Proposals are pooled at once, as what
            they were before the second head moved them; that head moves the foreground alone, the
            code has unused outputs for the background. It learns from the proposals that would be
            answers, not from 2,000. Words have frozen vectors and a map that learns in place of
            learned ones, and no punctuation; the vocabulary is the dataset's. A query trains the
            matching with one segment at a time, drawn from its moment and the best proposals that
            overlap it. Those of a batch that fill no group are left out of its ranking loss.
            Stage 1 takes queries in batches, one buffer of a video a step in the code. Proposals
            start from the framework's weights. Scores pass a sigmoid, which changes no order.

Notation    x      clips     batch clips hidden        after the convolutions
            a      weights   batch clips               attention of the query to the clips
            v      features  batch proposals feature   of proposals
"""

from typing import Annotated, Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability, Share
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.convolution import convolve
from mgsl.models.parts.early_fusion import EarlyFusion, caption_loss, ranking_loss
from mgsl.models.parts.layers import Dropout
from mgsl.models.parts.query_guidance import Guidance
from mgsl.models.parts.segments import (
    Marks,
    PerSegment,
    Segments,
    anchor_labels,
    centered_anchors,
    head_losses,
    moved,
    offsets,
    sample,
    segment_maxima,
    suppress,
)
from mgsl.models.parts.windows import rank, shared
from mgsl.records import Batch, Moments

SCALES = (0.1, 0.2)  # what the second head's targets are divided by
BETAS = (1 / 9, 1.0)  # 1/σ² of the smooth L1 losses of both heads, σ = 3 and 1
Clips = Float[Tensor, "batch clips dim"]
Features = Float[Tensor, "batch segments features"]
Weight = Annotated[float, Field(ge=0)]
MATCHING, BOTH = 1, 2  # after the proposals, number 0


class QSPNConfig(Frozen):
    """Sizes, anchors in clips, what is positive, and how both stages share the training.

    The second stage begins after the share `matching_from` of the epochs; with `joint` there is
    one stage. `rates` are the factors of the learning rate. `contrasted` pairs of segment and query
    form a group, in which each is contrasted with all.
    """

    num_clips: Positive
    video_dim: Positive
    word_dim: Positive
    vocabulary: Positive
    hidden_dim: Positive
    feature_dim: Positive
    embedding_dim: Positive
    score_dim: Positive
    dropout: Probability
    anchors: Annotated[tuple[Positive, ...], Field(min_length=1)]
    guidance: Literal["residual", "reweighted", "none"]
    pooled: Literal["convolved", "input"]
    positive_iou: Share
    negative_iou: Share
    foreground_iou: Share
    sampled_anchors: Positive
    sampled_proposals: Positive
    nms_threshold: Share
    proposals: Positive
    positives: Positive
    contrasted: Annotated[int, Field(ge=2)]
    joint: bool
    matching_from: Share
    rates: tuple[Weight, Weight]
    margin: Weight
    ranking: Literal["stated", "as_run"]
    ranking_weight: Weight
    caption_weight: Weight

    @model_validator(mode="after")
    def _band(self) -> "QSPNConfig":
        if (below := self.negative_iou) > (above := self.positive_iou):
            raise ValueError(f"anchors would be positive at {above} and negative at {below}")
        return self


class Proposed(NamedTuple):
    """Anchors, and what both heads say; logits are of background and foreground."""

    anchors: Segments
    anchors_real: Marks
    anchor_logits: Float[Tensor, "batch anchors 2"]
    anchor_offsets: Segments
    segments: Segments  # proposals, before the second head moves them
    real: Marks
    confidence: PerSegment  # of proposals, as anchors


@final
class QSPN(GroundingModel):
    """Guided proposals, ranked by an LSTM that reads words and proposal together."""

    Config = QSPNConfig
    matched: Bool[Tensor, ""]  # whether the second stage ranks

    def __init__(self, config: QSPNConfig) -> None:
        super().__init__()
        self.config = config
        hidden, inputs = config.hidden_dim, config.video_dim
        self.stem = nn.ModuleList([nn.Conv1d(inputs, hidden, 3), nn.Conv1d(hidden, hidden, 3)])
        guided = config.guidance != "none"
        self.guidance = Guidance(hidden, config.word_dim) if guided else None
        self.anchor_head = nn.Linear(hidden, 4 * len(config.anchors))
        pooled_dim = hidden if config.pooled == "convolved" else inputs
        self.features = nn.Linear(pooled_dim, config.feature_dim)
        self.proposal_head = nn.Linear(config.feature_dim, 4)
        self.dropout = Dropout(config.dropout)
        self.matching = EarlyFusion(
            word_dim=config.word_dim,
            clip_dim=config.feature_dim,
            embedding_dim=config.embedding_dim,
            hidden_dim=hidden,
            score_dim=config.score_dim,
            vocabulary=config.vocabulary,
            dropout=config.dropout,
        )
        self.register_buffer("matched", torch.tensor(False))
        self.register_load_state_dict_post_hook(lambda *_: self._remember())  # type: ignore[no-untyped-call]
        self.enter(0)

    def stage(self, progress: float) -> int:
        """0: proposals; 1: matching."""
        return int(not self.config.joint and progress >= self.config.matching_from)

    def enter(self, stage: int) -> float:
        """Train the proposals, then the matching alone; or both at once."""
        self.step = BOTH if self.config.joint else stage
        self.matched.fill_(self.step > 0)
        self.requires_grad_(self.step != MATCHING)
        self.matching.requires_grad_(self.step > 0)
        return self.config.rates[stage]

    def _remember(self) -> None:
        """Rank as the weights that were loaded are to rank."""
        self.step = BOTH if self.matched else 0

    def forward(self, batch: Batch) -> Moments:
        """Rank the proposals by how they match; by their confidence before that is trained."""
        clips = self._clips(batch)
        proposed = self._propose(batch, clips)
        features = self._features(batch, clips, proposed.segments)
        _, by = self.proposal_head(features).split(2, dim=-1)
        count = batch.video_mask.sum(1)
        spans = self._refined(proposed.segments, by, count) / count[:, None, None]
        scores = proposed.confidence
        if self.step > 0:
            scores = self.matching.scores(features, batch.query, batch.query_mask)
        return rank(spans, scores, proposed.real)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Those of the stage that training is in."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.step != MATCHING):
            clips = self._clips(batch)
            proposed = self._propose(batch, clips)
            target = batch.target * batch.video_mask.sum(1, keepdim=True)
            segments = torch.cat([proposed.segments, target[:, None]], dim=1)
            real = F.pad(proposed.real, (0, 1), value=True)
            features = self._features(batch, clips, segments)
            outputs = self.proposal_head(features)
        terms: dict[str, Float[Tensor, ""]] = {}
        if self.step != MATCHING:
            terms |= self._proposal_losses(proposed, segments, real, outputs, target)
        if self.step > 0:
            terms |= self._matching_losses(batch, segments, real, features, outputs, target)
        return terms

    def _clips(self, batch: Batch) -> Clips:
        """Two convolutions; padding is zero before each."""
        x, real = batch.video, batch.video_mask[..., None]
        for layer in self.stem:
            x = convolve([layer], x, real)[0].relu()
        return x

    def _propose(self, batch: Batch, clips: Clips) -> Proposed:
        mask, kinds = batch.video_mask, len(self.config.anchors)
        if self.guidance is not None:
            a = self.guidance(clips, mask, batch.query, batch.query_mask)
            clips = clips * (a + 1 if self.config.guidance == "residual" else a)
        said = self.anchor_head(clips).unflatten(-1, (kinds, 4)).flatten(1, 2).float()
        logits, by = said.split(2, dim=-1)
        count = mask.sum(1)
        anchors = centered_anchors(mask.shape[1], self.config.anchors).to(mask.device)
        anchors = torch.minimum(anchors.clamp(min=0), count[:, None, None])
        real = mask.repeat_interleave(kinds, dim=1)
        anchors = torch.where(real[..., None], anchors, anchors.new_tensor([0.0, 1.0]))
        with torch.no_grad():
            segments = moved(anchors, by, count)
            confidence = logits[..., 1] - logits[..., 0]
            keep = min(self.config.proposals, anchors.shape[1])
            columns, alive = suppress(
                segments, confidence, real, threshold=self.config.nms_threshold, keep=keep
            )
        segments = segments.gather(1, columns[..., None].expand(-1, -1, 2))
        return Proposed(anchors, real, logits, by, segments, alive, confidence.gather(1, columns))

    def _features(self, batch: Batch, clips: Clips, segments: Segments) -> Features:
        """v of each segment; dropout is for the stage that trains it."""
        source = clips if self.config.pooled == "convolved" else batch.video
        features = self.features(segment_maxima(source, segments)).relu()
        return features if self.step == MATCHING else self.dropout(features)

    def _refined(self, segments: Segments, by: Segments, count: Int[Tensor, " batch"]) -> Segments:
        return moved(segments, by.float() * by.new_tensor(SCALES).float(), count)

    def _proposal_losses(
        self,
        proposed: Proposed,
        segments: Segments,
        real: Marks,
        outputs: Float[Tensor, "batch segments outputs"],
        target: Float[Tensor, "batch 2"],
    ) -> dict[str, Float[Tensor, ""]]:
        """Class and offsets of both heads."""
        config, aim = self.config, target[:, None]
        tiou, _ = shared(proposed.anchors, aim)
        tiou = tiou.masked_fill(~proposed.anchors_real, -1)
        positive, negative = anchor_labels(tiou, config.positive_iou, config.negative_iou)
        drawn = sample(positive, negative, config.sampled_anchors)
        to = offsets(proposed.anchors, aim)
        logits, by = proposed.anchor_logits, proposed.anchor_offsets
        anchors = head_losses(logits, by, to, drawn, beta=BETAS[0])
        tiou, _ = shared(segments, aim)
        foreground = (tiou >= config.foreground_iou) & real
        drawn = sample(foreground, real & ~foreground, config.sampled_proposals)
        to = offsets(segments, aim) / target.new_tensor(SCALES)
        logits, by = outputs.float().split(2, dim=-1)
        proposals = head_losses(logits, by, to, drawn, beta=BETAS[1])
        names = ("anchors", "anchor_offsets", "proposals", "proposal_offsets")
        return dict(zip(names, anchors + proposals, strict=True))

    def _matching_losses(
        self,
        batch: Batch,
        segments: Segments,
        real: Marks,
        features: Features,
        outputs: Float[Tensor, "batch segments outputs"],
        target: Float[Tensor, "batch 2"],
    ) -> dict[str, Float[Tensor, ""]]:
        """Ranking within groups of pairs, and the captions of the pairs."""
        config = self.config
        with torch.no_grad():
            by = F.pad(outputs[:, :-1, 2:], (0, 0, 0, 1))  # the moment stays as it is
            spans = self._refined(segments, by, batch.video_mask.sum(1))
            tiou, _ = shared(spans, target[:, None])
            good = (tiou >= config.positive_iou) & real
            good[:, config.positives : -1] = False
            good[:, -1] = True
            drawn = torch.rand_like(tiou).masked_fill(~good, -1).argmax(1)
        drawn = features[torch.arange(len(batch), device=drawn.device), drawn]
        groups = max(1, len(batch) // config.contrasted)
        pairs = len(batch) // groups * groups
        of_pairs = (x[:pairs] for x in (drawn, batch.query, batch.query_mask, batch.words))
        drawn, query, mask, words = of_pairs
        shaped = (x.unflatten(0, (groups, -1)) for x in (drawn, query, mask))
        scores, states = self.matching.pairs(*shaped)
        ranking = ranking_loss(scores, margin=config.margin, reading=config.ranking)
        captions = caption_loss(self.matching.captions(states, mask), words, mask)
        weight = config.ranking_weight if config.ranking == "stated" else 1.0
        return {"ranking": weight * ranking, "captions": config.caption_weight * captions}
