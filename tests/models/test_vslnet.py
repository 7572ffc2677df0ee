"""VSLNet: its labels, losses and attention against literal ones, its sizes."""

import itertools
import math
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mgsl.errors import UserError
from mgsl.models import MODELS, build
from mgsl.models.parts.context_query import depthwise
from mgsl.models.parts.span_prediction import best_cell, highlighted
from mgsl.models.vslnet import VSLNet, VSLNetConfig
from mgsl.parsing import parse
from mgsl.records import Batch
from mgsl.resolving import resolve
from tests import tiny

SIZES = {
    "num_clips": 12,
    "video_dim": 10,
    "word_dim": 8,
    "hidden_dim": 16,
    "heads": 4,
    "positions": 16,
    "dropout": 0.0,
    "initial_positions": "normal",
    "extension": 0.1,
    "highlight_weight": 5.0,
    "proposals": 100,
}


def net(**changes: object) -> VSLNet:
    torch.manual_seed(0)
    return VSLNet(parse(VSLNetConfig, SIZES | changes, where="a test")).eval()


def test_the_best_cell_is_the_best_of_all() -> None:
    torch.manual_seed(0)
    for n in (1, 2, 7, 16):
        for _ in range(40):
            start, end = torch.rand(2).sort().values.tolist()
            best, place = -1.0, (0, 0)
            for i, j in itertools.combinations_with_replacement(range(n), 2):
                common = min(end, (j + 1) / n) - max(start, i / n)
                tiou = max(0.0, common) / (max(end, (j + 1) / n) - min(start, i / n))
                if tiou > best + 1e-12:
                    best, place = tiou, (i, j)
            cell = best_cell(torch.tensor([[start, end]]), torch.tensor([n]))
            assert cell.tolist() == [list(place)]


def test_the_highlight_is_wider_than_the_moment_on_both_sides() -> None:
    mask = torch.ones(1, 400, dtype=torch.bool)
    for length in range(1, 200):
        cells = torch.tensor([[100, 99 + length]])
        extra = round(0.1 * length)
        label = highlighted(cells, mask, 0.1)[0].nonzero()[:, 0].tolist()
        assert label == list(range(100 - extra, 100 + length + extra))
    assert highlighted(torch.tensor([[0, 399]]), mask, 0.1).all()


@pytest.mark.parametrize("n", [64, 200])
def test_what_ignorance_costs(n: int) -> None:
    model = net(num_clips=n, positions=n)
    batch = tiny.batch()
    video = torch.randn(4, n, 10)
    batch = replace(batch, video=video, video_mask=torch.ones(4, n).bool())
    for layer in (model.highlight, model.span.start[2], model.span.end[2]):
        assert isinstance(layer, nn.Linear)
        nn.init.zeros_(layer.weight)
    terms = model.losses(batch)
    assert terms["span"].item() == pytest.approx(2 * math.log(n), rel=1e-5)
    cells = best_cell(batch.target, batch.video_mask.sum(1))
    share = highlighted(cells, batch.video_mask, 0.1).float().mean().item()
    assert terms["highlight"].item() == pytest.approx(5 * math.log(2) * (1 + share), rel=1e-5)


class Literal(NamedTuple):
    span: float
    highlight: float


def literal(model: VSLNet, batch: Batch) -> Literal:
    """The losses, a clip at a time."""
    predicted = model._predict(batch)
    cells = best_cell(batch.target, batch.video_mask.sum(1))
    label = highlighted(cells, batch.video_mask, 0.1)
    span, cost, count = 0.0, 0.0, 0
    for row in range(len(batch)):
        real = batch.video_mask[row].nonzero()[:, 0].tolist()
        for logits, true in zip((predicted.start, predicted.end), cells[row].tolist(), strict=True):
            said = [math.exp(logits[row, t].item()) for t in real]
            span -= math.log(said[true] / sum(said)) / len(batch)
        for t in real:
            p = predicted.highlight[row, t].sigmoid().item()
            cost -= 2 * math.log(p) if label[row, t] else math.log(1 - p)
            count += 1
    return Literal(span, 5 * cost / count)


def test_losses_are_the_literal_ones() -> None:
    model, batch = net(video_dim=tiny.VIDEO_DIM), tiny.batch()
    terms, expected = model.losses(batch), literal(model, batch)
    assert terms["span"].item() == pytest.approx(expected.span, rel=1e-5)
    assert terms["highlight"].item() == pytest.approx(expected.highlight, rel=1e-5)


def test_the_attention_is_the_literal_one() -> None:
    torch.manual_seed(0)
    model, clips, words = net().attention, torch.randn(1, 5, 16), torch.randn(1, 4, 16)
    clip_mask = torch.tensor([[True, True, True, True, False]])
    word_mask = torch.tensor([[True, True, True, False]])
    v, q, s = clips[0, :4], words[0, :3], torch.zeros(4, 3)
    for i, j in itertools.product(range(4), range(3)):
        s[i, j] = model.of_clip @ v[i] + model.of_word @ q[j] + (model.of_both * v[i]) @ q[j]
    a = s.softmax(1) @ q
    b = s.softmax(1) @ s.softmax(0).T @ v
    expected = model.output(torch.cat([v, a, v * a, v * b], dim=1))
    attended = model(clips, words, clip_mask, word_mask)[0, :4]
    torch.testing.assert_close(attended, expected, atol=1e-5, rtol=1e-5)


def test_a_depthwise_convolution_is_the_usual_one() -> None:
    torch.manual_seed(0)
    x, mask = torch.randn(2, 9, 6), torch.ones(2, 9, dtype=torch.bool)
    mask[1, 7:] = False
    weight = torch.randn(6, 1, 7)
    expected = F.conv1d((x * mask[..., None]).mT, weight, padding=3, groups=6).mT
    torch.testing.assert_close(depthwise(x, mask, weight), expected)


def test_the_whole_video_is_the_cell_of_both_ends() -> None:
    model = net()
    assert best_cell(torch.tensor([[0.0, 1.0]]), torch.tensor([12])).tolist() == [[0, 11]]
    first, last = model.cells[:, (model.cells[0] == 0) & (model.cells[1] == 11)][:, 0].tolist()
    assert (first / 12, (last + 1) / 12) == (0.0, 1.0)


def test_candidates_are_the_best_cells_with_their_probability() -> None:
    model, batch = net(video_dim=tiny.VIDEO_DIM, proposals=9), tiny.batch()
    moments, predicted = model(batch), model._predict(batch)
    for row in range(len(batch)):
        count = int(batch.video_mask[row].sum())
        start, end = (x[row, :count].softmax(0) for x in (predicted.start, predicted.end))
        joint = [
            ((start[i] * end[j]).item(), i / count, (j + 1) / count)
            for i, j in itertools.combinations_with_replacement(range(count), 2)
        ]
        best = torch.tensor(sorted(joint, reverse=True)[:9])
        torch.testing.assert_close(moments.scores[row], best[:, 0], atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(moments.spans[row], best[:, 1:])


@pytest.mark.parametrize(
    ("video_dim", "parameters"), [(1024, 752_771), (500, 685_699), (4096, 1_145_987)]
)
def test_the_release_has_as_many_parameters(video_dim: int, parameters: int) -> None:
    """Without characters, the vector of unknown words and the frozen table; 128 positions."""
    sizes = {"video_dim": video_dim, "word_dim": 300, "hidden_dim": 128, "heads": 8}
    model = net(**sizes, positions=128)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("dataset", "parameters"),
    [
        ("charades_i3d", 752_771 - 64 * 128),
        ("tacos_c3d", 1_145_987 + 72 * 128),
        ("activitynet_c3d", 685_699 + 72 * 128),
    ],
)
def test_the_published_sizes_are_those_of_the_release(dataset: str, parameters: int) -> None:
    params = tiny.parameters().model_copy(update={"scale": "paper", "methods": ("vslnet",)})
    parts = resolve(params, dataset, {name: kind.Config for name, kind in MODELS.items()})
    config = parts.runs["vslnet"]
    model = build(config)
    assert isinstance(model, VSLNet)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_where_weights_begin() -> None:
    model = net(hidden_dim=128, heads=8, positions=128)
    assert model.encoder.positions.weight.std().item() == pytest.approx(1, rel=0.05)
    bound = math.sqrt(6 / 256)
    for part in model.encoder.qkv.weight.chunk(3):
        assert part.abs().max().item() == pytest.approx(bound, rel=0.01)
    along = next(model.encoder.along.parameters())
    assert along.abs().max().item() == pytest.approx(math.sqrt(6 / 903), rel=0.01)
    narrow = net(hidden_dim=128, heads=8, positions=128, initial_positions="glorot")
    assert narrow.encoder.positions.weight.abs().max().item() == pytest.approx(bound, rel=0.01)


@pytest.mark.parametrize("changes", [{"heads": 3}, {"positions": 11}])
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        net(**changes)
