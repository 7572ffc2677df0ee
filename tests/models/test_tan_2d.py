"""2D-TAN: its sheet's numbers, and the sparse convolutions against dense ones."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgsl.configs import RunConfig
from mgsl.models import MODELS, build
from mgsl.models.tan_2d import TAN2D, RangeMaximum, cells, neighbours, overlap, plan, resampling
from mgsl.resolving import resolve
from tests import tiny

LATTICES = {16: [16], 64: [16, 8, 8], 128: [16, 8, 8, 8]}


def paper_config(dataset: str) -> RunConfig:
    params = tiny.parameters().model_copy(update={"scale": "paper", "methods": ("tan_2d",)})
    parts = resolve(params, dataset, {name: kind.Config for name, kind in MODELS.items()})
    config = parts.runs["tan_2d"]
    return config


def on_map(side: int) -> np.ndarray:
    starts, ends = cells(side, LATTICES[side])
    on = np.zeros((side, side), bool)
    on[starts, ends] = True
    return on


@pytest.mark.parametrize(
    ("dataset", "parameters"),
    [("tacos_c3d", 60_925_953), ("activitynet_c3d", 91_588_609), ("charades_i3d", 59_353_089)],
)
def test_the_published_sizes_have_the_published_parameters(dataset: str, parameters: int) -> None:
    with torch.device("meta"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "from_numpy", lambda array: torch.empty(array.shape))
        model = build(paper_config(dataset))
    assert isinstance(model, TAN2D)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(("side", "valid"), [(64, 1104), (128, 2548), (16, 136)])
def test_the_map_has_the_published_cells(side: int, valid: int) -> None:
    starts, ends = cells(side, LATTICES[side])
    assert len(starts) == on_map(side).sum() == valid
    assert (starts <= ends).all()
    assert ends.max() == side - 1


def test_which_moments_are_cells() -> None:
    for side in (64, 128):
        assert on_map(side)[0, side - 1]
    on = on_map(64)
    assert not on[0, 16]
    assert not on[1, 18]
    assert on[0, 17]
    assert on[2, 19]


@pytest.mark.parametrize("side", LATTICES)
def test_a_cell_pools_the_maximum_of_its_clips(side: int) -> None:
    starts, ends = cells(side, LATTICES[side])
    x = torch.randn(2, side, 3)
    pooled = RangeMaximum(side, starts, ends)(x)
    for cell, (start, end) in enumerate(zip(starts, ends, strict=True)):
        assert torch.equal(pooled[:, cell], x[:, start : end + 1].amax(1))


@pytest.mark.parametrize(
    ("side", "kernel", "largest", "first", "last", "mean"),
    [
        (64, 9, [80, 81, 81, 81], 3168, 3600, 74.46),
        (128, 5, [25] * 8, 8012, 11824, 24.17),
        (16, 5, [25] * 8, 280, 256, 25.00),
    ],
)
def test_counts_of_cells_under_the_kernel_are_the_published_ones(
    side: int, kernel: int, largest: list[int], first: int, last: int, mean: float
) -> None:
    """As the reference computes them: 16 cells of padding, then none."""
    on, layers, spread = np.pad(on_map(side), 16), [], []
    for _ in largest:
        edge = kernel // 2
        counts = neighbours(on, kernel)[edge:-edge, edge:-edge]
        on = counts > 0
        layers.append(counts)
        spread.append(int(on.sum()))
    assert [counts.max() for counts in layers] == largest
    assert (spread[0], spread[-1]) == (first, last)
    assert layers[-1].shape == (side, side)
    assert layers[-1][on].mean() == pytest.approx(mean, abs=0.005)


def dense(convolutions: list, x: Tensor, on: Tensor) -> Tensor:
    """The map as the reference convolves it: pad once, weigh every layer by 1 / count."""
    kernel = math.isqrt(len(convolutions[0].weight))
    x, on = (F.pad(each, [kernel // 2 * len(convolutions)] * 4) for each in (x * on, on))
    for convolution in convolutions:
        weight = convolution.weight.unflatten(0, (kernel, kernel)).permute(3, 2, 0, 1)
        counts = F.conv2d(on, torch.ones_like(weight[:1, :1]))
        on = (counts > 0).double()
        share = torch.where(counts > 0, 1 / counts.clamp(min=1), torch.zeros(()))
        x = torch.relu(F.conv2d(x, weight, convolution.bias)) * share
    return x


@pytest.mark.parametrize(
    ("side", "lattice", "kernel", "layers"),
    [(8, [8], 3, 4), (16, [4, 2, 2], 5, 2), (12, [3, 2], 3, 3), (16, [16], 5, 8)],
)
def test_sparse_convolutions_are_the_dense_masked_ones(
    side: int, lattice: list[int], kernel: int, layers: int
) -> None:
    torch.manual_seed(0)
    config = tiny.run_config("tan_2d").model
    config |= {"side": side, "lattice": lattice, "kernel": kernel, "conv_layers": layers}
    model = build(tiny.run_config("tan_2d", model=config)).double()
    starts, ends = map(torch.from_numpy, cells(side, lattice))
    sparse = torch.randn(2, len(starts), 16, dtype=torch.double, requires_grad=True)
    on = torch.zeros(1, 1, side, side, dtype=torch.double)
    on[..., starts, ends] = 1
    x = sparse
    for convolution in model.convolutions:
        x = convolution(x)
    whole = torch.zeros(2, 16, side, side, dtype=torch.double)
    whole[:, :, starts, ends] = sparse.mT
    expected = dense(list(model.convolutions), whole, on)[:, :, starts, ends].mT
    torch.testing.assert_close(x, expected)
    weights = [sparse, *model.convolutions.parameters()]
    seed = torch.randn_like(x)
    ours = torch.autograd.grad((x * seed).sum(), weights)
    theirs = torch.autograd.grad((expected * seed).sum(), weights)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_no_cell_is_computed_that_no_score_depends_on() -> None:
    layers = plan(on_map(16), kernel=5, layers=8)
    outputs = [len(layer.gather) for layer in layers]
    assert outputs[-1] == 136
    assert outputs[0] == 280  # all that is on
    computed = 25 * sum(outputs)
    assert computed < 0.5 * 25 * sum(side**2 for side in range(44, 12, -4))


def test_labels_and_loss_are_the_literal_ones() -> None:
    torch.manual_seed(0)
    model, batch = build(tiny.run_config("tan_2d")).eval(), tiny.batch()
    low, high = model.iou_window
    probabilities = model._logits(batch).sigmoid()
    terms = []
    for row in range(len(batch)):
        start, end = batch.target[row].tolist()
        for cell, (a, b) in enumerate(model.spans.tolist()):
            union = max(b, end) - min(a, start)
            common = max(0.0, min(b, end) - max(a, start))
            tiou = common / union if common else 0.0
            label = min(1, max(0, (tiou - low) / (high - low)))
            p = probabilities[row, cell].item()
            terms.append(-label * math.log(p) - (1 - label) * math.log(1 - p))
    assert model.losses(batch)["overlap"].item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_a_head_of_zeros_loses_ln_2() -> None:
    model = build(tiny.run_config("tan_2d"))
    nn.init.zeros_(model.score.weight)
    nn.init.zeros_(model.score.bias)
    assert model.losses(tiny.batch())["overlap"].item() == pytest.approx(math.log(2), abs=1e-6)


def test_clips_are_averaged_between_rounded_edges() -> None:
    mask = torch.tensor([[True] * 12, [True] * 9 + [False] * 3, [True] * 3 + [False] * 9])
    weights = resampling(mask, 4)
    assert weights.sum(-1).eq(1).all()
    assert weights[0].nonzero()[:3].tolist() == [[0, 0], [0, 1], [0, 2]]
    # 9 clips in 4 parts: edges 0, 2.25, 4.5, 6.75, 9 round to 0, 2, 4, 7, 9
    assert [row.nonzero().flatten().tolist() for row in weights[1]] == [
        [0, 1], [2, 3], [4, 5, 6], [7, 8]
    ]  # fmt: skip
    # 3 clips: edges 0, 0.75, 1.5, 2.25, 3 round to 0, 1, 2, 2, 3; the third part is clip 2 alone
    assert [row.nonzero().flatten().tolist() for row in weights[2]] == [[0], [1], [2], [2]]


def test_the_best_cell_of_a_cell_is_itself() -> None:
    starts, ends = cells(16, [16])
    spans = torch.from_numpy(np.stack([starts, ends + 1], 1) / 16).float()
    assert torch.equal(overlap(spans, spans).argmax(1), torch.arange(136))
    assert overlap(spans, spans).diagonal().eq(1).all()
