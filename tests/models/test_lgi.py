"""LGI: what its released code computes, its labels and losses against literal ones.

In the golden files, one for each published configuration, `full/` is the padded batch as released,
`full_within/` with labels that end with the video, and `alone/` each query by itself, which no
padding can reach; what is padded there is NaN.
"""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgsl.configs import RunConfig
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
from mgsl.records import Batch
from mgsl.resolving import resolve
from tests import golden, tiny

Golden = dict[str, Tensor]

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
SIZES = {"lgi_anet": ANET, "lgi_charades": CHARADES}


def net(sizes: dict[str, object] = ANET, /, **changes: object) -> LGI:
    torch.manual_seed(0)
    return LGI(parse(LGIConfig, sizes | changes, where="a test")).eval()


@pytest.fixture(scope="module", params=list(SIZES))
def name(request: pytest.FixtureRequest) -> str:
    """One of the published configurations."""
    return str(request.param)


@pytest.fixture(scope="module")
def arrays(name: str) -> Golden:
    return {key: torch.from_numpy(array) for key, array in golden.load(name).items()}


def weights(param: Golden, phrases: int, blocks: int) -> dict[str, Tensor]:
    """The official weights under our names."""
    state = {"positions.weight": param["video_enc.pos_emb_fn.0.weight"]}
    names = {
        "video": "video_enc.vid_emb_fn.0",
        "attention.guide": "sqan.guide_emb_fn.0",
        "attention.of_guide": "sqan.att_fn.key2att",
        "attention.of_words": "sqan.att_fn.feat2att",
        "pooled": "ta_reg_fn.tatt.fc",
        "boundaries.0": "ta_reg_fn.MLP_reg.0",
        "boundaries.2": "ta_reg_fn.MLP_reg.2",
    }
    for i in range(blocks):
        names[f"blocks.{i}.query"] = f"vti_fn.global_fn.{i}.v_lin"
        names[f"blocks.{i}.key_value"] = f"vti_fn.global_fn.{i}.c_lin"
    for (ours, theirs), part in itertools.product(names.items(), ("weight", "bias")):
        state[f"{ours}.{part}"] = param[f"{theirs}.{part}"]
    state["attention.score.weight"] = param["sqan.att_fn.to_alpha.weight"]
    for ours, theirs in (("phrase", "vti_fn.satt_fn"), ("clip", "ta_reg_fn.tatt")):
        state[f"{ours}_score.0.weight"] = param[f"{theirs}.feat2att.weight"]
        state[f"{ours}_score.2.weight"] = param[f"{theirs}.to_alpha.weight"]
    for layer, part in itertools.product((0, 1), ("weight_ih", "weight_hh", "bias_ih", "bias_hh")):
        theirs = f"query_enc.rnn.{part}_l{layer}"
        state[f"words.{layer}.forwards.{part}_l0"] = param[theirs]
        state[f"words.{layer}.backwards.{part}_l0"] = param[f"{theirs}_reverse"]
    by_phrase = {
        "attention.of_sentence": "sqan.global_emb_fn.{}",
        "fusion.of_clips": "vti_fn.fusion_fn.{}.fc_1",
        "fusion.of_phrases": "vti_fn.fusion_fn.{}.fc_2",
        "fusion.of_both": "vti_fn.fusion_fn.{}.fc_3",
        "local.first": "vti_fn.local_fn.{}.blocks.0.0",
        "local.first_norm": "vti_fn.local_fn.{}.blocks.0.1",
        "local.second": "vti_fn.local_fn.{}.blocks.0.3",
        "local.second_norm": "vti_fn.local_fn.{}.blocks.0.4",
    }
    kinds = ("weight", "bias", "running_mean", "running_var")
    for (ours, theirs), part in itertools.product(by_phrase.items(), kinds):
        if f"{theirs.format(0)}.{part}" in param:
            parts = [param[f"{theirs.format(n)}.{part}"] for n in range(phrases)]
            state[f"{ours}.{part}"] = torch.cat(parts)
            if ours.startswith("fusion") and part == "weight":
                state[f"{ours}.{part}"] = state[f"{ours}.{part}"][..., None]
    return state


def official(arrays: Golden, name: str) -> tuple[LGI, Batch]:
    """The released model and its batch."""
    sizes = SIZES[name]
    model = net(sizes)
    kinds = ("param/", "buffer/")
    stored = {key.split("/")[1]: value for key, value in arrays.items() if key.startswith(kinds)}
    state = weights(stored, int(str(sizes["phrases"])), int(str(sizes["blocks"])))
    loaded = model.load_state_dict(state, strict=False)
    assert not loaded.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in loaded.missing_keys)
    batch = Batch(
        video=arrays["in/video"],
        video_mask=arrays["in/video_mask"],
        query=arrays["in/word_vectors"],
        query_mask=arrays["in/query_mask"],
        target=arrays["target/span"],
    )
    return model, batch


@pytest.fixture
def leaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let convolutions read padding, as those of the release do."""
    forward = LocalContext.forward
    monkeypatch.setattr(
        LocalContext, "forward", lambda self, x, mask: forward(self, x, torch.ones_like(mask))
    )


def same(actual: Tensor, expected: Tensor) -> None:
    """Where the release has a value."""
    real = ~expected.isnan()
    torch.testing.assert_close(actual[real], expected[real], atol=1e-5, rtol=1e-5)


def same_losses(model: LGI, batch: Batch, arrays: Golden, version: str) -> None:
    terms = model.losses(batch)
    same(terms["boundaries"], arrays[f"{version}/loss/grounding"])
    same(terms["clips"], arrays[f"{version}/loss/tag"])
    same(terms["words"], arrays[f"{version}/loss/dqa"])
    same(torch.stack(list(terms.values())).sum(), arrays[f"{version}/loss/total_loss"])


def test_each_query_alone_gives_what_the_release_gives(arrays: Golden, name: str) -> None:
    model, batch = official(arrays, name)
    predicted, (phrases, of_words) = model._predict(batch), model._phrases(batch)
    assert of_words is not None
    clips = model._clips(batch)
    same(clips, arrays["alone/segments"])
    same(phrases, arrays["alone/phrases"])
    same(of_words, arrays["alone/phrase_attention"])
    fused = model.fusion(clips, phrases)
    local = model.local(fused, batch.video_mask)
    for actual, expected in ((fused, "fused"), (local, "local")):
        same(actual.unflatten(1, (phrases.shape[1], -1)).mT, arrays[f"alone/{expected}"])
    same(model.phrase_score(phrases).softmax(1).squeeze(-1), arrays["alone/aggregation"])
    same(
        model.blocks[0](arrays["alone/nonlocal0_in"].nan_to_num(), batch.video_mask),
        arrays["alone/nonlocal0_out"],
    )
    same(predicted.of_clips, arrays["alone/temporal_attention"])
    same(predicted.boundaries, arrays["alone/loc"])
    same_losses(model, batch, arrays, "alone")


@pytest.mark.usefixtures("leaking")
def test_padding_that_leaks_gives_what_the_release_gives(arrays: Golden, name: str) -> None:
    model, batch = official(arrays, name)
    predicted = model._predict(batch)
    assert predicted.of_words is not None
    same(predicted.of_words, arrays["full/phrase_attention"])
    same(predicted.of_clips, arrays["full/temporal_attention"])
    same(predicted.boundaries, arrays["full/loc"])
    same_losses(model, batch, arrays, "full_within")


@pytest.mark.usefixtures("leaking")
def test_gradients_are_those_of_the_release(arrays: Golden, name: str) -> None:
    model, batch = official(arrays, name)
    torch.stack(list(model.losses(batch).values())).sum().backward()
    prefix, sizes = "full_within/gradnorm/", SIZES[name]
    norms = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    # Who is who: each official name carries its own mark through the mapping of weights.
    marks = {key: torch.full_like(arrays[f"param/{key}"], i) for i, key in enumerate(norms)}
    mapped = weights(marks, int(str(sizes["phrases"])), int(str(sizes["blocks"])))
    squares = dict.fromkeys(norms, 0.0)
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None
        for i in mapped[key].unique().int().tolist():
            squares[list(norms)[i]] += parameter.grad[mapped[key] == i].square().sum().item()
    assert norms["sqan.att_fn.to_alpha.bias"] < 1e-6  # the constant that a softmax does not see
    for key, norm in norms.items():
        assert math.sqrt(squares[key]) == pytest.approx(norm.item(), rel=1e-4, abs=1e-6), key


def test_labels_are_those_of_the_release(arrays: Golden, name: str) -> None:
    for start, end, clips, duration, first, last in arrays["label_cases"].tolist():
        count = int(clips)
        mask = torch.arange(64)[None] < count
        label = attended(torch.tensor([[start / duration, end / duration]]), mask)[0]
        expected = range(int(first), min(int(last), count - 1) + 1)
        assert label.nonzero()[:, 0].tolist() == list(expected)
    _, batch = official(arrays, name)
    label = attended(batch.target, batch.video_mask)
    assert torch.equal(label.float(), arrays["target/attention_within"])


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
    terms = model.losses(Batch(video, mask, short.query, short.query_mask, short.target))
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
    config = parts["lgi"]
    assert isinstance(config, RunConfig)
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
