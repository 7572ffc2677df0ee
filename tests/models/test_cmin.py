"""CMIN against its equations and labels written out, and its sizes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mgsl.errors import UserError
from mgsl.models import build
from mgsl.models.cmin import (
    CMIN,
    BiGRU,
    CMINConfig,
    GraphLayer,
    anchors_inside,
    centered_anchors,
    chain,
    legal,
)
from mgsl.parsing import parse
from mgsl.records import Batch
from tests import tiny

RELATIONS = 39  # of the parser that the authors used


def model(**changes: object) -> CMIN:
    torch.manual_seed(0)
    config = tiny.run_config("cmin")
    built = build(config.model_copy(update={"model": config.model | changes}))
    assert isinstance(built, CMIN)
    return built


def close(ours: Tensor, expected: Tensor, rtol: float = 1e-5) -> None:
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=rtol)


def test_a_graph_layer_is_the_literal_sum() -> None:
    torch.manual_seed(0)
    layer, x = GraphLayer(4, relations=2), torch.randn(1, 5, 4)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    edges = torch.zeros(5, 5, dtype=torch.long)  # row: head; column: dependent
    edges[0, 1] = edges[3, 4] = 1
    edges[0, 2] = edges[2, 3] = 2
    rows = []
    for i in range(5):
        total = torch.zeros(4)
        for j in range(5):
            kinds = [(0, layer.own_bias[:, None])] if i == j else []
            if edges[i, j]:
                kinds.append((1, layer.biases[:, 0, edges[i, j] - 1].flatten(1)[:, None]))
            if edges[j, i]:
                kinds.append((2, layer.biases[:, 1, edges[j, i] - 1].flatten(1)[:, None]))
            for way, bias in kinds:
                y = layer.message[way].weight @ x[0, j]
                gate = torch.sigmoid(layer.gate[way].weight @ y + bias[1, 0])
                total += gate * (y + bias[0, 0])
        rows.append(total.relu())
    graph = torch.stack([(edges == r).float() for r in (1, 2)])[:, None]
    close(layer(x, graph)[0], torch.stack(rows))


@torch.no_grad()
def test_without_edges_words_do_not_meet() -> None:
    layer, x = GraphLayer(4, relations=1), torch.randn(1, 5, 4)
    order = torch.tensor([3, 1, 4, 0, 2])
    nothing = torch.zeros(1, 1, 5, 5)
    close(layer(x[:, order], nothing), layer(x, nothing)[:, order])


def test_the_directions_start_alike_and_without_biases() -> None:
    layer = GraphLayer(4, relations=1)
    for linears in (layer.message, layer.gate):
        assert all(torch.equal(linears[0].weight, other.weight) for other in linears[1:])
    assert not layer.own_bias.any()
    assert not layer.biases.any()


def test_the_chain_joins_each_word_to_the_next() -> None:
    mask = torch.tensor([[True] * 4, [True, True, False, False], [True] + [False] * 3])
    edges = [[tuple(edge) for edge in graph.nonzero().tolist()] for graph in chain(mask)[0]]
    assert edges == [[(0, 1), (1, 2), (2, 3)], [(0, 1)], []]
    assert chain(mask[:, :1]).shape == (1, 3, 1, 1)


@torch.no_grad()
def test_padding_does_not_reach_a_recurrent_unit() -> None:
    layer, x = BiGRU(3, 8), torch.randn(2, 6, 3)
    mask = torch.arange(6) < torch.tensor([[6], [4]])
    states = layer(x, mask)
    close(states[1, :4], layer(x[1:, :4], mask[1:, :4])[0])
    assert not states[1, 4:].any()


def test_a_clip_attends_to_three_on_either_side() -> None:
    net = model(num_clips=30, anchors=[2])
    assert net.config.attention_window == 3
    layer, x = net.attention[0].eval(), torch.randn(1, 30, net.config.input_dim)
    mask = torch.ones(1, 30, dtype=torch.bool)
    for row, expected in ((15, range(12, 19)), (0, range(4))):
        x.requires_grad_().grad = None
        layer(x, mask)[0, row].square().sum().backward()
        assert x.grad is not None
        assert x.grad[0].abs().sum(-1).nonzero()[:, 0].tolist() == list(expected)


@pytest.mark.parametrize(
    ("widths", "number", "entropy"),
    [((16, 32, 64, 96, 128, 160, 192), 719, 0.356), ((6, 18, 32), 547, 0.632)],
)
def test_the_anchors_that_lie_in_the_video_are_counted(
    widths: tuple[int, ...], number: int, entropy: float
) -> None:
    (real,) = legal(centered_anchors(200, widths), torch.tensor([200])).nonzero(as_tuple=True)[1:]
    assert anchors_inside(200, widths) == real.tolist()
    assert len(real) == number
    net = model(num_clips=200, anchors=list(widths)).eval()
    for parameter in net.score.parameters():
        nn.init.zeros_(parameter)
    mask = torch.ones(1, 200, dtype=torch.bool)
    words = torch.randn(1, 4, tiny.WORD_DIM)
    batch = Batch(torch.randn(1, 200, tiny.VIDEO_DIM), mask, words, mask[:, :4],
                  torch.tensor([[0.2, 0.4]]), torch.ones(1, 4).long())  # fmt: skip
    with torch.no_grad():
        assert net.losses(batch)["overlap"].item() == pytest.approx(entropy, abs=5e-4)
        assert net(batch).spans.shape == (1, number, 2)


@torch.no_grad()
def test_offsets_of_zero_leave_the_anchors_at_whole_clips() -> None:
    net, batch = model().eval(), tiny.batch(1)
    for parameter in net.offset.parameters():
        nn.init.zeros_(parameter)
    spans = net(batch).spans[0] * tiny.CLIPS
    expected = net.anchors[net.inside].floor()
    close(torch.tensor(sorted(spans.tolist())), torch.tensor(sorted(expected.tolist())))


@torch.no_grad()
def test_the_losses_are_the_literal_sums() -> None:
    net, batch = model().eval(), tiny.batch()
    logits, offsets = net._predict(batch)
    total, entries, off = 0.0, 0, 0.0
    for b in range(len(batch)):
        length = int(batch.video_mask[b].sum())
        start, end = (batch.target[b] * length).tolist()
        rows = []
        for t in range(length):
            for k, width in enumerate(net.config.anchors):
                entries += 1
                first, last = t - (width - 1) / 2, t + (width - 1) / 2  # by their middles
                if first >= 0 and last < length:
                    common = max(0.0, min(last, end - 1) - max(first, start) + 1)
                    rows.append((common / (width + end - start - common), t, k))
        best = max(tiou for tiou, _, _ in rows)
        labels = [tiou / best if tiou >= 0.3 * best else 0.0 for tiou, _, _ in rows]
        assert max(labels) == 1
        for label, (_, t, k) in zip(labels, rows, strict=True):
            share = 1 / (1 + math.exp(-float(logits[b, t * len(net.config.anchors) + k])))
            total -= label * math.log(share) + (1 - label) * math.log(1 - share)
        _, t, k = rows[labels.index(1)]
        for side, wanted in enumerate((start, end)):
            base = math.floor(t + 0.5 + (side - 0.5) * net.config.anchors[k])
            offset = float(offsets[b, t * len(net.config.anchors) + k, side])
            error = abs(base + offset - wanted)
            off += (error**2 / 2 if error < 1 else error - 0.5) / (2 * len(batch))
    terms = net.losses(batch)
    assert terms["overlap"].item() == pytest.approx(total / entries, rel=1e-4)
    assert terms["regression"].item() == pytest.approx(1e-3 * off, rel=1e-4)


@pytest.mark.parametrize(
    ("dataset", "changes", "number"),
    [
        ("activitynet", {"video_dim": 500}, 8_229_701),
        ("tacos", {"video_dim": 500}, 8_223_545),
        ("tacos", {"video_dim": 4096, "input_dim": 4096}, 145_993_497),
        ("tacos", {"video_dim": 4096}, 10_272_045),
        ("charades", {"video_dim": 1024, "anchors": [16, 24, 32, 40]}, 8_865_564),
    ],
)
def test_the_parameters_at_the_original_sizes_are_counted(
    dataset: str, changes: dict[str, Any], number: int
) -> None:
    """With the biases of all 39 relations in place of those of one."""
    block = tiny.parameters().models["cmin"]
    document = tiny.run_config("cmin").model | block.sizes["paper"] | block.choices
    document |= block.by_dataset["paper"][dataset] | {"word_dim": 300, "num_clips": 200} | changes
    with torch.device("meta"):
        net = CMIN(parse(CMINConfig, document, where="the test"))
        graph = GraphLayer(300, relations=RELATIONS)
    left_out = len(net.graph) * (count(graph) - count(net.graph[0]))
    assert count(net) + left_out == number


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"heads": 3}, "3 heads do not divide"), ({"anchors": [13]}, "longer than 12 clips")],
)
def test_impossible_configurations_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        model(**changes)
