"""SCDM against its equations and losses written out, and its sizes."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mgsl.errors import UserError
from mgsl.models import build
from mgsl.models.scdm import SCDM, BiSRU, ModulatedBlock, SCDMConfig, anchor_grid, stretched
from mgsl.parsing import parse
from tests import tiny

SHORT = {"grid": 16, "hidden_dim": 16, "head_channels": 8, "dropout": 0.0, "weight_decay": 0.0}
TERMS = ("positive", "hard_negative", "easy_negative", "center", "width")


def model(**changes: object) -> SCDM:
    torch.manual_seed(0)
    config = tiny.run_config("scdm")
    built = build(config.model_copy(update={"model": config.model | SHORT | changes}))
    assert isinstance(built, SCDM)
    return built


def close(ours: Tensor, expected: Tensor, atol: float = 1e-5, rtol: float = 1e-5) -> None:
    torch.testing.assert_close(ours, expected, atol=atol, rtol=rtol)


def test_the_recurrence_is_the_literal_one() -> None:
    torch.manual_seed(0)
    layer, words = BiSRU(3, 8), torch.randn(2, 5, 3)
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    states = layer(words, mask)
    assert not states[1, 3:].any()
    for row, length in enumerate((5, 3)):
        for way in (0, 1):
            memory = torch.zeros(4)
            for n in range(length)[:: 1 - 2 * way]:
                entering = layer.inputs[way].weight @ words[row, n]
                forget, keep = layer.gates[way](words[row, n]).sigmoid().chunk(2)
                memory = torch.tanh(forget * memory + (1 - forget) * entering)
                expected = keep * memory + (1 - keep) * entering
                close(states[row, n, 4 * way : 4 * way + 4], expected)


@torch.no_grad()
def test_a_block_is_the_literal_modulation() -> None:
    torch.manual_seed(0)
    block = ModulatedBlock(6, kernel=3, stride=2, attends=True)
    x, words = torch.randn(1, 8, 6), torch.randn(1, 4, 6)
    mask = torch.tensor([[True, True, True, False]])
    assert block.attention is not None
    rows = []
    for a in x[0]:
        w = block.attention.score.weight[0]
        scores = [
            float(w @ (block.attention.from_words(s) + block.attention.from_steps(a)).tanh())
            for s in words[0, :3]
        ]
        shares = [math.exp(score) / sum(map(math.exp, scores)) for score in scores]
        context = sum(share * s for share, s in zip(shares, words[0, :3], strict=True))
        scale, shift = (layer(context).tanh() for layer in block.modulation)
        normal = (a - x[0].mean(0)) / (x[0].var(0, correction=0) + 1e-6).sqrt()
        rows.append(torch.relu(scale * normal + shift))
    rows.append(torch.zeros(6))
    expected = [
        block.convolution.bias
        + sum(block.convolution.weight[:, :, k] @ rows[2 * i + k] for k in range(3))
        for i in range(4)
    ]
    close(block(x, words, mask, words.mean(1))[0], torch.stack(expected))


@torch.no_grad()
def test_what_is_modulated_is_normal_over_time() -> None:
    block, given = ModulatedBlock(6, kernel=3, stride=1, attends=False), []
    for layer, value in zip(block.modulation, (9.0, 0.0), strict=True):
        nn.init.zeros_(layer.weight)
        nn.init.constant_(layer.bias, value)
    block.convolution.register_forward_hook(lambda _, x, y: given.append(x[0]))
    x = 3 * torch.randn(2, 32, 6) + 1
    block(x, x[:, :1], torch.ones(2, 1, dtype=torch.bool), x[:, 0])
    normal = (x - x.mean(1, keepdim=True)) / x.std(1, correction=0, keepdim=True)
    close(given[0], normal.relu(), atol=1e-4)


@torch.no_grad()
def test_one_word_changes_all_levels() -> None:
    net, batch = model().eval(), tiny.batch(1)
    query = batch.query.clone()
    query[:, 2] += 1
    logits = [net._predict(b)[0] for b in (batch, replace(batch, query=query))]
    differ = (logits[0] != logits[1]).float() @ net.level
    assert (differ > 0).all()


def test_the_anchors_of_the_papers_grids() -> None:
    ratios = (0.25, 0.5, 0.75, 1.0)
    charades = anchor_grid(64, [16, 8, 4, 2, 1], ratios)
    assert len(charades) == 124
    assert charades[:4, 1].tolist() == [1, 2, 3, 4]
    assert charades[-4:, 1].tolist() == [16, 32, 48, 64]
    assert len(anchor_grid(256, [64, 32, 16, 8, 4, 2, 1], ratios)) == 508
    seconds = anchor_grid(1024, [256, 128, 64, 32, 16, 8, 4], ratios)
    assert len(seconds) == 2032
    assert (seconds[:, 1] > 1).sum() == 1776
    tacos = anchor_grid(1024, [256, 128, 64, 32, 16], ratios)[:, 1]
    assert ((tacos > 1) & (tacos < 64)).sum() == 1712


@torch.no_grad()
def test_offsets_move_an_anchor_by_a_tenth_at_most() -> None:
    net = model()
    offsets = torch.zeros(1, len(net.anchors), 2)
    assert torch.equal(net._decode(offsets)[0], net.anchors)
    for sign, factor in ((1, 1.105), (-1, 0.905)):
        moved = net._decode(offsets + sign)[0]
        close(moved[:, 1] / net.anchors[:, 1], torch.full((len(moved),), factor), atol=1e-3)
        close(moved[:, 0], net.anchors[:, 0] + sign * 0.1 * net.anchors[:, 1])


@torch.no_grad()
def test_the_losses_are_the_literal_sums() -> None:
    net, batch = model(least_width=1.0, hard_logit=0.0, weight_decay=0.01).eval(), tiny.batch(8)
    logits, offsets = net._predict(batch)
    decoded, config, start = net._decode(offsets), net.config, 0
    totals = dict.fromkeys(TERMS, 0.0)
    for cells in (4, 2, 1):
        costs: dict[str, list[float]] = {name: [] for name in TERMS}
        for b in range(len(batch)):
            s, e = (batch.target[b] * config.grid).tolist()
            for n in range(start, start + 4 * cells):
                center, width = net.anchors[n].tolist()
                if width <= 1:
                    continue
                common = max(0.0, min(e, center + width / 2) - max(s, center - width / 2))
                o = common / (width + e - s - common)
                p = 1 / (1 + math.exp(-float(logits[b, n])))
                cost = -o * math.log(p) - (1 - o) * math.log(1 - p)
                if o > 0.5:
                    costs["positive"].append(cost)
                    wanted_of = {"center": (s + e) / 2, "width": e - s}
                    for (name, wanted), value in zip(wanted_of.items(), decoded[b, n], strict=True):
                        off = abs(float(value) - wanted)
                        costs[name].append(off**2 / 2 if off < 1 else off - 0.5)
                elif o < config.negative_iou:
                    costs["hard_negative" if logits[b, n] > 0 else "easy_negative"].append(cost)
        start += 4 * cells
        for name, values in costs.items():
            totals[name] += sum(values) / max(1, len(values))
    terms = net.losses(batch)
    weights = {"positive": 100.0, "hard_negative": 50.0, "easy_negative": 50.0,
               "center": 50.0, "width": 20.0}  # fmt: skip
    for name, total in totals.items():
        assert total > 0
        assert terms[name].item() == pytest.approx(weights[name] * total, rel=1e-4)
    norm = sum(float(p.square().sum()) for p in net.parameters())
    assert terms["penalty"].item() == pytest.approx(0.01 / 2 * norm, rel=1e-4)


@torch.no_grad()
def test_logits_of_zero_cost_what_the_weights_say() -> None:
    net = model().eval()
    for head in net.heads:
        nn.init.zeros_(head.overlap[-1].weight)
    batch = replace(tiny.batch(3), target=torch.tensor([[0, 0.25], [0.0, 0.5], [0.0, 1.0]]))
    terms = net.losses(batch)
    assert terms["hard_negative"] == 0
    levels = torch.tensor([100 * math.log(2), 50 * math.log(2)])
    close(levels.sum(), torch.tensor(103.97), atol=5e-3)
    close(torch.stack([terms["positive"], terms["easy_negative"]]), 3 * levels, rtol=1e-4)


@torch.no_grad()
def test_clips_are_stretched_to_the_grid() -> None:
    clips = torch.randn(2, 8, 3)
    mask = torch.arange(8) < torch.tensor([[8], [4]])
    assert torch.equal(stretched(clips, mask, 8)[0], clips[0])
    short = stretched(clips, mask, 8)[1]
    for i in range(8):
        where = min(max((i + 0.5) * 4 / 8 - 0.5, 0), 3)
        low = math.floor(where)
        high = min(low + 1, 3)
        close(short[i], clips[1, low] * (1 - where + low) + clips[1, high] * (where - low))


def test_a_single_query_can_be_learned_from() -> None:
    net = model().train()
    torch.stack(list(net.losses(tiny.batch(1)).values())).sum().backward()
    assert all(value.isfinite().all() for value in net.state_dict().values())


@pytest.mark.parametrize(
    ("dataset", "video_dim", "grid", "number"),
    [
        ("charades", 1024, 64, 12_491_964),
        ("tacos", 4096, 64, 14_588_092),  # of their five levels, 256 to 16 cells
        ("activitynet", 4096, 256, 18_140_628),
    ],
)
def test_the_parameters_at_the_original_sizes_are_counted(
    dataset: str, video_dim: int, grid: int, number: int
) -> None:
    """Without the word table, and without the attention that the code has and does not use."""
    block = tiny.parameters().models["scdm"]
    document = tiny.run_config("scdm").model | block.sizes["paper"] | block.choices
    document |= block.by_dataset["paper"].get(dataset, {})
    document |= {"word_dim": 300, "video_dim": video_dim, "grid": grid}
    with torch.device("meta"):
        net = SCDM(parse(SCDMConfig, document, where="the test"))
    assert sum(parameter.numel() for parameter in net.parameters()) == number


@pytest.mark.parametrize(("changes", "problem"), [({"grid": 48}, "power of two"),
                                                  ({"kernel": 4}, "odd")])  # fmt: skip
def test_impossible_configurations_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        model(**changes)
