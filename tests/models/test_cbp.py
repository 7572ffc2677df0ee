"""CBP against its equations and losses written out, and its sizes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mgsl.errors import UserError
from mgsl.models import build
from mgsl.models.cbp import CBP, CBPConfig, Context, boundary_clips
from mgsl.parsing import parse
from tests import tiny

PAPER = {"activitynet": 200, "tacos": 200, "charades": 64}


def model(**changes: object) -> CBP:
    torch.manual_seed(0)
    config = tiny.run_config("cbp")
    built = build(config.model_copy(update={"model": config.model | changes}))
    assert isinstance(built, CBP)
    return built


def original(dataset: str, **changes: Any) -> CBP:
    """At the sizes of the paper, without memory for its weights."""
    block = tiny.parameters().models["cbp"]
    document = tiny.run_config("cbp").model | block.sizes["paper"] | block.choices
    document |= block.by_dataset["paper"][dataset] | {"num_clips": PAPER[dataset]}
    document |= {"word_dim": 300, "video_dim": 4096} | changes
    with torch.device("meta"):
        return CBP(parse(CBPConfig, document, where="the test"))


def close(ours: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def literal_context(layer: Context, states: Tensor, length: int) -> Tensor:
    rows = []
    for t in range(length):
        half = layer.neighbours // 2
        near = range(max(0, t - half), min(length, t + half)) if half else range(length)
        query = layer.query.weight @ states[t]
        maps = layer.query if layer.key is None else layer.key
        scores = [
            float(query @ (maps.weight @ states[s])) / math.sqrt(len(states[t])) for s in near
        ]
        shares = [math.exp(score) / sum(map(math.exp, scores)) for score in scores]
        assert sum(shares) == pytest.approx(1)
        around = sum(share * states[s] for share, s in zip(shares, near, strict=True))
        rows.append(torch.cat([around, states[t]]))
    return torch.stack(rows)


@torch.no_grad()
@pytest.mark.parametrize("neighbours", [0, 2, 4, 10])
def test_the_context_is_the_literal_sum(neighbours: int) -> None:
    torch.manual_seed(0)
    layer, states = Context(6, map_dim=8, neighbours=neighbours), torch.randn(2, 9, 6)
    mask = torch.arange(9) < torch.tensor([[9], [5]])
    context = layer(states, mask)
    assert context.isfinite().all()
    for row, length in enumerate((9, 5)):
        expected = literal_context(layer, states[row], length)
        torch.testing.assert_close(context[row, :length], expected)


def test_ten_neighbours_are_five_before_and_four_after() -> None:
    visible = Context(6, map_dim=8, neighbours=10).seen(torch.ones(1, 30, dtype=torch.bool))[0]
    assert visible[12].nonzero()[:, 0].tolist() == list(range(7, 17))
    assert visible[0].sum() == 5
    assert Context(6, map_dim=8, neighbours=60).seen(torch.ones(1, 30, dtype=torch.bool)).all()


@torch.no_grad()
def test_only_the_shared_map_compares_alike_both_ways() -> None:
    states = torch.randn(5, 6)
    for neighbours, alike in ((4, True), (0, False)):
        layer = Context(6, map_dim=8, neighbours=neighbours)
        key = layer.query if layer.key is None else layer.key
        scores = layer.query(states) @ key(states).T
        assert torch.allclose(scores, scores.T, atol=1e-6) == alike


@torch.no_grad()
def test_an_anchor_is_scored_with_its_ends() -> None:
    net, batch = model().eval(), tiny.batch()
    anchors, boundaries = net._logits(batch)
    assert boundaries is not None
    moments = net(batch)
    for b in range(len(batch)):
        length, expected = int(batch.video_mask[b].sum()), []
        for t in range(length):
            for k, a in enumerate(net.config.anchors):
                if a <= t + 1:
                    p, start, end = (
                        1 / (1 + math.exp(-float(x)))
                        for x in (anchors[b, t, k], boundaries[b, t + 1 - a], boundaries[b, t])
                    )
                    fused = (p + (start + end) / 2) / 2
                    expected.append((fused, (t + 1 - a) / length, (t + 1) / length))
        expected.sort(key=lambda row: -row[0])
        there = len(expected)
        assert moments.scores[b, :there].tolist() == pytest.approx([row[0] for row in expected])
        spans = torch.tensor([row[1:] for row in expected])
        torch.testing.assert_close(moments.spans[b, :there], spans)
        assert (moments.scores[b, there:] == 0).all()


@torch.no_grad()
def test_the_boundary_loss_is_the_literal_sum() -> None:
    net, batch = model().eval(), tiny.batch()
    net.before_training(batch.target)
    _, boundaries = net._logits(batch)
    assert boundaries is not None
    total, clips = 0.0, 0
    for b in range(len(batch)):
        length = int(batch.video_mask[b].sum())
        start, end = (batch.target[b] * length).tolist()
        for t in range(length):
            share = 1 / (1 + math.exp(-float(boundaries[b, t])))
            if t in (math.floor(start), min(math.floor(end), length - 1)):
                total -= float(net.boundary_positive_weight) * math.log(share)
            else:
                total -= math.log(1 - share)
            clips += 1
    expected = net.config.boundary_weight * total / clips
    assert net.losses(batch)["boundary"].item() == pytest.approx(expected, rel=1e-4)


def test_a_moment_has_two_boundaries_or_one() -> None:
    targets, count = torch.tensor([[0.0, 1.0], [0.3, 0.35], [0.5, 0.75]]), torch.tensor([10, 10, 8])
    assert boundary_clips(targets, count).tolist() == [[0, 9], [3, 3], [4, 6]]
    net = model(num_clips=10)
    net.before_training(targets[:2])
    assert net.boundary_positive_weight.item() == pytest.approx((20 - 3) / 3)


def test_weights_are_counted_at_thresholds_of_their_own() -> None:
    net, targets = model(most_weight=1e6), tiny.batch(6).target
    net.before_training(targets)
    again = model(most_weight=1e6, positive_iou=0.9, negative_iou=0.1)
    again.before_training(targets)
    assert torch.equal(net.positive_weight, again.positive_weight)
    other = model(most_weight=1e6, weighed_iou=[0.5, 0.5])
    other.before_training(targets)
    assert not torch.equal(net.positive_weight, other.positive_weight)


@torch.no_grad()
def test_logits_of_zero_cost_log_two() -> None:
    net, batch = model(boundary_weight=1.0), tiny.batch()
    assert net.boundary is not None
    for layer in (net.grounder, net.boundary):
        nn.init.zeros_(layer.weight)
    batch.target[:] = torch.tensor([0.5, 0.5])  # a moment of no length: all anchors are negative
    terms = net.losses(batch)
    number = len(net.config.anchors)
    assert terms["anchors"].item() == pytest.approx(number * math.log(2), rel=1e-5)
    assert terms["boundary"].item() == pytest.approx(math.log(2), rel=1e-5)


def test_lstms_start_from_one_orthogonal_matrix_and_one_bias() -> None:
    layers = [layer for layer in model().modules() if isinstance(layer, nn.LSTM | nn.LSTMCell)]
    assert len(layers) == 3
    for layer in layers:
        inputs, states, bias, unused = layer.parameters()
        joint = torch.cat([inputs, states], dim=1)
        torch.testing.assert_close(joint.T @ joint, torch.eye(joint.shape[1]), atol=1e-5, rtol=0)
        assert bias.tolist() == [0.0] * 16 + [1.0] * 16 + [0.0] * 32
        assert not unused.requires_grad
        assert not unused.any()


@pytest.mark.parametrize(
    ("dataset", "anchors", "number"),
    [
        ("activitynet", range(1, 101), 15_404_133),
        ("tacos", range(1, 33), 15_335_458),
        ("charades", range(3, 23), 18_298_902),
    ],
)
def test_the_parameters_at_the_original_sizes_are_counted(
    dataset: str, anchors: range, number: int
) -> None:
    """Without the attention's constant, which its softmax does not see."""
    net = original(dataset, anchors=list(anchors))
    learned = {n: p.numel() for n, p in net.named_parameters() if p.requires_grad}
    assert sum(learned.values()) + 1 == number
    assert sum(n for name, n in learned.items() if name.startswith("context")) == 262_144


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"negative_iou": 0.8}, r"positive at 0\.7 and negative at 0\.8"),
        ({"weighed_iou": [0.2, 0.3]}, r"positive at 0\.2 and negative at 0\.3"),
        ({"neighbours": 3}, "neighbours"),
    ],
)
def test_impossible_configurations_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        model(**changes)
