"""CMIN against its authors' code, its equations and labels written out, and its sizes.

`golden/cmin.npz` was made by ikuinen/CMIN_moment_retrieval at 4f96560 with made-up weights, inputs
and parses, no dropout: `full` as released, where every clip is real; `alone` each query by itself
at its own lengths. The biases of the 39 relations are stacked here.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mgsl.errors import UserError
from mgsl.models import build, cmin
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
from tests import golden, tiny

RELATIONS = 39  # of the parser that the authors used


def model(**changes: object) -> CMIN:
    torch.manual_seed(0)
    config = tiny.run_config("cmin")
    built = build(config.model_copy(update={"model": config.model | changes}))
    assert isinstance(built, CMIN)
    return built


class Official:
    """The model with the authors' weights, what they fed it, and what came out."""

    def __init__(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arrays, self.kind = golden.load("cmin"), kind
        self.model = model(
            video_dim=8, heads=4, dropout=0.0, anchors=self.arrays["in/widths"].tolist()
        ).eval()
        layers = len(self.model.graph)
        self.model.graph = nn.ModuleList(GraphLayer(8, relations=RELATIONS) for _ in range(layers))
        with torch.no_grad():
            for name, tensor in self.tensors().items():
                tensor.copy_(self[f"param/{name}"].view(tensor.shape))
        relations = torch.arange(RELATIONS)[:, None, None, None] + 2
        graph = (self["in/adjacency"] == relations).float()
        monkeypatch.setattr(cmin, "chain", lambda _: graph)
        counts = torch.full((3,), 12) if kind == "full" else self["in/video_length"]
        ends = self["target/frames"] + torch.tensor([0, 1])
        self.batch = Batch(
            self["in/video"], torch.arange(12) < counts[:, None],
            self["in/word_vectors"], self["in/query_mask"].bool(), ends / counts[:, None],
        )  # fmt: skip

    def __getitem__(self, name: str) -> Tensor:
        array = torch.from_numpy(np.asarray(self.arrays[name]))
        return array.float() if array.is_floating_point() else array

    def expected(self, name: str) -> Tensor:
        """What their code gives for the real clips or words; what is padded comes as zeros."""
        return self[f"{self.kind}/{name}"].nan_to_num(0)

    def tensors(self) -> dict[str, Tensor]:
        """What is behind each of their names."""
        net = self.model
        tensors = {
            "v2s.ws1.weight": net.word_attention.from_steps.weight,
            "v2s.ws1.bias": net.word_attention.from_steps.bias,
            "v2s.ws2.weight": net.word_attention.from_words.weight,
            "v2s.wst.weight": net.word_attention.score.weight,
            "cross_gate.fc_gate1.weight": net.gate_of_words.weight,
            "cross_gate.fc_gate2.weight": net.gate_of_video.weight,
            "fc_score.weight": net.score.weight,
            "fc_score.bias": net.score.bias,
            "fc_reg.weight": net.offset.weight,
            "fc_reg.bias": net.offset.bias,
        }
        grus = {
            "video_encoder.rnn": net.video,
            "sentence_encoder.rnn": net.query,
            "rnn": net.fusion,
        }
        for name, gru in grus.items():
            for layer, suffix in ((gru.forwards, ""), (gru.backwards, "_reverse")):
                for part, parameter in layer.named_parameters():
                    tensors[f"{name}.gru.{part}{suffix}"] = parameter
        for k, layer in enumerate(net.attention):
            name = f"video_encoder.attn_layers.{k}"
            for part in ("weight", "bias"):
                tensors[f"{name}.in_proj_{part}"] = getattr(layer.qkv, part)
                tensors[f"{name}.out_proj.{part}"] = getattr(layer.out, part)
        for k, layer in enumerate(net.graph):
            for n, kind in enumerate(("dir", "gate")):
                name = f"sentence_encoder.gcn_layers.{k}.fc_{kind}"
                linears = layer.gate if n else layer.message
                tensors |= {f"{name}_weight.{w}.weight": linears[w].weight for w in range(3)}
                tensors[f"{name}_bias1.0"] = layer.own_bias[n]
                tensors |= {f"{name}_bias{2 + w}": layer.biases[n, w] for w in range(2)}
        return tensors


@pytest.fixture(params=["full", "alone"])
def official(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Official:
    return Official(request.param, monkeypatch)


def close(found: Tensor, expected: Tensor, rtol: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=rtol)


def test_every_weight_of_the_authors_code_has_its_place(official: Official) -> None:
    theirs = {key.removeprefix("param/") for key in official.arrays if key.startswith("param/")}
    assert official.tensors().keys() == theirs


@torch.no_grad()
def test_every_layer_gives_what_the_authors_code_gives(official: Official) -> None:
    net, batch = official.model, official.batch
    clips, words = batch.video_mask[..., None], batch.query_mask[..., None]
    entering: dict[str, Tensor] = {}
    net.video.register_forward_hook(lambda _, x, y: entering.update(video=x[0]))
    net.query.register_forward_hook(lambda _, x, y: entering.update(words=x[0]))
    video, encoded = net._encode(batch)
    close(entering["video"] * clips, official.expected("video_before_rnn"))
    close(entering["words"] * words, official.expected("words_before_rnn") * words)
    close(video, official.expected("video"))
    close(encoded, official.expected("words"))
    weights = net.word_attention.weights(video, encoded, batch.query_mask)
    close(weights * clips, official.expected("word_attention"))
    attended = net.word_attention(video, encoded, batch.query_mask)
    close(attended * clips, official.expected("attended_words"))
    gated = net._gated(video, attended)
    names = ("gated_video", "gated_words")
    expected = torch.cat([official.expected(name) for name in names], dim=-1)
    close(gated * clips, expected)
    close(net.fusion(gated, batch.video_mask), official.expected("fused"))
    logits, offsets = net._predict(batch)
    expected = official.expected("score_logits")
    close(logits.view_as(expected) * clips, expected)
    expected = official.expected("offsets")
    close(offsets.view_as(expected) * clips[..., None], expected)


@torch.no_grad()
def test_answers_are_those_of_the_authors_code(official: Official) -> None:
    """Theirs are of whole clips, the last one included; and here none leaves the video."""
    moments, count = official.model(official.batch), official.batch.video_mask.sum(1)
    first = moments.spans[:, 0] * count[:, None]
    expected = official.expected("answer") + torch.tensor([0.0, 1.0])
    close(first, torch.minimum(expected.clamp(min=0), count[:, None]))
    real = legal(official.model.anchors, count)
    close(moments.scores[:, 0], (official.expected("scores").flatten(1) * real).amax(1))


@torch.no_grad()
def test_labels_are_those_of_the_authors_code(official: Official) -> None:
    net, count = official.model, official.batch.video_mask.sum(1)
    real = official["alone/legal"].nan_to_num(0)
    label = official["alone/label"].nan_to_num(0)
    if official.kind == "full":
        real, label = official["target/legal"].float(), official["target/label"]
    assert torch.equal(legal(net.anchors, count).float(), real.flatten(1))
    close(net._labels(official.batch.target * count[:, None], count), label.flatten(1))
    close(net.anchors - torch.tensor([0.0, 1.0]), official["anchors"].flatten(0, 1))


def test_losses_and_gradients_are_those_of_the_authors_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    official = Official("full", monkeypatch)
    terms = official.model.losses(official.batch)
    close(terms["overlap"], official["full/loss/classification"])
    close(terms["regression"] / 1e-3, official["full/loss/regression"])
    loss = terms["overlap"] + terms["regression"]
    close(loss, official["full/loss/total"])
    loss.backward()
    names = [key.split("/")[-1] for key in official.arrays if "/gradnorm/" in key]
    assert len(names) > 50
    for name in names:
        tensor = official.tensors()[name]
        if tensor.is_leaf:
            gradient = tensor.grad
        else:  # a bias of a word's own
            number, kind = name.split(".")[-3:-1]
            layer = official.model.graph[int(number)]
            assert layer.own_bias.grad is not None
            gradient = layer.own_bias.grad[int("gate" in kind)]
        assert gradient is not None
        torch.testing.assert_close(
            gradient.norm(), official[f"full/gradnorm/{name}"], atol=1e-7, rtol=1e-4
        )


@torch.no_grad()
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
    layer, x = net.attention[0].eval(), torch.randn(1, 30, 8)
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
                  torch.tensor([[0.2, 0.4]]))  # fmt: skip
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
