"""LGI: its labels, losses and convolutions against literal ones, its sizes."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mgsl.errors import UserError
from mgsl.models import MODELS, build
from mgsl.models.lgi import (
    LGI,
    LGIConfig,
    LocalContext,
    PhraseAttention,
    attended,
    distinctness,
)
from mgsl.parsing import parse
from mgsl.resolving import resolve
from tests import tiny

ANET = {
    "num_clips": 12,
    "video_dim": 10,
    "word_dim": 8,
    "hidden_dim": 16,
    "attention_dim": 8,
    "phrases": 5,
    "kernel": 5,
    "blocks": 1,
    "heads": 1,
    "dropout": 0.0,
    "output": "sigmoid",
    "spread": 0.2,
}
CHARADES = ANET | {"phrases": 3, "blocks": 2, "heads": 4, "output": "relu", "spread": 0.3}


def net(sizes: dict[str, object] = ANET, /, **changes: object) -> LGI:
    torch.manual_seed(0)
    return LGI(parse(LGIConfig, sizes | changes, where="a test")).eval()


def test_losses_are_the_literal_ones() -> None:
    model, batch = net(video_dim=tiny.VIDEO_DIM), tiny.batch()
    predicted, terms = model._predict(batch), model.losses(batch)
    label, boundaries, clips, words = attended(batch.target, batch.video_mask), 0.0, 0.0, 0.0
    assert predicted.of_words is not None
    for row in range(len(batch)):
        for said, true in zip(predicted.boundaries[row], batch.target[row], strict=True):
            error = abs(said.item() - true.item())
            boundaries += 0.5 * error**2 if error < 1 else error - 0.5
        right = label[row].nonzero()[:, 0].tolist()
        clips -= sum(math.log(predicted.of_clips[row, t].item() + 1e-8) for t in right) / len(right)
        a = predicted.of_words[row].tolist()
        for n, m in itertools.product(range(5), range(5)):
            inner = sum(x * y for x, y in zip(a[n], a[m], strict=True))
            words += (inner - (0.2 if n == m else 0.0)) ** 2
    expected = {"boundaries": boundaries / 4, "clips": clips / 4, "words": words / 4}
    assert {key: term.item() for key, term in terms.items()} == pytest.approx(expected, rel=1e-4)


def test_weights_are_shares_of_what_is_real() -> None:
    model, batch = net(video_dim=tiny.VIDEO_DIM), tiny.batch()
    predicted = model._predict(batch)
    assert predicted.of_words is not None
    for share, mask in (
        (predicted.of_clips, batch.video_mask),
        (predicted.of_words, batch.query_mask[:, None].expand_as(predicted.of_words)),
    ):
        torch.testing.assert_close(share.sum(-1), torch.ones_like(share[..., 0]))
        assert (share[~mask] == 0).all()


def test_what_even_and_distinct_attention_cost() -> None:
    assert distinctness(torch.full((2, 5, 20), 1 / 20), 0.2).item() == pytest.approx(0.1625)
    assert distinctness(torch.eye(5, 20)[None], 1.0).item() == 0
    one = torch.rand(3, 1, 6).softmax(-1).requires_grad_()
    distinctness(one, 0.2).backward()
    length = one.detach().square().sum(-1, keepdim=True)
    assert one.grad is not None
    torch.testing.assert_close(one.grad, 4 / 3 * (length - 0.2) * one.detach())


@pytest.mark.parametrize("clips", [64, 200])
def test_even_attention_to_clips_costs_their_logarithm(clips: int) -> None:
    model, short = net(num_clips=clips), tiny.batch()
    score = model.clip_score[2]
    assert isinstance(score, nn.Linear)
    nn.init.zeros_(score.weight)
    mask, video = torch.ones(4, clips).bool(), torch.randn(4, clips, 10)
    terms = model.losses(replace(short, video=video, video_mask=mask))
    assert terms["clips"].item() == pytest.approx(math.log(clips), rel=1e-5)


def test_what_boundaries_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = net(video_dim=tiny.VIDEO_DIM), tiny.batch()
    for error in (0.0, 0.1):
        said = model._predict(batch)._replace(boundaries=batch.target + error)
        monkeypatch.setattr(model, "_predict", lambda _, said=said: said)
        assert model.losses(batch)["boundaries"].item() == pytest.approx(error**2, abs=1e-7)
        monkeypatch.undo()


def test_an_answer_is_in_order_and_inside_the_video(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = net(video_dim=tiny.VIDEO_DIM), tiny.batch()
    said = torch.tensor([[0.7, 0.2], [0.5, 1.4], [1.2, 1.1], [0.1, 0.9]])
    predicted = model._predict(batch)._replace(boundaries=said)
    monkeypatch.setattr(model, "_predict", lambda _: predicted)
    spans = model(batch).spans[:, 0]
    torch.testing.assert_close(spans, torch.tensor([[0.2, 0.7], [0.5, 1], [1, 1], [0.1, 0.9]]))


def test_one_phrase_is_the_sentence() -> None:
    model, batch = net(video_dim=tiny.VIDEO_DIM, phrases=1), tiny.batch()
    phrases, of_words = model._phrases(batch)
    assert phrases.shape == (4, 1, 16)
    assert of_words is None
    assert model.losses(batch).keys() == {"boundaries", "clips"}
    assert not any(isinstance(part, PhraseAttention) for part in model.modules())


def test_a_block_sees_fourteen_clips_to_either_side() -> None:
    torch.manual_seed(0)
    block = LocalContext(4, 2, kernel=15).eval()
    x, mask = 5 + torch.randn(1, 8, 50), torch.ones(1, 50).bool()
    changed = x.clone()
    changed[..., 20] += 1
    differs = (block(x, mask) != block(changed, mask)).any(1)[0].nonzero()[:, 0]
    assert (differs.min(), differs.max()) == (6, 34)


def test_convolutions_of_all_phrases_are_those_of_each() -> None:
    block = LocalContext(4, 2, kernel=3).eval()
    nn.init.normal_(block.first.weight)
    nn.init.normal_(block.second.weight)
    x, mask = torch.randn(3, 8, 9), torch.ones(3, 9).bool()
    parts = []
    for n, part in enumerate(x.chunk(2, dim=1)):
        first, second = (layer.weight[4 * n : 4 * n + 4] for layer in (block.first, block.second))
        scale = (1 + 1e-5) ** -0.5  # of batch normalisation, fresh
        hidden = (scale * F.conv1d(part, first, padding=1)).relu()
        parts.append((part + scale * F.conv1d(hidden, second, padding=1)).relu())
    torch.testing.assert_close(block(x, mask), torch.cat(parts, 1))


def test_all_phrases_start_alike_but_for_their_view_of_the_sentence() -> None:
    model = net(CHARADES)
    layers = (model.fusion.of_clips, model.fusion.of_both, model.local.first, model.local.second)
    for layer in layers:
        first, second, third = layer.weight.chunk(3)
        assert torch.equal(first, second)
        assert torch.equal(first, third)
    assert model.attention is not None
    first, second, _ = model.attention.of_sentence.weight.chunk(3)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("dataset", "clips", "parameters"),
    [
        ("charades_i3d", 64, 33_476_355),
        ("activitynet_c3d", 200, 50_254_083),
        ("tacos_c3d", 200, 52_095_235),
    ],
)
def test_the_published_sizes_have_the_published_parameters(
    dataset: str, clips: int, parameters: int
) -> None:
    """Without the table of words, the unused layer, and a constant; the release has 128 clips."""
    params = tiny.parameters().model_copy(update={"scale": "paper", "methods": ("lgi",)})
    parts = resolve(params, dataset, {name: kind.Config for name, kind in MODELS.items()})
    config = parts.runs["lgi"]
    with torch.device("meta"):
        model = build(config)
    assert isinstance(model, LGI)
    expected = parameters - 262_656 - 1 + (clips - 128) * 512
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize(
    "changes", [{"heads": 3}, {"kernel": 4}, {"hidden_dim": 15}, {"spread": 0.0}]
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        net(**changes)
