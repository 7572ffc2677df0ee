"""Let every place of a pyramid of clips regress the moment around it, then learn whom to trust.

Paper       R. Zeng, H. Xu, W. Huang, P. Chen, M. Tan, C. Gan. "Dense Regression Network for Video
            Grounding". CVPR 2020.
Reference   Alvin-Zeng/DRN, commit a3faa55 (80743f3 is its last), which has Charades-STA alone
Deviations  Word vectors stay frozen, as for every method. Ranges of levels are shares of the video,
            since the number of segments is ours but for Charades-STA. Predictions are clamped at
            both ends before their tIoU is taken; the reference clamps its first place, twice. That
            tIoU is a label: no gradient flows through it, as one does in the reference, where the
            norms of most gradients of step 3 are others. Unions are kept from 0 by a least value,
            not by an addition of up to a millionth. Batch normalisation of the heads counts each
            level as a batch, as in the reference. All places are ranked, not only those of
            p > 0.05. Weights are chosen on validation, by the reference on test. A segment's
            position is its number as a share of all, in the reference whole frames of the video's.
            Step 1 does not run the IoU head, whose batch statistics it moves in the reference.
            At the paper's scale the steps have 10, 40 and 40 epochs; the reference counts on to 50
            from the epoch whose weights a step starts from. At the embedded scale shares and rates
            are ours: a hundredth would leave the IoU head as it was. Unused layers are absent.

Notation    P         levels     batch dim places     of strides 1, 2 and 4
            l, r      distances  batch places 2       to start and end, in segments
            p, iou    confidence, iou   batch places
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Annotated, NamedTuple, final

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Share
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.layers import BiLSTM
from mgsl.models.parts.per_clip import distance_iou
from mgsl.records import Batch, Moments

STRIDES = (1, 2, 4)  # of the pyramid's levels, in segments
PRIOR = 0.01  # the probability that every place starts with
Channels = Float[Tensor, "batch dim places"]
Places = Float[Tensor, "batch places"]
Rate = Annotated[float, Field(gt=0)]


class DRNConfig(Frozen):
    """Sizes of the layers, what a level is responsible for, and the three steps of training.

    A place is positive at level i if the farther end of the moment it lies in is `ranges[i]` away,
    in shares of the video. `steps` are the shares of the epochs after which steps 2 and 3 begin.
    """

    video_dim: Positive
    word_dim: Positive
    hidden_dim: Positive
    segments: Annotated[int, Field(gt=0, multiple_of=STRIDES[-1])]
    ranges: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    alpha: Share
    gamma: Annotated[float, Field(ge=0)]
    trusted_iou: Share
    steps: tuple[Share, Share]
    rates: tuple[Rate, Rate, Rate]

    @model_validator(mode="after")
    def _possible(self) -> "DRNConfig":
        if self.steps[0] >= self.steps[1]:
            raise ValueError(f"steps must ascend, got {list(self.steps)}")
        if self.hidden_dim % 2:
            raise ValueError(f"hidden_dim must be even, got {self.hidden_dim}")
        return self


class LevelPrediction(NamedTuple):
    """What the heads say of each place; confidence and IoU before the sigmoid."""

    confidence: Places
    distances: Float[Tensor, "batch places 2"]
    iou: Places


@final
class DRN(GroundingModel):
    """Gate clips by the query level by level, regress densely, score by confidence and IoU."""

    Config = DRNConfig
    points: Float[Tensor, " places"]
    low: Float[Tensor, " places"]
    high: Float[Tensor, " places"]
    trust: Float[Tensor, ""]  # in the IoU head: 1 once it is trained, 0 before

    def __init__(self, config: DRNConfig) -> None:
        super().__init__()
        self.config = config
        dim, half = config.hidden_dim, config.hidden_dim // 2
        self.query = LevelQueries(config.word_dim, dim, outputs=(config.video_dim, half, dim))
        self.video = nn.Linear(config.video_dim, config.video_dim)
        self.position = nn.Linear(3, half)
        self.backbone = nn.ModuleList(
            [
                convolution(config.video_dim + half, half, kernel=3),
                convolution(half, dim, kernel=3, stride=2),
                convolution(dim, 2 * dim, kernel=3, stride=2),
            ]
        )
        self.pyramid = Pyramid((half, dim, 2 * dim), dim)
        self.heads = LocationHeads(dim)
        self.iou_head = IoUHead(dim)
        points, low, high = places(config.segments, config.ranges)
        self.register_buffer("points", points, persistent=False)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)
        self.register_buffer("trust", torch.zeros(()))
        self.enter(0)

    def stage(self, progress: float) -> int:
        """The step of training, from 0."""
        return sum(progress >= begin for begin in self.config.steps)

    def enter(self, stage: int) -> float:
        """Train all but the IoU head, then that head alone, then all."""
        self.step = stage
        self.trust.fill_(float(stage > 0))
        self.requires_grad_(stage != 1)
        self.iou_head.requires_grad_(stage > 0)
        return self.config.rates[stage]

    def forward(self, batch: Batch) -> Moments:
        """Rank all places by √p, and by √(p · IoU) once the IoU head is trained."""
        predicted = self._predict(batch)
        scores = predicted.confidence.sigmoid() * predicted.iou.sigmoid() ** self.trust
        scores, order = scores.sqrt().sort(dim=1, descending=True, stable=True)
        spans = self._spans(predicted.distances)
        return Moments(spans.gather(1, order[..., None].expand_as(spans)), scores)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The terms of the step that training is in, all of weight 1."""
        predicted = self._predict(batch, judged=self.step > 0)
        terms = {}
        if self.step != 1:
            truth, positive = self._assign(batch.target)
            cost = focal_loss(
                predicted.confidence, positive, alpha=self.config.alpha, gamma=self.config.gamma
            )
            number = positive.sum()
            terms["confidence"] = cost.sum() / (number + len(batch))
            iou = distance_iou(truth, predicted.distances).clamp(min=1e-6)
            terms["boundary"] = -(iou.log() * positive).sum() / number.clamp(min=1)
        if self.step > 0:
            terms["iou"] = self._iou_loss(predicted, batch.target)
        return terms

    def _predict(self, batch: Batch, *, judged: bool = True) -> LevelPrediction:
        """What the heads say; the IoU head only if it is asked to judge, 0 otherwise."""
        segments = self.config.segments
        x = self.video(segment_maxima(batch.video, batch.video_mask, segments)).mT
        starts = torch.arange(segments, device=x.device) / segments
        extent = torch.full_like(starts, 1 / segments)
        where = self.position(torch.stack([starts, starts + extent, extent], dim=1).to(x.dtype)).mT
        levels = []
        gates = self.query(batch.query, batch.query_mask)
        for level, (gate, layer) in enumerate(zip(gates, self.backbone, strict=True)):
            x = gate[..., None] * x
            if level == 0:
                x = torch.cat([x, where.expand(len(x), -1, -1)], dim=1)
            x = layer(x)
            levels.append(x)
        outputs = [self.heads(feature, level) for level, feature in enumerate(self.pyramid(levels))]
        confidence, distances, towers = zip(*outputs, strict=True)
        sure = torch.cat(confidence, 1).float()
        iou = torch.cat([*map(self.iou_head, towers)], 1).float() if judged else sure * 0
        return LevelPrediction(sure, torch.cat(distances, 1), iou)

    def _spans(self, distances: Float[Tensor, "batch places 2"]) -> Float[Tensor, "batch places 2"]:
        left, right = distances.unbind(-1)
        spans = torch.stack([self.points - left, self.points + right], dim=-1)
        return (spans / self.config.segments).clamp(0, 1)

    def _assign(
        self, target: Float[Tensor, "batch 2"]
    ) -> tuple[Float[Tensor, "batch places 2"], Bool[Tensor, "batch places"]]:
        """Distances from each place to the moment's ends, and which places answer for it."""
        start, end = (self.config.segments * target).unbind(1)
        truth = torch.stack([self.points - start[:, None], end[:, None] - self.points], dim=-1)
        nearer, farther = truth.amin(-1), truth.amax(-1)
        return truth, (nearer > 0) & (farther >= self.low) & (farther <= self.high)

    def _iou_loss(
        self, predicted: LevelPrediction, target: Float[Tensor, "batch 2"]
    ) -> Float[Tensor, ""]:
        """Smooth L1 to the tIoU of predictions that are nearly right; 0 where none is."""
        spans = self._spans(predicted.distances.detach())
        start, end = target[:, :1], target[:, 1:]
        common = (torch.minimum(spans[..., 1], end) - torch.maximum(spans[..., 0], start)).clamp(0)
        union = torch.maximum(spans[..., 1], end) - torch.minimum(spans[..., 0], start)
        iou = common / union.clamp(min=1e-6)
        trusted = iou > self.config.trusted_iou
        error = F.smooth_l1_loss(predicted.iou.sigmoid(), iou, reduction="none")
        return (error * trusted).sum() / trusted.sum().clamp(min=1)


def places(
    segments: int, ranges: Sequence[tuple[float, float]]
) -> tuple[Float[Tensor, " places"], Float[Tensor, " places"], Float[Tensor, " places"]]:
    """Middles of all places, level by level, and the range each answers for; all in segments."""
    counts = [segments // stride for stride in STRIDES]
    points = [(torch.arange(n) + 0.5) * s for n, s in zip(counts, STRIDES, strict=True)]
    low, high = (
        torch.cat([torch.full((n,), segments * end) for n, end in zip(counts, ends, strict=True)])
        for ends in zip(*ranges, strict=True)
    )
    return torch.cat(points), low, high


def segment_maxima(
    video: Float[Tensor, "batch clips dim"], mask: Bool[Tensor, "batch clips"], segments: int
) -> Float[Tensor, "batch segments dim"]:
    """For each of equal segments of the real clips, the maximum over the clips it touches."""
    edges = torch.arange(segments + 1, device=video.device) * mask.sum(1, keepdim=True)
    first, end = edges[:, :-1] // segments, -(-edges[:, 1:] // segments)
    width = -(-mask.shape[1] // segments) + 1  # clips that a segment can touch
    before = torch.arange(len(video), device=video.device)[:, None] * video.shape[1]
    touched = (torch.minimum(first + step, end - 1) + before for step in range(width))
    maxima = reduce(torch.maximum, (video.flatten(0, 1)[rows.flatten()] for rows in touched))
    return maxima.unflatten(0, first.shape)


def focal_loss(
    logits: Places, positive: Bool[Tensor, "batch places"], *, alpha: float, gamma: float
) -> Places:
    """Cross entropy that fades where a place is already right."""
    right = torch.where(positive, logits, -logits)
    weight = torch.where(positive, alpha, 1 - alpha)
    return -weight * (-right).sigmoid() ** gamma * F.logsigmoid(right)


def convolution(inputs: int, outputs: int, *, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution, batch normalisation and ReLU."""
    layer = nn.Conv1d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_uniform_(layer.weight, a=1)
    return nn.Sequential(layer, nn.BatchNorm1d(outputs), nn.ReLU())


class LevelQueries(nn.Module):
    """A gate for each level of the backbone, from the words that matter to it."""

    def __init__(self, word_dim: int, dim: int, *, outputs: Sequence[int]) -> None:
        super().__init__()
        self.lstm = BiLSTM(input_dim=word_dim, dim=2 * dim)
        self.summary = nn.Linear(4 * dim, dim)
        self.levels = nn.ModuleList(nn.Linear(dim, 2 * dim) for _ in outputs)
        self.attention = nn.Linear(2 * dim, 1)
        for linear in (self.summary, *self.levels, self.attention):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        self.gates = nn.ModuleList(nn.Linear(2 * dim, output) for output in outputs)

    def forward(
        self, query: Float[Tensor, "batch words word_dim"], mask: Bool[Tensor, "batch words"]
    ) -> list[Float[Tensor, "batch _"]]:
        """Encode the words once, attend to them once a level."""
        states = self.lstm(query, mask)
        last = states[torch.arange(len(mask), device=mask.device), mask.sum(1) - 1]
        summary = self.summary(torch.cat([states[:, 0], last], dim=-1)).relu()
        gates = []
        for level, gate in zip(self.levels, self.gates, strict=True):
            scores = self.attention(level(summary)[:, None] * states).squeeze(-1).float()
            weights = scores.masked_fill(~mask, -math.inf).softmax(-1).to(states.dtype)
            gates.append(gate(einsum(weights, states, "b w, b w d -> b d")))
        return gates


class Pyramid(nn.Module):
    """Hand what the coarse levels know down to the fine ones."""

    def __init__(self, inputs: Sequence[int], dim: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(convolution(channels, dim, kernel=1) for channels in inputs)
        self.output = nn.ModuleList(convolution(dim, dim, kernel=3) for _ in inputs)

    def forward(self, levels: Sequence[Tensor]) -> list[Channels]:
        """Add each level's doubled successor to it, then convolve."""
        sums: list[Tensor] = []
        for level, lateral in zip(levels[::-1], self.lateral[::-1], strict=True):
            x = lateral(level)
            sums.append(x + sums[-1].repeat_interleave(2, dim=-1) if sums else x)
        return [output(x) for output, x in zip(self.output, sums[::-1], strict=True)]


class LocationHeads(nn.Module):
    """Confidence and distances of each place, by layers that all levels share."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.towers = nn.ModuleList(
            nn.Sequential(nn.Conv1d(dim, dim, 3, padding=1), nn.BatchNorm1d(dim), nn.ReLU())
            for _ in range(2)
        )
        self.confidence = nn.Conv1d(dim, 1, 3, padding=1)
        self.distances = nn.Conv1d(dim, 2, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(len(STRIDES)))
        start_small(self)
        with torch.no_grad():
            self.confidence.bias.fill_(-math.log((1 - PRIOR) / PRIOR))  # type: ignore[union-attr]

    def forward(
        self, x: Channels, level: int
    ) -> tuple[Places, Float[Tensor, "batch places 2"], Float[Tensor, "batch both places"]]:
        """Confidence before the sigmoid, distances in segments, and what the IoU head reads."""
        towers = [tower(x) for tower in self.towers]
        distances = (self.scales[level] * self.distances(towers[1])).float().exp().mT
        return self.confidence(towers[0]).squeeze(1), distances, torch.cat(towers, dim=1)


class IoUHead(nn.Sequential):
    """How well a place's moment overlaps the truth, before the sigmoid."""

    def __init__(self, dim: int) -> None:
        super().__init__(
            *(nn.Conv1d(2 * dim, dim, 1), nn.BatchNorm1d(dim), nn.ReLU()),
            *(nn.Conv1d(dim, dim // 2, 3, padding=1), nn.BatchNorm1d(dim // 2), nn.ReLU()),
            *(nn.Conv1d(dim // 2, 1, 1), nn.Flatten(1)),
        )
        start_small(self)


def start_small(heads: nn.Module) -> None:
    """Draw the weights of convolutions from N(0, 0.01), as detectors do; no bias."""
    for layer in heads.modules():
        if isinstance(layer, nn.Conv1d):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
