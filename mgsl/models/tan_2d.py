"""Score every moment of a sparse two-dimensional map, each in the light of its neighbours.

Paper       S. Zhang, H. Peng, J. Fu, J. Luo. "Learning 2D Temporal Adjacent Networks for Moment
            Localization with Natural Language". AAAI 2020: the variant that pools.
Reference   microsoft/2D-TAN, commit 2f7410f
Deviations  Videos come as the clips of this benchmark, not as 256 frames; both ways a place of the
            map is the mean of its clips. A clip, which is a mean of frames already, is brought to
            unit length; in the reference each frame is, before any mean, which moves logits by up
            to 0.5, but all methods read the same clips here. Queries are tokenised and cut as for
            every method. What counts as a hit is the common rule, not tIoU > m. The weights kept
            are chosen on validation, by the reference on test. Cells that no score depends on are
            not computed; all others have the value of the reference.

Notation    M    map       batch cells dim   a cell is the moment from clip a to clip b inclusive
            q    query     batch dim
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple, final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive
from mgsl.models.parts.base import GroundingModel
from mgsl.records import Batch, Moments

Cells = Float[Tensor, "batch cells dim"]
ROWS = 1024  # of a gathered matrix that are held at once
IoU = Annotated[float, Field(ge=0, le=1)]


class TAN2DConfig(Frozen):
    """Sizes of the layers and of the map; `lattice` counts the moments of each scale (`cells`)."""

    video_dim: Positive
    word_dim: Positive
    hidden_dim: Positive
    lstm_layers: Positive
    side: Positive
    lattice: Annotated[tuple[Positive, ...], Field(min_length=1)]
    kernel: Positive
    conv_layers: Positive
    iou_window: tuple[IoU, IoU]

    @model_validator(mode="after")
    def _possible(self) -> "TAN2DConfig":
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {self.kernel}")
        if self.iou_window[0] >= self.iou_window[1]:
            raise ValueError(f"iou_window must ascend, got {list(self.iou_window)}")
        return self


@final
class TAN2D(GroundingModel):
    """Pool clips into moments, fuse each with the query, convolve over neighbouring moments."""

    Config = TAN2DConfig
    spans: Float[Tensor, "cells 2"]

    def __init__(self, config: TAN2DConfig) -> None:
        super().__init__()
        dim, self.side = config.hidden_dim, config.side
        self.iou_window = config.iou_window
        starts, ends = cells(config.side, config.lattice)
        spans = np.stack([starts, ends + 1], axis=1) / config.side
        self.register_buffer("spans", torch.from_numpy(spans).float(), persistent=False)
        self.stem = nn.Linear(config.video_dim, dim)
        self.pool = RangeMaximum(config.side, starts, ends)
        self.lstm = nn.LSTM(config.word_dim, dim, config.lstm_layers, batch_first=True)
        self.query = nn.Linear(dim, dim)
        self.map = nn.Linear(dim, dim)
        on = np.zeros((config.side, config.side), bool)
        on[starts, ends] = True
        self.convolutions = nn.ModuleList(
            SparseConvolution(dim, config.kernel, layer)
            for layer in plan(on, kernel=config.kernel, layers=config.conv_layers)
        )
        self.score = nn.Linear(dim, 1)

    def forward(self, batch: Batch) -> Moments:
        """Rank all cells of the map."""
        scores = self._logits(batch).float().sigmoid()
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        return Moments(self.spans[order], scores)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross entropy with each cell's tIoU, stretched from `iou_window` to [0, 1]."""
        low, high = self.iou_window
        target = ((overlap(self.spans, batch.target) - low) / (high - low)).clamp(0, 1)
        logits = self._logits(batch).float()
        return {"overlap": F.binary_cross_entropy_with_logits(logits, target)}

    def _logits(self, batch: Batch) -> Float[Tensor, "batch cells"]:
        clips = torch.relu(self.stem(F.normalize(batch.video, dim=-1)))
        pooled = self.pool(resampling(batch.video_mask, self.side).to(clips.dtype) @ clips)
        states, _ = self.lstm(batch.query)
        last = batch.query_mask.sum(1) - 1
        query = self.query(states[torch.arange(len(last), device=last.device), last])
        x = F.normalize(query[:, None] * self.map(pooled), dim=-1)
        for convolution in self.convolutions:
            x = convolution(x)
        return self.score(x).squeeze(-1)


def cells(
    side: int, lattice: Sequence[int]
) -> tuple[Int[np.ndarray, " cells"], Int[np.ndarray, " cells"]]:
    """First and last clip of each moment of the map, row by row.

    Scale s has so many lengths as `lattice` says, 2^s apart, and starts at multiples of 2^s.

    Args:
        side: clips that the map is made of.
        lattice: the number of lengths of each scale, the finest first.
    """
    on, offset = np.zeros((side, side), bool), -1
    for scale, lengths in enumerate(lattice):
        for _ in range(lengths):
            offset += 2**scale
            starts = np.arange(0, side - offset, 2**scale)
            on[starts, starts + offset] = True
    starts, ends = np.nonzero(on)
    return starts, ends


def overlap(
    spans: Float[Tensor, "cells 2"], target: Float[Tensor, "batch 2"]
) -> Float[Tensor, "batch cells"]:
    """The tIoU of every cell with the moment of every query."""
    starts, ends = spans.unbind(1)
    common = torch.minimum(ends, target[:, 1:]) - torch.maximum(starts, target[:, :1])
    common = common.clamp(min=0)
    return common / (ends - starts + target[:, 1:] - target[:, :1] - common)


def resampling(mask: Bool[Tensor, "batch clips"], side: int) -> Float[Tensor, "batch side clips"]:
    """Weights that average each video's real clips into `side` parts.

    Part i takes the clips from round(i · n / side) to before the next part's first; the clip at
    its left edge where there is none.
    """
    count = mask.sum(1, keepdim=True)
    edges = (torch.arange(side + 1, device=mask.device) * count / side).round().long()
    first = torch.minimum(edges[:, :-1], count - 1)[..., None]
    end = torch.maximum(edges[:, 1:, None], first + 1)
    clips = torch.arange(mask.shape[1], device=mask.device)
    return ((clips >= first) & (clips < end)) / (end - first)


class RangeMaximum(nn.Module):
    """The maximum of each range of clips, as the larger of two that cover it.

    Those are of lengths 2^k, and each is the larger of two of half its length: log2(side) maxima
    over all clips, then one over all cells.
    """

    left: Int[Tensor, " cells"]
    right: Int[Tensor, " cells"]

    def __init__(
        self, side: int, starts: Int[np.ndarray, " cells"], ends: Int[np.ndarray, " cells"]
    ) -> None:
        super().__init__()
        level = np.log2(ends - starts + 1).astype(int)
        self.levels = int(level.max())
        widths = [side - 2**k + 1 for k in range(self.levels + 1)]
        first = np.concatenate([[0], np.cumsum(widths)])[level]
        self.register_buffer("left", torch.from_numpy(first + starts), persistent=False)
        right = torch.from_numpy(first + ends + 1 - 2**level)
        self.register_buffer("right", right, persistent=False)

    def forward(self, x: Float[Tensor, "batch side dim"]) -> Cells:
        """Pool the clips of each cell."""
        tables = [x]
        for k in range(self.levels):
            last = tables[-1]
            tables.append(torch.maximum(last[:, : -(2**k)], last[:, 2**k :]))
        table = torch.cat(tables, dim=1)
        return torch.maximum(table.index_select(1, self.left), table.index_select(1, self.right))


class Layer(NamedTuple):
    """Which cells a convolution makes of which, and how many it sees.

    `gather` says for each output and each place of the kernel the input found there; `scatter` the
    same the other way round. The number of inputs, or of outputs, stands for none.
    """

    gather: Int[np.ndarray, "outputs places"]
    scatter: Int[np.ndarray, "inputs places"]
    counts: Float[np.ndarray, " outputs"]


def plan(on: Bool[np.ndarray, "side side"], *, kernel: int, layers: int) -> list[Layer]:
    """The cells that convolutions have to compute, layer by layer.

    A convolution spreads the map: a cell is on after it if one under its kernel was on before. Of
    those only the ones matter that reach the map's own cells through the layers that follow.

    Args:
        on: the cells that the map has.
        kernel: side of the kernel, odd.
        layers: how many convolutions follow each other.
    """
    spread = [np.pad(on, layers * (kernel // 2))]
    for _ in range(layers):
        spread.append(neighbours(spread[-1], kernel) > 0)
    plans = []
    needed = [spread[layer] & spread[layers - layer] for layer in range(layers + 1)]
    for before, after, all_before in zip(needed, needed[1:], spread, strict=False):
        places = np.array(np.nonzero(after)).T
        number = np.where(before, before.cumsum().reshape(before.shape) - 1, before.sum())
        number = np.pad(number, kernel // 2, constant_values=before.sum())
        steps = [(i, j) for i in range(kernel) for j in range(kernel)]
        gather = np.stack([number[places[:, 0] + i, places[:, 1] + j] for i, j in steps], axis=1)
        scatter = np.full((before.sum() + 1, len(steps)), len(places))
        scatter[gather, np.arange(len(steps))] = np.arange(len(places))[:, None]
        counts = neighbours(all_before, kernel)[after].astype(np.float32)
        plans.append(Layer(gather, scatter[:-1], counts))
    return plans


def neighbours(
    on: Bool[np.ndarray, "rows columns"], kernel: int
) -> Int[np.ndarray, "rows columns"]:
    """How many cells under a kernel that is centred on each cell are on."""
    padded = np.pad(on, kernel // 2).astype(int)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel))
    return windows.sum(axis=(-2, -1))


class SparseConvolution(nn.Module):
    """A convolution over the cells that are on, ReLU, and a division by how many it saw.

    `weight` holds one matrix for each place of the kernel, row by row.
    """

    gather: Int[Tensor, "outputs places"]
    scatter: Int[Tensor, "inputs places"]
    counts: Float[Tensor, " outputs"]

    def __init__(self, dim: int, kernel: int, layer: Layer) -> None:
        super().__init__()
        like = nn.Conv2d(dim, dim, kernel)
        self.weight = nn.Parameter(like.weight.detach().permute(2, 3, 1, 0).flatten(0, 1).clone())
        self.bias = nn.Parameter(like.bias.detach())  # type: ignore[union-attr]
        for name, table in layer._asdict().items():
            self.register_buffer(name, torch.from_numpy(table), persistent=False)

    def forward(self, x: Cells) -> Float[Tensor, "batch outputs dim"]:
        """Convolve the cells of the map before into those after."""
        weight: Tensor = self.weight
        if torch.is_autocast_enabled(x.device.type):
            lower = torch.get_autocast_dtype(x.device.type)
            x, weight = x.to(lower), weight.to(lower)
        y = _Convolve.apply(x, weight, self.gather, self.scatter)  # type: ignore[no-untyped-call]
        return torch.relu(y + self.bias) / self.counts[:, None]


class _Convolve(torch.autograd.Function):
    """Gather what lies under each kernel and multiply: all that is computed is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, gather: Tensor, scatter: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight, gather, scatter)
        return _convolve(x, weight, gather)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, gather, scatter = ctx.saved_tensors
        gradient = gradients[0].to(x.dtype)
        to_weight = torch.zeros_like(weight).flatten(0, 1)
        rows = gradient.flatten(0, 1).split(ROWS)
        for columns, part in zip(_columns(x, gather), rows, strict=True):
            to_weight.addmm_(columns.T, part)
        return _convolve(gradient, weight.mT, scatter), to_weight.view_as(weight), None, None


def _convolve(x: Tensor, weight: Tensor, table: Tensor) -> Tensor:
    flat = weight.reshape(-1, weight.shape[-1])
    return torch.cat([c @ flat for c in _columns(x, table)]).view(len(x), len(table), -1)


def _columns(x: Tensor, table: Tensor) -> Iterator[Tensor]:
    """What a table names of each query's rows, side by side: a matrix, in parts of `ROWS`."""
    padded = F.pad(x, (0, 0, 0, 1))  # the last row of a query is none
    batch, rows, dim = padded.shape
    first = torch.arange(0, batch * rows, rows, device=x.device)
    flat = padded.view(-1, dim)
    for part in (table + first[:, None, None]).flatten(0, 1).split(ROWS):
        yield flat.index_select(0, part.flatten()).view(len(part), -1)
