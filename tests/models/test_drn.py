"""DRN: its sheet's numbers, its losses against literal ones, its three steps."""

import copy
import math

import pytest
import torch
from torch import Tensor

from mgsl.models import MODELS, build
from mgsl.models.drn import DRN, focal_loss, places, segment_maxima
from mgsl.records import Batch
from mgsl.resolving import resolve
from tests import tiny

RANGES = [(0.0, 6 / 32), (5.6 / 32, 11 / 32), (11 / 32, 1.0)]


def drn(**changes: object) -> DRN:
    torch.manual_seed(0)
    config = tiny.run_config("drn")
    model = build(config.model_copy(update={"model": config.model | changes}))
    assert isinstance(model, DRN)
    return model


def predict(model: DRN, batch: Batch, distances: Tensor) -> None:
    """Let the heads say these distances, whatever they see."""
    said = model._predict(batch)._replace(distances=distances)
    model._predict = lambda *_, **__: said  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("dataset", "parameters"),
    [("tacos_c3d", 38_823_688), ("charades_i3d", 17_583_880), ("activitynet_c3d", 15_845_248)],
)
def test_the_published_sizes_have_the_published_parameters(dataset: str, parameters: int) -> None:
    params = tiny.parameters().model_copy(update={"scale": "paper", "methods": ("drn",)})
    parts = resolve(params, dataset, {name: kind.Config for name, kind in MODELS.items()})
    config = parts.runs["drn"]
    model = build(config)
    assert isinstance(model, DRN)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(("segments", "number"), [(32, 56), (64, 112), (128, 224), (200, 350)])
def test_places_of_the_pyramid(segments: int, number: int) -> None:
    points, low, high = places(segments, RANGES)
    assert len(points) == len(low) == len(high) == number
    if segments == 32:
        assert points[:32].tolist() == [i + 0.5 for i in range(32)]
        assert points[32:48].tolist() == list(range(1, 32, 2))
        assert points[48:].tolist() == list(range(2, 32, 4))
        assert low[[0, 32, 48]].tolist() == pytest.approx([0, 5.6, 11])
        assert high[[0, 32, 48]].tolist() == pytest.approx([6, 11, 32])


def test_the_whole_video_is_left_to_the_coarsest_level() -> None:
    truth, positive = drn(segments=32)._assign(torch.tensor([[0.0, 1.0]]))
    assert truth.amax(-1).min() >= 16
    assert positive[0].tolist() == [False] * 48 + [True] * 8


def test_positives_are_the_literal_ones() -> None:
    model = drn(segments=32)
    targets = torch.tensor([[0.1, 0.2], [0.3, 0.62], [0.0, 0.35], [0.5, 0.505]])
    _, positive = model._assign(targets)
    for row, (start, end) in enumerate((32 * targets).tolist()):
        for place, point in enumerate(model.points.tolist()):
            level = 0 if place < 32 else 1 if place < 48 else 2
            least, most = [(-1, 6), (5.6, 11), (11, math.inf)][level]
            left, right = point - start, end - point
            expected = min(left, right) > 0 and least <= max(left, right) <= most
            assert positive[row, place] == expected, (row, place)


def test_what_a_place_costs_at_the_start() -> None:
    logits = torch.full((1, 2), -math.log(99))
    cost = focal_loss(logits, torch.tensor([[True, False]]), alpha=0.25, gamma=2.0)
    assert cost[0, 0].item() == pytest.approx(0.25 * 0.99**2 * 4.605, abs=1e-3)
    assert cost[0, 1].item() == pytest.approx(7.5e-7, rel=0.01)
    model, batch = drn(segments=32), tiny.batch()
    predicted = model._predict(batch)
    assert predicted.confidence.sigmoid().mean().item() == pytest.approx(0.01, rel=0.1)
    assert predicted.distances.mean().item() == pytest.approx(1, rel=0.1)
    number = model._assign(batch.target)[1].sum().item()
    expected = 1.128 * number / (number + len(batch))
    assert model.losses(batch)["confidence"].item() == pytest.approx(expected, rel=0.1)


def test_perfect_distances_cost_nothing_and_give_the_moment_back() -> None:
    model, batch = drn(segments=32), tiny.batch()
    truth, positive = model._assign(batch.target)
    predict(model, batch, truth)
    assert model.losses(batch)["boundary"].item() == pytest.approx(0, abs=1e-6)
    for row, target in enumerate(batch.target):
        spans = model._spans(truth)[row, positive[row]]
        assert len(spans) > 0
        torch.testing.assert_close(spans, target.expand_as(spans))


def test_losses_are_the_literal_ones() -> None:
    model, batch = drn(segments=32), tiny.batch()
    model.enter(2)
    truth, positive = model._assign(batch.target)
    torch.manual_seed(1)
    noise = torch.rand(truth.shape[0], truth.shape[1], 1)
    predict(model, batch, truth.clamp(min=0.1) * (1 + 0.1 * noise))
    said = model._predict(batch)
    boundary, confidence, head = [], [], []
    for row in range(len(batch)):
        start, end = (32 * batch.target[row]).tolist()
        for place, point in enumerate(model.points.tolist()):
            p = said.confidence[row, place].sigmoid().item()
            left, right = said.distances[row, place].tolist()
            a, b = max(0.0, point - left), min(32.0, point + right)
            iou = max(0.0, min(b, end) - max(a, start)) / (max(b, end) - min(a, start))
            if positive[row, place]:
                confidence.append(-0.25 * (1 - p) ** 2 * math.log(p))
                common = min(left, point - start) + min(right, end - point)
                union = max(left, point - start) + max(right, end - point)
                boundary.append(-math.log(common / union))
            else:
                confidence.append(-0.75 * p**2 * math.log(1 - p))
            if iou > 0.9:
                head.append(0.5 * (said.iou[row, place].sigmoid().item() - iou) ** 2)
    terms = model.losses(batch)
    assert len(head) > 10
    expected = sum(confidence) / (len(boundary) + len(batch))
    assert terms["confidence"].item() == pytest.approx(expected, rel=1e-4)
    assert terms["boundary"].item() == pytest.approx(sum(boundary) / len(boundary), rel=1e-4)
    assert terms["iou"].item() == pytest.approx(sum(head) / len(head), rel=1e-4)


def step(model: DRN, batch: Batch) -> set[str]:
    """Which parameters one step of training changes."""
    before = copy.deepcopy(dict(model.named_parameters()))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    optimizer.zero_grad()
    torch.stack(list(model.losses(batch).values())).sum().backward()
    optimizer.step()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def test_each_step_trains_what_it_should() -> None:
    model, batch = drn(segments=32, trusted_iou=0.01), tiny.batch()
    everything = {name for name, _ in model.named_parameters()}
    head = {name for name in everything if name.startswith("iou_head")}
    assert 0 < len(head) < len(everything)
    rates = [model.enter(0)]
    assert set(model.losses(batch)) == {"confidence", "boundary"}
    assert step(model, batch) == everything - head
    rates.append(model.enter(1))
    assert set(model.losses(batch)) == {"iou"}
    assert step(model, batch) == head
    rates.append(model.enter(2))
    assert step(model, batch) == everything
    assert rates == list(model.config.rates)
    assert [model.stage(epoch / 10) for epoch in range(10)] == [0] * 6 + [1] * 2 + [2] * 2


def test_without_a_trusted_prediction_the_iou_head_stays() -> None:
    model, batch = drn(trusted_iou=0.999), tiny.batch()
    model.enter(1)
    assert model.losses(batch)["iou"].item() == 0
    assert step(model, batch) == set()


def test_the_score_takes_the_iou_once_it_is_trained() -> None:
    model, batch = drn().eval(), tiny.batch()
    predicted = model._predict(batch)
    p, iou = predicted.confidence.sigmoid(), predicted.iou.sigmoid()
    for stage, expected in ((0, p), (1, p * iou), (2, p * iou)):
        model.enter(stage)
        scores = model(batch).scores
        torch.testing.assert_close(scores, expected.sqrt().sort(dim=1, descending=True).values)
        again = drn().eval()
        again.load_state_dict(model.state_dict())
        torch.testing.assert_close(again(batch).scores, scores)


def test_a_segment_is_the_maximum_over_the_clips_it_touches() -> None:
    video = torch.randn(3, 12, 2)
    counts = (12, 9, 3)
    mask = torch.arange(12) < torch.tensor(counts)[:, None]
    pooled = segment_maxima(video.masked_fill(~mask[..., None], 99), mask, 8)
    for row, count in enumerate(counts):
        for segment in range(8):
            start, end = segment * count / 8, (segment + 1) * count / 8
            touched = [clip for clip in range(count) if clip < end and clip + 1 > start]
            torch.testing.assert_close(pooled[row, segment], video[row, touched].amax(0))
