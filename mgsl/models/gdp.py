"""Regress the moment from every place of a pyramid of clips, whose levels one graph has joined.

Paper       L. Chen, C. Lu, S. Tang, J. Xiao, D. Zhang, C. Tan, X. Li. "Rethinking the Bottom-Up
            Framework for Query-Based Video Localization". AAAI 2020: "GDP".
Reference   none was released
Deviations  This is a method in the style of GDP: of the paper the abstract could be read, not the
            text. By the abstract every frame is told the query before anything is decided, graph
            convolutions go over a pyramid of frames, and every frame within the moment is
            foreground and regresses its distances to both ends. From memory of the paper and of
            DEBUG before it, not checked: encoder and attention to words (here VSLNet's), four
            convolutions before what is said of a place, a third branch beside class and distances,
            a loss of the overlap, moments pooled from many places. All else is ours, the training
            too. What the graph joins, the number of levels, which of them answer for a moment, the
            loss of the class, what the third branch learns, the weights of the losses and whether
            moments are pooled are choices of params.yaml. Levels have weights of their own; how
            much frames weigh for each other is the same in all convolutions of their graph. A
            moment in which no place's middle lies has no foreground.
            Five answers are an extension: no recall at more than one was published.

Notation    V      places        batch places dim       all levels, one behind the other
            C, S, P    levels    batch places dim       on the way to V, in the pyramid

Memory, with P = 7/4 of the clips at three levels: a query takes P times the number of scenes for
their graph (200 clips: 353 x 32 numbers), P² for that of frames.
"""

from typing import Annotated, Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability, Share
from mgsl.models.parts.context_query import ContextQueryModel
from mgsl.models.parts.per_clip import distance_iou
from mgsl.models.parts.place_graphs import FrameGraph, SceneGraph
from mgsl.records import Batch, Moments

KERNEL = 3  # of every convolution
ALPHA, GAMMA = 0.25, 2.0  # of the focal loss
Places = Float[Tensor, "batch places dim"]
PerPlace = Float[Tensor, "batch places"]
PlaceMask = Bool[Tensor, "batch places"]
Real = Bool[Tensor, "batch places 1"]
Distances = Float[Tensor, "batch places 2"]
Weight = Annotated[float, Field(ge=0)]


class GDPConfig(Frozen):
    """Sizes of the layers, and the readings of what the abstract leaves open.

    `graph` joins frames (all places of all levels), scenes that places are gathered to, or nothing;
    it has `graph_layers` convolutions. With `level_edges` a place is positive at a level if the
    farther end of its moment is between two of these shares of the video; without, at every level.
    With `pooled_iou` the first answer reaches as far as all that overlap the best one by as much.
    """

    video_dim: Positive
    word_dim: Positive
    hidden_dim: Positive
    heads: Positive
    positions: Positive
    dropout: Probability
    head_layers: Positive
    levels: Positive
    level_edges: tuple[Share, ...] | None
    graph: Literal["scene", "frame", "none"]
    graph_layers: Positive
    scenes: Positive
    class_loss: Literal["balanced", "focal"]
    confidence: Literal["centrality", "iou"]
    regression_weight: Weight
    confidence_weight: Weight
    pooled_iou: Share | None

    @model_validator(mode="after")
    def _possible(self) -> "GDPConfig":
        if self.hidden_dim % self.heads:
            raise ValueError(f"hidden_dim={self.hidden_dim} is no multiple of heads={self.heads}")
        edges = list(self.level_edges or [])
        if edges and (len(edges) != self.levels - 1 or edges != sorted(set(edges))):
            raise ValueError(f"level_edges must be {self.levels - 1} that ascend, got {edges}")
        return self


class PlacePrediction(NamedTuple):
    """What is said of each place; foreground and confidence before the sigmoid."""

    foreground: PerPlace
    distances: Distances
    confidence: PerPlace


@final
class GDP(ContextQueryModel):
    """Attend to words, build a pyramid, join its levels, regress densely."""

    Config = GDPConfig

    def __init__(self, config: GDPConfig) -> None:
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
        self.pyramid = PlacePyramid(dim, config.levels)
        self.graph: SceneGraph | FrameGraph | None = None
        if config.graph == "scene":
            self.graph = SceneGraph(dim, config.graph_layers, config.scenes)
        elif config.graph == "frame":
            self.graph = FrameGraph(dim, config.graph_layers)
        self.branches = Branches(dim, config.head_layers, config.levels)
        nn.init.xavier_uniform_(self.encoder.positions.weight)
        self.step = 2 ** (config.levels - 1)  # clips come in multiples of it

    def forward(self, batch: Batch) -> Moments:
        """Rank the moments of all places by foreground times confidence."""
        predicted, count = self._predict(batch), batch.video_mask.sum(1)[:, None]
        points, _ = self._places(batch)
        scores = predicted.foreground.sigmoid() * predicted.confidence.sigmoid()
        scores = scores.masked_fill(points >= count, 0)
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        before, after = predicted.distances.unbind(-1)
        spans = torch.stack([points - before, points + after], -1) / count[..., None]
        spans = spans.clamp(0, 1).gather(1, order[..., None].expand_as(spans))
        if self.config.pooled_iou is not None:
            pooled = pool(spans, scores > 0, self.config.pooled_iou)
            spans = torch.cat([pooled[:, None], spans[:, 1:]], dim=1)
        return Moments(spans, scores)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Foreground or not, of every place; overlap and confidence, of the foreground."""
        config, predicted = self.config, self._predict(batch)
        truth, positive = self._assign(batch)
        points, _ = self._places(batch)
        negative = (points < batch.video_mask.sum(1)[:, None]) & ~positive
        number = positive.sum().clamp(min=1)
        truth, distances = truth[positive][None], predicted.distances[positive][None]
        iou = distance_iou(truth, distances)
        if config.confidence == "centrality":
            quality = truth.amin(-1) / truth.amax(-1).clamp(min=1e-6)
        else:
            quality = iou.detach()
        confidence = F.binary_cross_entropy_with_logits(
            predicted.confidence[positive][None], quality, reduction="sum"
        )
        return {
            "foreground": class_loss(config.class_loss, predicted.foreground, positive, negative),
            "boundary": -config.regression_weight * iou.clamp(min=1e-6).log().sum() / number,
            "confidence": config.confidence_weight * confidence / number,
        }

    def _predict(self, batch: Batch) -> PlacePrediction:
        mask = batch.video_mask
        points, level = self._places(batch)
        clips = self.encode(batch).clips * mask[..., None]
        real = (points < mask.sum(1)[:, None])[..., None]
        x = self.pyramid(F.pad(clips, (0, 0, 0, -clips.shape[1] % self.step)), real)
        if self.graph is not None:
            x = self.graph(x, real)
        return self.branches(x, real, level)

    def _places(self, batch: Batch) -> tuple[Float[Tensor, " places"], Int[Tensor, " places"]]:
        """Those of the batch's clips, filled up to a multiple of `step`."""
        clips = -(-batch.video.shape[1] // self.step) * self.step
        points, level = places(clips, self.config.levels)
        return points.to(batch.video.device), level.to(batch.video.device)

    def _assign(self, batch: Batch) -> tuple[Distances, PlaceMask]:
        """Distances from each place to the moment's ends, and which places answer for it."""
        count = batch.video_mask.sum(1)[:, None]
        points, level = self._places(batch)
        start, end = (batch.target * count).split(1, dim=1)
        truth = torch.stack([points - start, end - points], dim=-1)
        positive = (truth.amin(-1) >= 0) & (points < count)
        if self.config.level_edges is not None:
            farther, edges = truth.amax(-1) / count, truth.new_tensor(self.config.level_edges)
            positive &= torch.bucketize(farther, edges) == level
        return truth, positive


def places(clips: int, levels: int) -> tuple[Float[Tensor, " places"], Int[Tensor, " places"]]:
    """Middles of all places in clips, level by level, and the level of each.

    Each level ends with a place behind every video, or convolutions would read on into the next.
    """
    counts = [(level, clips // 2**level + 1) for level in range(levels)]
    points = torch.cat([(torch.arange(count) + 0.5) * 2**level for level, count in counts])
    return points, torch.cat([torch.full((count,), level) for level, count in counts])


def class_loss(
    kind: str, logits: PerPlace, positive: PlaceMask, negative: PlaceMask
) -> Float[Tensor, ""]:
    """Balanced: mean cross entropy of positives, and of negatives. Focal: as in DRN."""
    wrong = torch.where(positive, -logits, logits)
    each, other = (side.sum().clamp(min=1) for side in (positive, negative))
    if kind == "focal":
        weight = torch.where(positive, ALPHA, 1 - ALPHA) * wrong.sigmoid() ** GAMMA / each
    else:
        weight = torch.where(positive, 1 / each, 1 / other)
    return (weight * F.softplus(wrong) * (positive | negative)).sum()


def pool(
    spans: Float[Tensor, "batch places 2"], real: PlaceMask, least_iou: float
) -> Float[Tensor, "batch 2"]:
    """From the first start to the last end of all that overlap the first span by so much."""
    start, end = spans.unbind(-1)
    common = torch.minimum(end, end[:, :1]) - torch.maximum(start, start[:, :1])
    union = torch.maximum(end, end[:, :1]) - torch.minimum(start, start[:, :1])
    far = (common < least_iou * union) | ~real
    return torch.stack([start.masked_fill(far, 1).amin(1), end.masked_fill(far, 0).amax(1)], dim=1)


def neighbours(x: Places, stride: int = 1) -> Float[Tensor, "batch outputs neighbours"]:
    """Every `stride`-th place between those before and behind it: what a convolution reads."""
    padded, count = F.pad(x, (0, 0, 1, 1)), x.shape[1]
    return torch.cat([padded[:, i : i + count : stride] for i in range(KERNEL)], dim=-1)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A map before a ReLU; of neighbours it is a convolution."""
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    return layer


class PlacePyramid(nn.Module):
    """Halve the places level by level, and hand what the coarse levels know down to the fine ones.

    C_l+1 = ReLU(conv(C_l)),  S_l = ReLU(lateral(C_l)) + doubled S_l+1,  P_l = ReLU(conv(S_l))
    """

    def __init__(self, dim: int, levels: int) -> None:
        super().__init__()
        self.halves = nn.ModuleList(linear(KERNEL * dim, dim) for _ in range(levels - 1))
        self.lateral = nn.ModuleList(linear(dim, dim) for _ in range(levels))
        self.output = nn.ModuleList(linear(KERNEL * dim, dim) for _ in range(levels))

    def forward(self, clips: Float[Tensor, "batch clips dim"], real: Real) -> Places:
        """All levels, as `places` has them."""
        counts = [clips.shape[1] // 2**level + 1 for level in range(len(self.lateral))]
        masks = [mask[:, :-1] for mask in real.split(counts, dim=1)]
        levels = [clips]
        for halve, mask in zip(self.halves, masks[1:], strict=True):
            levels.append(halve(neighbours(levels[-1], 2)).relu() * mask)
        sums: list[Tensor] = []
        for level, lateral, mask in zip(levels[::-1], self.lateral[::-1], masks[::-1], strict=True):
            x = lateral(level).relu()
            sums.append((x + sums[-1].repeat_interleave(2, dim=1) if sums else x) * mask)
        outputs = zip(self.output, sums[::-1], strict=True)
        return torch.cat([F.pad(o(neighbours(x)).relu(), (0, 0, 0, 1)) for o, x in outputs], dim=1)


class Branches(nn.Module):
    """Foreground, distances and confidence of each place, by layers that all levels share."""

    def __init__(self, dim: int, layers: int, levels: int) -> None:
        super().__init__()
        self.first = linear(KERNEL * dim, 3 * dim)  # of all three
        self.towers = nn.ModuleList(
            nn.Sequential(*(linear(KERNEL * dim, dim) for _ in range(layers - 1))) for _ in range(3)
        )
        sizes = (1, 2, 1)
        self.outputs = nn.ModuleList(nn.Linear(dim, KERNEL * n, bias=False) for n in sizes)
        self.biases = nn.Parameter(torch.zeros(sum(sizes)))
        self.scales = nn.Parameter(torch.ones(levels))

    def forward(self, x: Places, real: Real, level: Int[Tensor, " places"]) -> PlacePrediction:
        """A distance is the exponential of what comes out, times the scale of its level."""
        sums = []
        states = (self.first(neighbours(x * real)).relu() * real).chunk(3, dim=-1)
        for state, tower, output in zip(states, self.towers, self.outputs, strict=True):
            for layer in tower:  # type: ignore[attr-defined]
                state = layer(neighbours(state)).relu() * real
            # A convolution to few numbers: mapped, then added up, not laid side by side.
            before, own, behind = F.pad(output(state), (0, 0, 1, 1)).chunk(3, dim=-1)
            sums.append(before[:, :-2] + own[:, 1:-1] + behind[:, 2:])
        said = (torch.cat(sums, dim=-1) + self.biases).float()
        distances = (self.scales[level][:, None] * said[..., 1:3]).exp()
        return PlacePrediction(said[..., 0], distances, said[..., 3])
