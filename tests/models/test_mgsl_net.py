"""MGSL-Net against slow, literal loops, and the errata of its equations."""

import math

import pytest
import torch
from pydantic import ValidationError

from mgsl.models import build
from mgsl.models.mgsl_net import (
    Alignment,
    Heads,
    HeterogeneousAttention,
    MGSLNet,
    MGSLNetConfig,
)
from mgsl.models.parts.convolution import ClipNorm
from mgsl.models.parts.layers import SelfAttention
from mgsl.models.parts.per_clip import clip_centers, distance_iou, inside
from mgsl.nested import merge
from mgsl.spans import tiou
from tests import tiny


def model(name: str = "mgsl_net") -> MGSLNet:
    torch.manual_seed(0)
    built = build(tiny.run_config(name))
    assert isinstance(built, MGSLNet)
    return built


def softmax(values: list[float]) -> list[float]:
    exponentials = [math.exp(value) for value in values]
    return [e / sum(exponentials) for e in exponentials]


@pytest.mark.equation(1)
@pytest.mark.equation(2)
@torch.no_grad()
def test_alignment_attends_over_words_and_over_clips() -> None:
    torch.manual_seed(0)
    layer, (t, w, d) = Alignment(4, normalized=False), (3, 2, 4)
    video, query = torch.randn(1, t, d), torch.randn(1, w, d)
    every = torch.ones(1, t, dtype=torch.bool), torch.ones(1, w, dtype=torch.bool)
    views = layer(video, query, *every)
    a = [
        [float(layer.from_video(video)[0, i] @ layer.from_query(query)[0, n]) for n in range(w)]
        for i in range(t)
    ]
    for i in range(t):
        weights = softmax(a[i])
        textual = sum(weights[n] * layer.textual(query[0, n]) for n in range(w))
        torch.testing.assert_close(views.textual[0, i], textual)
    for n in range(w):
        weights = softmax([a[i][n] for i in range(t)])
        visual = sum(weights[i] * layer.visual(video[0, i]) for i in range(t))
        torch.testing.assert_close(views.visual[0, n], visual)


@pytest.mark.equation(11)
@pytest.mark.equation(12)
@pytest.mark.equation(13)
@pytest.mark.equation(14)
@torch.no_grad()
def test_the_losses_are_the_printed_sums_with_their_errata() -> None:
    net, batch = model().eval(), tiny.batch()
    predicted = net._predict(batch)
    terms = {"boundary": 0.0, "confidence": 0.0, "iou": 0.0}
    for b in range(len(batch)):
        num_clips = int(batch.video_mask[b].sum())
        start, end = batch.target[b].tolist()
        centers = [(t + 0.5) / num_clips for t in range(num_clips)]
        positive = [start <= c <= end for c in centers]
        assert any(positive)
        for t, c in enumerate(centers):
            d_start, d_end = predicted.distances[b, t].tolist()
            logit, iou = float(predicted.confidence[b, t]), float(predicted.iou[b, t])
            box, truth = torch.tensor([c - d_start, c + d_end]), batch.target[b]
            overlap = float(tiou(box.numpy(), truth.detach().numpy()))
            if positive[t]:
                l1 = smooth_l1(d_start - (c - start)) + smooth_l1(d_end - (end - c))
                printed = (min(c - start, d_start) + min(end - c, d_end)) / (
                    max(c - start, d_start) + max(end - c, d_end)
                )
                assert overlap == pytest.approx(printed, rel=1e-4)
                terms["boundary"] += (l1 - math.log(printed)) / sum(positive) / len(batch)
            share = 1 / (1 + math.exp(-logit))
            bce = -math.log(share if positive[t] else 1 - share)
            terms["confidence"] += bce / sum(positive) / len(batch)
            terms["iou"] += smooth_l1(iou - overlap) / num_clips / len(batch)
    losses = net.losses(batch)
    assert losses.keys() == terms.keys()
    for name, expected in terms.items():
        assert losses[name].item() == pytest.approx(expected, rel=1e-4), name


def smooth_l1(x: float) -> float:
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def test_the_printed_iou_of_distances_can_be_negative_and_the_erratum_cannot() -> None:
    truth, predicted = torch.tensor([[[0.1, 0.4]]]), torch.tensor([[[0.4, 0.1]]])
    printed = (0.1 - 0.4) / (0.4 - 0.1)  # min(d_e) - max(d_s) over max(d_e) - min(d_s)
    assert printed < 0
    assert distance_iou(truth, predicted).item() == pytest.approx(0.2 / 0.8)


def test_a_moment_shorter_than_a_clip_still_has_a_positive_clip() -> None:
    mask = torch.ones(2, 10, dtype=torch.bool)
    mask[1, 5:] = False
    targets = torch.tensor([[0.51, 0.52], [0.95, 1.0]])
    positive = inside(targets, mask)
    assert positive.sum(1).tolist() == [1, 1]
    assert positive[0, 5]
    assert positive[1, 4]


def test_clip_centres_count_the_real_clips_only() -> None:
    mask = torch.tensor([[True, True, False, False]])
    torch.testing.assert_close(clip_centers(mask)[0, :2], torch.tensor([0.25, 0.75]))


def test_heterogeneous_attention_is_what_its_figure_says() -> None:
    torch.manual_seed(0)
    layer, d = HeterogeneousAttention(4, self_attention=True, calibration="attention"), 4
    video, words = torch.randn(1, 3, 8), torch.randn(1, 2, 8)
    context = torch.randn(1, 3, 4)
    every = torch.ones(1, 3, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)

    def unit(name: str, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        rows = []
        for q in query[0]:
            weights = softmax([float(q @ k) / math.sqrt(d) for k in key[0]])
            rows.append(q + sum(w * k for w, k in zip(weights, key[0], strict=True)))
        return layer.norms[name](torch.stack(rows)[None])

    x, y, g = layer.video(video), layer.query(words), layer.context(context)
    self_x, self_y = unit("clips", x, x), unit("words", y, y)
    expected = [self_x, unit("inter", self_x, self_y), unit("calibration", g, self_x)]
    torch.testing.assert_close(layer(video, words, context, *every), torch.cat(expected, -1))


def test_as_printed_a_stream_is_replaced_by_what_is_read_of_it() -> None:
    printed, residual = model("printed").eval(), model().eval()
    with dict(printed.probes())["memory_zeroed"]:
        flat = printed(tiny.batch(1)).scores
    with dict(residual.probes())["memory_zeroed"]:
        varied = residual(tiny.batch(1)).scores
    assert flat.std() < varied.std()


def test_the_probes_put_the_memory_back() -> None:
    net = model().eval()
    kept, batch = net.memories()[0].slots.clone(), tiny.batch()
    before = net(batch).scores
    for name, damage in net.probes():
        with damage:
            assert name == "memory_initial" or not torch.equal(net(batch).scores, before)
    assert torch.equal(net.memories()[0].slots, kept)
    assert torch.equal(net(batch).scores, before)


def test_a_step_moves_the_memory_and_evaluation_does_not() -> None:
    net, batch = model().train(), tiny.batch()
    before = net.memories()[0].slots.clone(), net.memories()[1].slots.clone()
    sum(net.losses(batch).values()).backward()  # type: ignore[union-attr]
    net.after_step()
    assert not torch.equal(net.memories()[0].slots, before[0])
    assert not torch.equal(net.memories()[1].slots, before[1])


def test_micro_batches_keep_the_mean_of_what_they_wrote() -> None:
    net = model("printed").train()
    parts = tiny.batch(4).chunks(2)
    written = []
    for part in parts:
        net.losses(part)
        written.append(net.memories()[0]._written[-1])
    net.after_step()
    torch.testing.assert_close(net.memories()[0].slots, torch.stack(written).mean(0))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"memory": {"beta": 1.0, "learn_beta": True}}, "beta"),
        ({"encoder": {"attention_heads": 3}}, "must be a multiple of attention_heads=3"),
        ({"dim": 0}, "dim"),
        ({"encoder": {"dropout": 1.0}}, "dropout"),
        ({"heads": {"kernel": 4}}, "kernel must be odd, got 4"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict, complaint: str) -> None:
    document = merge(tiny.run_config().model, changes)
    with pytest.raises(ValidationError, match=complaint):
        MGSLNetConfig.model_validate(document)


def test_the_parameters_at_the_papers_scale_are_counted() -> None:
    """Sixteen square maps in the memories; on TACoS 203.9 MiB in all, where 203 is printed (A5)."""
    config = tiny.run_config("printed")
    paper = tiny.parameters().models["mgsl_net"].sizes["paper"]
    shape = {
        "video_dim": 4096,
        "word_dim": 300,
        "dim": 1024,
        "video_slots": 512,
        "query_slots": 512,
    }
    with torch.device("meta"):
        net = MGSLNet(MGSLNetConfig.model_validate(merge(config.model, paper) | shape))
    memories = [*net.video_memory.parameters(), *net.query_memory.parameters()]
    sharpness = 4 * 2
    assert sum(p.numel() for p in memories) == 16 * (1024 * 1024 + 1024) + sharpness
    size = sum(p.numel() for p in net.parameters()) * 4 / 2**20
    assert size == pytest.approx(203.9, abs=0.05)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@torch.no_grad()
def test_the_heads_are_the_convolutions_that_they_hold(kernel: int) -> None:
    torch.manual_seed(0)
    heads = Heads(6, channels=4, kernel=kernel, normalized=False, initial_distance=0.2)
    fused, mask = torch.randn(2, 5, 6), torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False

    def literal(layers: torch.nn.ModuleList) -> torch.Tensor:
        x = fused.mT * mask[:, None]
        for layer in layers[:-1]:
            x = layer(x).relu() * mask[:, None]
        return layers[-1](x).mT

    outputs = heads(fused, mask)
    distances = 0.2 * (heads.scale * literal(heads.boundary)).exp()
    torch.testing.assert_close(outputs.distances, distances)
    torch.testing.assert_close(outputs.confidence, literal(heads.confidence).squeeze(-1))
    torch.testing.assert_close(outputs.iou, literal(heads.iou).squeeze(-1).sigmoid())


@torch.no_grad()
def test_batch_normalisation_counts_the_real_clips_alone() -> None:
    torch.manual_seed(0)
    norm, x = ClipNorm(3).train(), torch.randn(2, 5, 3)
    real = torch.ones(2, 5, 1, dtype=torch.bool)
    real[1, 2:] = False
    clips = [x[0, t] for t in range(5)] + [x[1, t] for t in range(2)]
    mean = sum(clips) / 7
    variance = sum((clip - mean) ** 2 for clip in clips) / 7
    y = norm(x, real)
    for t in range(2):
        torch.testing.assert_close(y[1, t], (x[1, t] - mean) / (variance + norm.eps).sqrt())
    torch.testing.assert_close(y[1, 2:], x[1, 2:])
    torch.testing.assert_close(norm.running_mean, 0.1 * mean)
    alone, together = norm.eval()(x[1:], real[1:]), norm(x, real)
    torch.testing.assert_close(alone[0], together[1])


@pytest.mark.parametrize("window", [0, 1, 2])
@torch.no_grad()
def test_self_attention_looks_within_its_window_and_never_at_padding(window: int) -> None:
    torch.manual_seed(0)
    layer = SelfAttention(dim=4, attention_heads=1, dropout=0.0, window=window, normalized=False)
    x, mask = torch.randn(1, 6, 4), torch.tensor([[True] * 5 + [False]])
    query, key, value = (layer.qkv(x)[0, :, 4 * i : 4 * i + 4] for i in range(3))
    y = layer(x, mask)
    for i in range(5):
        near = [j for j in range(5) if not window or abs(i - j) <= window]
        weights = softmax([float(query[i] @ key[j]) / 2 for j in near])
        attended = sum(w * value[j] for w, j in zip(weights, near, strict=True))
        torch.testing.assert_close(y[0, i], x[0, i] + layer.out(attended))
    assert y.isfinite().all()


@torch.no_grad()
def test_distances_start_where_they_are_told() -> None:
    for distance in (0.2, 1.0):
        heads = Heads(6, channels=4, kernel=3, normalized=False, initial_distance=distance)
        heads.scale.zero_()
        outputs = heads(torch.randn(1, 5, 6), torch.ones(1, 5, dtype=torch.bool))
        torch.testing.assert_close(outputs.distances, torch.full((1, 5, 2), distance))
