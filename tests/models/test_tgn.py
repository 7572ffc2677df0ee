"""TGN against its equations written out, its anchors and labels, and the sizes of its parts."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from mgsl.models import build
from mgsl.models.parts.interactor import Interactor, QueryEncoder, half_square
from mgsl.models.tgn import TGN, TGNConfig
from mgsl.parsing import parse
from tests import tiny

PAPER = {"activitynet": 200, "tacos": 200, "charades": 64}


def model(**changes: object) -> TGN:
    torch.manual_seed(0)
    config = tiny.run_config("tgn")
    built = build(config.model_copy(update={"model": config.model | changes}))
    assert isinstance(built, TGN)
    return built


def original(dataset: str = "activitynet", **changes: Any) -> TGN:
    """At the sizes of the paper, without memory for its weights."""
    block = tiny.parameters().models["tgn"]
    document = tiny.run_config("tgn").model | block.sizes["paper"] | block.choices
    document |= block.by_dataset["paper"][dataset] | {"num_clips": PAPER[dataset]}
    document |= {"word_dim": 300} | changes
    with torch.device("meta"):
        return TGN(parse(TGNConfig, document, where="the test"))


def sizes(net: TGN) -> dict[str, int]:
    return {
        name: sum(p.numel() for p in part.parameters() if p.requires_grad)
        for name, part in net.named_children()
    }


@torch.no_grad()
def test_the_interactor_is_the_literal_recurrence() -> None:
    torch.manual_seed(0)
    layer = Interactor(clip_dim=4, query_dim=6, hidden_dim=5, attention_dim=3, dropout=0.0)
    for bias in (layer.from_words.bias, layer.cell.bias_ih, layer.cell.bias_hh):
        torch.nn.init.normal_(bias)
    words, clips = torch.randn(2, 4, 6), torch.randn(2, 7, 4)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    states = layer(words, mask, clips)
    w, b = layer.score.weight[0], layer.from_words.bias
    concatenated = torch.cat(
        [layer.from_words.weight, layer.from_clips.weight, layer.from_state.weight], dim=1
    )
    for row, length in enumerate((4, 2)):
        state, memory = torch.zeros(5), torch.zeros(5)
        for t in range(7):
            beta = [
                float(w @ (concatenated @ torch.cat([word, clips[row, t], state]) + b).tanh())
                for word in words[row, :length]
            ]
            total = sum(map(math.exp, beta))
            alpha = [math.exp(value) / total for value in beta]
            assert sum(alpha) == pytest.approx(1)
            attended = sum(a * word for a, word in zip(alpha, words[row], strict=False))
            inputs = torch.cat([clips[row, t], attended])[None]
            state, memory = (x[0] for x in layer.cell(inputs, (state[None], memory[None])))
            torch.testing.assert_close(states[row, t], state)


@torch.no_grad()
def test_a_clip_does_not_see_the_next() -> None:
    net, batch = model().eval(), tiny.batch(1)
    later = batch.video.clone()
    later[:, 7] += 1
    before, after = net._logits(batch), net._logits(replace(batch, video=later))
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:])


@torch.no_grad()
def test_dropout_is_where_the_code_has_it() -> None:
    torch.manual_seed(0)
    encoder = QueryEncoder(8, hidden_dim=6, dropout=0.5, bidirectional=True).train()
    words, mask = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    a, b = encoder(words, mask), encoder(words, mask)
    assert torch.equal(a[..., 6:], b[..., 6:])  # the backward direction has none
    dropped = (a[..., :6] == 0).float().mean()
    assert 0.3 < dropped < 0.7
    assert not torch.equal(a[..., :6], b[..., :6])
    net = model(dropout=0.5).train()
    states = [net.interactor(words[..., :4].repeat(1, 1, 4), mask, torch.ones(2, 3, 16))
              for _ in range(2)]  # fmt: skip
    assert not torch.equal(*states)
    assert (states[0] == 0).sum() == 0  # not of the output


@pytest.mark.parametrize(
    ("num_clips", "anchors", "number"),
    [
        (128, range(1, 101), 7850),
        (60, range(1, 33), 1424),
        (200, range(1, 101), 15_050),
        (200, range(1, 33), 5904),
        (30, range(3, 23), 370),
        (64, range(3, 23), 1050),
        (200, range(5, 201, 5), 3940),
        (200, [*range(1, 17), *range(20, 101, 4)], 6041),
        (64, range(6, 45, 2), 800),
    ],
)
def test_there_are_as_many_proposals_as_counted(num_clips: int, anchors: Any, number: int) -> None:
    net = model(num_clips=num_clips, anchors=list(anchors)).eval()
    batch = replace(
        tiny.batch(1),
        video=torch.randn(1, num_clips, tiny.VIDEO_DIM),
        video_mask=torch.ones(1, num_clips, dtype=torch.bool),
    )
    with torch.no_grad():
        moments = net(batch)
        assert net._logits(batch).shape == (1, num_clips, len(anchors))
    assert moments.spans.shape == (1, number, 2)
    lengths = (moments.spans[0, :, 1] - moments.spans[0, :, 0]) * num_clips
    assert set(lengths.round().int().tolist()) == set(anchors)
    torch.testing.assert_close(lengths, lengths.round(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("dataset", PAPER)
def test_the_anchors_at_the_papers_scale_are_the_suggested_ones(dataset: str) -> None:
    expected = {
        "activitynet": [*range(5, 201, 5)],
        "tacos": [*range(1, 17), *range(20, 101, 4)],
        "charades": [*range(6, 45, 2)],
    }
    assert list(original(dataset).config.anchors) == expected[dataset]


def literal_labels(net: TGN, target: Tensor, t: int, a: int) -> tuple[bool, bool]:
    start, end = target.tolist()
    common = max(0.0, min(t + 1, end) - max(t + 1 - a, start))
    tiou = common / (a + end - start - common)
    return tiou > net.config.positive_iou, tiou < net.config.negative_iou


@torch.no_grad()
def test_the_loss_is_the_literal_sum() -> None:
    net, batch = model(weight_decay=0.01).eval(), tiny.batch()
    net.positive_weight = torch.rand(len(net.config.anchors)) * 9 + 1
    logits, total, steps, ignored = net._logits(batch), 0.0, 0, 0
    for b in range(len(batch)):
        length = int(batch.video_mask[b].sum())
        steps += length
        for t in range(length):
            for k, a in enumerate(net.config.anchors):
                positive, negative = literal_labels(net, batch.target[b] * length, t, a)
                share = 1 / (1 + math.exp(-float(logits[b, t, k])))
                if positive:
                    total -= float(net.positive_weight[k]) * math.log(share)
                elif negative:
                    total -= math.log(1 - share)
                else:
                    ignored += 1
    losses = net.losses(batch)
    assert ignored > 0
    assert losses["anchors"].item() == pytest.approx(total / steps, rel=1e-4)
    norm = sum(float(p.square().sum()) for p in net.parameters())
    for lstm in (net.query_encoder.forwards, net.video_encoder, net.interactor.cell):
        forget = list(lstm.parameters())[2].chunk(4)[1]
        norm += sum((value - 1) ** 2 - value**2 for value in forget.tolist())
    assert losses["penalty"].item() == pytest.approx(0.01 / 2 * norm, rel=1e-4)


@pytest.mark.parametrize(("number", "expected"), [(100, 69.31), (32, 22.18), (20, 13.86)])
def test_logits_of_zero_cost_log_two_an_anchor(number: int, expected: float) -> None:
    net, batch = model(anchors=list(range(1, number + 1))), tiny.batch()
    torch.nn.init.zeros_(net.grounder.weight)
    batch.target[:] = torch.tensor([0.5, 0.5])  # a moment of no length: all anchors are negative
    assert net.losses(batch)["anchors"].item() == pytest.approx(expected, abs=5e-3)


def test_an_anchor_that_is_the_target_is_positive() -> None:
    net, target = model(), torch.tensor([[3.0, 7.0]])
    positive, negative = net._labels(target)
    assert positive[0, 6, net.config.anchors.index(4)]
    assert not (positive & negative).any()


def test_positives_weigh_what_their_frequency_says() -> None:
    net, targets = model(most_weight=30.0), tiny.batch(6).target
    net.before_training(targets)
    for k, a in enumerate(net.config.anchors):
        labels = [
            literal_labels(net, target * tiny.CLIPS, t, a)
            for target in targets
            for t in range(tiny.CLIPS)
        ]
        positive, negative = (sum(sign) for sign in zip(*labels, strict=True))
        expected = min(30.0, negative / max(1, positive))
        assert net.positive_weight[k].item() == pytest.approx(expected)
    assert "positive_weight" in net.state_dict()


def test_weights_of_positives_are_counted_at_thresholds_of_their_own_and_may_have_no_most() -> None:
    targets = tiny.batch(6).target

    def weights(**changes: object) -> list[float]:
        net = model(**changes)
        net.before_training(targets)
        return net.positive_weight.tolist()

    apart = {"positive_iou": 0.85, "negative_iou": 0.15}
    assert weights(weighed_iou=[0.7, 0.3], **apart) == weights()
    unbounded = weights(weighed_iou=[0.5, 0.5], most_weight=None)
    assert max(unbounded) > 10
    assert weights(weighed_iou=[0.5, 0.5], most_weight=10.0) == [min(10.0, w) for w in unbounded]


def test_the_weights_are_those_of_the_code_on_each_dataset() -> None:
    configs = {name: original(name).config for name in PAPER}
    for name, config in configs.items():
        own = (0.5, 0.5) if name == "tacos" else (0.7, 0.3)
        assert config.weighed_iou == own
        assert config.most_weight == (None if name == "tacos" else 100.0)


def test_the_parameters_at_the_original_sizes_are_counted() -> None:
    """Without the attention's constant, which its softmax does not see."""
    for video_dim, number in [(500, 7_695_401), (1024, 8_768_553), (4096, 15_060_009)]:
        net = original(video_dim=video_dim)
        assert sum(sizes(net).values()) + 1 == number
    counts = sizes(original(video_dim=4096, anchors=list(range(1, 101))))
    assert {name: count for name, count in counts.items() if count} == {
        "query_encoder": 1_665_024,
        "video_encoder": 9_439_232,
        "interactor": 787_457 - 1 + 3_147_776,
        "grounder": 51_300,
    }
    assert sum(counts.values()) + 1 == 15_090_789
    tacos = sizes(original("tacos", video_dim=4096, anchors=list(range(1, 33))))
    assert sum(tacos.values()) + 1 == 15_055_905
    charades = sizes(original("charades", video_dim=4096))
    assert sum(charades.values()) + 1 == 18_025_493
    assert counts["interactor"] - 3_147_776 == 786_944 + 513 - 1


def test_the_penalty_of_forgetting_is_of_what_was_learned_beyond_its_start() -> None:
    net = model()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        for lstm in (net.query_encoder.forwards, net.video_encoder, net.interactor.cell):
            list(lstm.parameters())[2].chunk(4)[1].fill_(1.5)
    assert half_square(net).item() == pytest.approx(3 * 16 * 0.5**2 / 2)


def test_thresholds_that_cross_are_refused() -> None:
    document = model().config.model_dump_json().replace('"negative_iou":0.3', '"negative_iou":0.8')
    with pytest.raises(ValidationError, match=r"positive at 0\.7 and negative at 0\.8"):
        TGNConfig.model_validate_json(document)
