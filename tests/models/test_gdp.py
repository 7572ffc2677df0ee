"""GDP: its places, graphs, branches, losses and answers against literal ones; its sizes."""

import itertools
import math
from dataclasses import replace
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgsl.errors import UserError
from mgsl.models.gdp import (
    GDP,
    Branches,
    GDPConfig,
    PlacePrediction,
    PlacePyramid,
    class_loss,
    places,
    pool,
)
from mgsl.models.parts.place_graphs import FrameGraph, SceneGraph
from mgsl.parsing import parse
from mgsl.records import Batch
from tests import tiny

SIZES = {
    "video_dim": tiny.VIDEO_DIM,
    "word_dim": 8,
    "hidden_dim": 16,
    "heads": 4,
    "positions": 16,
    "dropout": 0.0,
    "head_layers": 2,
    "levels": 3,
    "level_edges": None,
    "graph": "scene",
    "graph_layers": 1,
    "scenes": 5,
    "class_loss": "balanced",
    "confidence": "centrality",
    "regression_weight": 1.0,
    "confidence_weight": 1.0,
    "pooled_iou": None,
}
COUNTS = (12, 6, 3)  # of places, level by level
POINTS, LEVEL = places(12, 3)


def net(**changes: object) -> GDP:
    torch.manual_seed(0)
    return GDP(parse(GDPConfig, SIZES | changes, where="a test")).eval()


def moment(start: float, end: float, clips: int = 12) -> Batch:
    """One query of one whole video; its moment in clips."""
    batch = tiny.batch(1)
    return replace(batch, target=torch.tensor([[start, end]]) / clips)


def said(model: GDP, distances: Tensor) -> PlacePrediction:
    """A prediction of these distances, with every place as sure as any."""
    even = torch.zeros(distances.shape[:2])
    return PlacePrediction(even, distances, even)


def test_places_lie_in_the_middle_of_what_they_stand_for() -> None:
    points, level = places(8, 3)
    assert points.tolist() == [
        *(0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5),
        *(1.0, 3.0, 5.0, 7.0, 9.0),
        *(2.0, 6.0, 10.0),
    ]
    assert level.tolist() == [0] * 9 + [1] * 5 + [2] * 3


def test_foreground_is_every_place_within_the_moment_at_every_level() -> None:
    model = net()
    truth, positive = model._assign(moment(2.5, 6.0))
    assert POINTS[positive[0]].tolist() == [2.5, 3.5, 4.5, 5.5, 3.0, 5.0, 6.0]
    assert truth[positive].tolist() == [
        [0.0, 3.5], [1.0, 2.5], [2.0, 1.5], [3.0, 0.5], [0.5, 3.0], [2.5, 1.0], [3.5, 0.0]
    ]  # fmt: skip


def test_places_behind_the_end_of_a_video_do_not_count() -> None:
    batch, model = tiny.batch(), net()
    whole = replace(batch, target=torch.tensor([[0.0, 1.0]] * 4))
    positive = model._assign(whole)[1]
    assert positive[0].sum() == sum(COUNTS)
    assert POINTS[positive[1]].tolist() == [*(i + 0.5 for i in range(9)), 1, 3, 5, 7, 2, 6]


def test_levels_can_answer_for_moments_of_their_length_alone() -> None:
    model = net(level_edges=[0.25, 0.5])
    for start, end in ((2.0, 5.0), (1.0, 8.0), (0.0, 12.0)):
        positive = model._assign(moment(start, end))[1][0]
        for x, level, answers in zip(POINTS, LEVEL, positive, strict=True):
            farther = max(x.item() - start, end - x.item()) / 12
            own = 0 if farther <= 0.25 else 1 if farther <= 0.5 else 2
            assert answers.item() == (start <= x <= end and x < 12 and own == level)


def test_a_moment_longer_than_a_clip_has_foreground_and_a_short_one_costs_a_finite_loss() -> None:
    model = net(levels=4)
    batch = tiny.batch(1)
    video, mask = torch.randn(1, 16, tiny.VIDEO_DIM), torch.ones(1, 16).bool()
    batch = replace(batch, video=video, video_mask=mask)
    for start in torch.linspace(0, 14.9, 50).tolist():
        target = torch.tensor([[start, start + 1.01]]) / 16
        assert model._assign(replace(batch, target=target))[1][0, :16].any()
    terms = model.losses(replace(batch, target=torch.tensor([[0.6, 0.9]]) / 16))
    assert all(term.isfinite() for term in terms.values())
    assert terms["boundary"] == terms["confidence"] == 0


def test_perfect_distances_cost_nothing_and_give_the_moment_from_everywhere() -> None:
    model, batch = net(), moment(1.2, 9.7)
    truth, positive = model._assign(batch)
    with mock.patch.object(model, "_predict", return_value=said(model, truth)):
        assert model.losses(batch)["boundary"].item() == pytest.approx(0, abs=1e-6)
        moments = model(batch)
    assert moments.spans.shape[1] == sum(COUNTS) + 3
    real = moments.scores[0] > 0
    expected = batch.target[0].expand(int(real.sum()), 2)
    torch.testing.assert_close(moments.spans[0][real], expected)
    assert set(LEVEL[positive[0]].tolist()) == {0, 1, 2}


def test_distances_twice_as_long_cost_the_logarithm_of_two() -> None:
    model, batch = net(), moment(3.0, 7.0)
    truth, _ = model._assign(batch)
    with mock.patch.object(model, "_predict", return_value=said(model, 2 * truth)):
        assert model.losses(batch)["boundary"].item() == pytest.approx(math.log(2), rel=1e-5)


@pytest.mark.parametrize("confidence", ["centrality", "iou"])
def test_losses_of_the_foreground_are_the_literal_ones(confidence: str) -> None:
    model = net(confidence=confidence, regression_weight=2.0, confidence_weight=3.0)
    batch = moment(2.1, 8.4)
    predicted = model._predict(batch)
    overlap, quality, number = 0.0, 0.0, 0
    for place, x in enumerate(POINTS.tolist()):
        before, after = x - 2.1, 8.4 - x
        if before < 0 or after < 0 or x > 12:
            continue
        left, right = predicted.distances[0, place].tolist()
        common = min(before, left) + min(after, right)
        iou = common / (max(before, left) + max(after, right))
        label = min(before, after) / max(before, after) if confidence == "centrality" else iou
        p = predicted.confidence[0, place].sigmoid().item()
        overlap -= math.log(iou)
        quality -= label * math.log(p) + (1 - label) * math.log(1 - p)
        number += 1
    terms = model.losses(batch)
    assert terms["boundary"].item() == pytest.approx(2 * overlap / number, rel=1e-4)
    assert terms["confidence"].item() == pytest.approx(3 * quality / number, rel=1e-4)


def test_centrality_is_one_in_the_middle_and_none_at_the_ends() -> None:
    model, batch = net(), moment(2.5, 6.5)
    confidence = torch.full((1, 24), 50.0)
    for sure, cost in (({4.5}, 0.0), ({2.5}, 50.0), ({6.5}, 50.0)):
        truth, positive = model._assign(batch)
        picked = positive & torch.tensor([x in sure for x in POINTS.tolist()])
        prediction = said(model, truth)._replace(confidence=confidence)
        with (
            mock.patch.object(model, "_predict", return_value=prediction),
            mock.patch.object(model, "_assign", return_value=(truth, picked)),
        ):
            assert model.losses(batch)["confidence"].item() == pytest.approx(cost, abs=1e-5)


def test_loss_of_the_class_is_the_literal_one_and_ignorance_costs_two_logarithms() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 30)
    positive = torch.rand(2, 30) < 0.2
    negative = ~positive & (torch.rand(2, 30) < 0.8)
    sums, focal = {True: 0.0, False: 0.0}, 0.0
    for i, j in itertools.product(range(2), range(30)):
        p = logits[i, j].sigmoid().item()
        if positive[i, j]:
            sums[True] -= math.log(p)
            focal -= 0.25 * (1 - p) ** 2 * math.log(p)
        elif negative[i, j]:
            sums[False] -= math.log(1 - p)
            focal -= 0.75 * p**2 * math.log(1 - p)
    each, other = positive.sum().item(), negative.sum().item()
    balanced = class_loss("balanced", logits, positive, negative).item()
    assert balanced == pytest.approx(sums[True] / each + sums[False] / other, rel=1e-5)
    cost = class_loss("focal", logits, positive, negative).item()
    assert cost == pytest.approx(focal / each, rel=1e-5)
    even = class_loss("balanced", 0 * logits, positive, negative).item()
    assert even == pytest.approx(2 * math.log(2), rel=1e-6)


def convolution(layer: nn.Linear, x: Tensor, stride: int = 1) -> Tensor:
    """One of the framework, of three places; x and what comes out: dim by places."""
    kernel = layer.weight.unflatten(1, (3, -1)).transpose(1, 2)
    return F.conv1d(x[None], kernel, layer.bias, stride, padding=1)[0]


def test_the_pyramid_is_the_literal_one() -> None:
    torch.manual_seed(0)
    model, clips = PlacePyramid(6, 3), torch.randn(1, 8, 6)
    points = places(8, 3)[0]
    levels = [clips[0].T]
    for halve in model.halves:
        levels.append(convolution(halve, levels[-1], 2).relu())
    sums: list[Tensor] = [torch.zeros(6, 1)] * 3
    for level in (2, 1, 0):
        sums[level] = model.lateral[level](levels[level].T).relu().T
        if level < 2:
            above = sums[level + 1]
            doubled = [above[:, place // 2] for place in range(2 * above.shape[1])]
            sums[level] = sums[level] + torch.stack(doubled, dim=1)
    real = (points < 8)[None, :, None]
    outputs = model(clips, real)[0][real[0, :, 0]]
    expected = [convolution(o, x).relu().T for o, x in zip(model.output, sums, strict=True)]
    torch.testing.assert_close(outputs, torch.cat(expected), atol=1e-6, rtol=1e-5)


def test_the_branches_read_each_level_for_itself() -> None:
    torch.manual_seed(0)
    model, x = Branches(6, 2, 3), torch.randn(1, 17, 6)
    with torch.no_grad():
        model.scales.copy_(torch.tensor([0.5, 1.0, 2.0]))
    points, level = places(8, 3)
    real = (points < 8)[None, :, None]
    predicted = model(x, real, level)
    for number, scale in enumerate(model.scales):
        own = (level == number) & (points < 8)
        firsts = convolution(model.first, x[0, own].T).relu().chunk(3)
        biases = model.biases.split([1, 2, 1])
        outputs = []
        for states, tower, output, bias in zip(
            firsts, model.towers, model.outputs, biases, strict=True
        ):
            for layer in tower:
                states = convolution(layer, states).relu()
            kernel = output.weight.unflatten(0, (3, -1)).permute(1, 2, 0)
            outputs.append(F.conv1d(states[None], kernel, bias, padding=1)[0])
        torch.testing.assert_close(predicted.foreground[0, own], outputs[0][0])
        torch.testing.assert_close(predicted.distances[0, own], (scale * outputs[1]).exp().T)
        torch.testing.assert_close(predicted.confidence[0, own], outputs[2][0])


def test_scenes_are_the_literal_ones_and_padding_belongs_to_none() -> None:
    torch.manual_seed(0)
    model, x = SceneGraph(6, 1, 4), torch.randn(1, 5, 6)
    real = torch.tensor([[True, True, False, True, True]])[..., None]
    theta = torch.zeros(5, 4)
    for m, s in itertools.product(range(5), range(4)):
        theta[m, s] = model.weights.weight[s] @ x[0, m] if real[0, m] else 0
    scenes = torch.zeros(4, 3)
    for s, m in itertools.product(range(4), range(5)):
        scenes[s] += theta[m, s] * (model.values.weight @ x[0, m]) / 4
    edges = torch.eye(4) - model.edges[0].weight
    changed = scenes + ((edges @ scenes) @ model.maps[0].weight.T).relu()
    expected = x[0].clone()
    for m, s in itertools.product(range(5), range(4)):
        expected[m] += theta[m, s] * (model.output.weight @ changed[s])
    outputs = model(x, real)[0]
    torch.testing.assert_close(outputs, expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(outputs[2], x[0, 2])
    nn.init.zeros_(model.output.weight)
    assert torch.equal(model(x, real), x)


def test_the_graph_of_frames_is_the_literal_one() -> None:
    torch.manual_seed(0)
    model, x = FrameGraph(6, 2), torch.randn(1, 5, 6)
    real = torch.tensor([[True, True, False, True, True]])[..., None]
    a, b = model.ends.weight.chunk(2)
    weights = torch.zeros(5, 5)
    for m, n in itertools.product(range(5), range(5)):
        if real[0, n]:
            weights[m, n] = math.exp(((a @ x[0, m]) @ (b @ x[0, n])).item() / 6**0.5)
    weights = weights / weights.sum(1, keepdim=True)
    expected = x[0]
    for layer in model.maps:
        expected = expected + (weights @ expected @ layer.weight.T).relu()
    torch.testing.assert_close(model(x, real)[0], expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(weights.sum(1), torch.ones(5))


def test_without_a_graph_the_pyramid_is_what_the_branches_read() -> None:
    with_graph, without = net(), net(graph="none")
    state = {k: v for k, v in with_graph.state_dict().items() if not k.startswith("graph")}
    without.load_state_dict(state)
    assert isinstance(with_graph.graph, SceneGraph)
    nn.init.zeros_(with_graph.graph.output.weight)
    batch = tiny.batch()
    assert torch.equal(with_graph(batch).spans, without(batch).spans)


def test_answers_are_all_places_by_foreground_times_confidence() -> None:
    model, batch = net(), tiny.batch()
    moments, predicted = model(batch), model._predict(batch)
    for row, count in enumerate(batch.video_mask.sum(1).tolist()):
        rows = []
        for place, x in enumerate(POINTS.tolist()):
            if x < count:
                left, right = predicted.distances[row, place].tolist()
                ends = (max(0, (x - left) / count), min(1, (x + right) / count))
                sure = predicted.foreground[row, place].sigmoid()
                rows.append(((sure * predicted.confidence[row, place].sigmoid()).item(), *ends))
        best = torch.tensor(sorted(rows, reverse=True))
        torch.testing.assert_close(moments.scores[row, : len(best)], best[:, 0])
        torch.testing.assert_close(moments.spans[row, : len(best)], best[:, 1:])
        assert (moments.scores[row, len(best) :] == 0).all()


def test_pooling_reaches_as_far_as_what_overlaps_the_best() -> None:
    spans = torch.tensor([[[0.2, 0.6], [0.1, 0.6], [0.2, 0.7], [0.5, 0.9], [0.25, 0.5]]])
    real = torch.ones(1, 5).bool()
    torch.testing.assert_close(pool(spans, real, 0.7), torch.tensor([[0.1, 0.7]]))
    torch.testing.assert_close(pool(spans, real, 0.9), spans[:, 0])
    real[0, 2] = False
    torch.testing.assert_close(pool(spans, real, 0.7), torch.tensor([[0.1, 0.6]]))
    alike = spans[:, :1].expand(1, 5, 2)
    assert torch.equal(pool(alike, real, 0.7), alike[:, 0])


def test_only_the_first_answer_is_pooled() -> None:
    batch = tiny.batch()
    moments, plain = net(pooled_iou=0.3)(batch), net()(batch)
    assert torch.equal(moments.scores, plain.scores)
    assert torch.equal(moments.spans[:, 1:], plain.spans[:, 1:])
    assert (moments.spans[:, 0, 0] <= plain.spans[:, 0, 0]).all()
    assert (moments.spans[:, 0, 1] >= plain.spans[:, 0, 1]).all()
    assert not torch.equal(moments.spans, plain.spans)


def test_clips_are_padded_to_what_the_levels_divide_by() -> None:
    model, batch = net(), tiny.batch()
    batch = replace(batch, video=batch.video[:, :10], video_mask=batch.video_mask[:, :10])
    assert (model(batch).scores > 0).sum(1).tolist() == [10 + 5 + 2, *[9 + 4 + 2] * 3]


@pytest.mark.parametrize(
    ("video_dim", "clips", "millions"), [(500, 200, 1.43), (4096, 200, 1.89), (1024, 64, 1.48)]
)
def test_it_is_about_as_large_as_it_was_reckoned(
    video_dim: int, clips: int, millions: float
) -> None:
    """With four levels and two graph layers; nothing was published."""
    model = net(
        video_dim=video_dim, word_dim=300, hidden_dim=128, heads=8,
        positions=clips, head_layers=4, levels=4, graph="frame", graph_layers=2,
    )  # fmt: skip

    def count(module: nn.Module | None) -> float:
        assert module is not None
        return sum(parameter.numel() for parameter in module.parameters()) / 1e6

    assert count(model) == pytest.approx(millions, rel=0.025)
    assert count(model.branches) == pytest.approx(0.59, abs=0.005)
    assert count(model.pyramid) == pytest.approx(0.41, abs=0.005)
    assert count(model.graph) == pytest.approx(0.07, abs=0.005)


@pytest.mark.parametrize("changes", [{"heads": 3}, {"level_edges": [0.5]}])
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        net(**changes)
