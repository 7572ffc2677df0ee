"""VSLNet: what its released code computes, its labels and losses against literal ones.

In the golden file `full/` is the padded batch as released, `nochar/` without the characters, and
`alone/` besides each query by itself, which no padding can reach; what is padded there is NaN.
"""

import itertools
import math
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgsl.configs import RunConfig
from mgsl.errors import UserError
from mgsl.models import MODELS, build, vslnet
from mgsl.models.vslnet import VSLNet, VSLNetConfig, best_cell, depthwise, highlighted
from mgsl.parsing import parse
from mgsl.records import Batch
from mgsl.resolving import resolve
from tests import golden, tiny

Golden = dict[str, Tensor]

SIZES = {
    "num_clips": 12,
    "video_dim": 10,
    "word_dim": 8,
    "hidden_dim": 16,
    "heads": 4,
    "positions": 16,
    "dropout": 0.0,
    "initial_positions": "normal",
    "extension": 0.1,
    "highlight_weight": 5.0,
    "proposals": 100,
}


def net(**changes: object) -> VSLNet:
    torch.manual_seed(0)
    return VSLNet(parse(VSLNetConfig, SIZES | changes, where="a test")).eval()


@pytest.fixture(scope="module")
def arrays() -> Golden:
    return {name: torch.from_numpy(array) for name, array in golden.load("vslnet").items()}


def weights(arrays: Golden, *, word_columns: int) -> dict[str, Tensor]:
    """The official weights under our names; of the query's, those of so many first columns."""
    param = {key.removeprefix("param/"): value for key, value in arrays.items()}
    names = {
        "video": "video_affine.linear.conv1d",
        "query": "embedding_net.linear.conv1d",
        "attention.output": "cq_attention.cqa_linear.conv1d",
        "concatenation": "cq_concat.conv1d.conv1d",
        "highlight": "highlight_layer.conv1d.conv1d",
        "encoder.attention_norm": "feature_encoder.attention_block.layer_norm1",
        "encoder.last_norm": "feature_encoder.attention_block.layer_norm2",
        "encoder.last": "feature_encoder.attention_block.out_layer.conv1d",
    }
    for i in range(4):
        names[f"encoder.norms.{i}"] = f"feature_encoder.conv_block.layer_norms.{i}"
        stem = f"feature_encoder.conv_block.depthwise_separable_conv.{i}"
        names[f"encoder.across.{i}"] = f"{stem}.1"
    for end, layer in itertools.product(("start", "end"), (0, 2)):
        names[f"span.{end}.{layer}"] = f"predictor.{end}_block.{layer}.conv1d"
    state = {}
    for ours, theirs in names.items():
        weight = param[f"{theirs}.weight"]
        state[f"{ours}.weight"] = weight[..., 0] if weight.ndim == 3 else weight
        state[f"{ours}.bias"] = param[f"{theirs}.bias"]
    state["query.weight"] = state["query.weight"][:, :word_columns]
    attention = "feature_encoder.attention_block"
    parts = [f"{attention}.{part}.conv1d" for part in ("query", "key", "value")]
    state["encoder.qkv.weight"] = torch.cat([param[f"{p}.weight"][..., 0] for p in parts])
    state["encoder.qkv.bias"] = torch.cat([param[f"{p}.bias"] for p in parts])
    for i in range(4):
        stem = f"feature_encoder.conv_block.depthwise_separable_conv.{i}"
        state[f"encoder.along.{i}.weight"] = param[f"{stem}.0.weight"]
    table = "feature_encoder.pos_embedding.position_embeddings.weight"
    state["encoder.positions.weight"] = param[table]
    for end in ("start", "end"):
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            state[f"span.{end}_states.{name}"] = param[f"predictor.{end}_encoder.lstm.{name}"]
    state["attention.of_clip"] = param["cq_attention.w4C"][:, 0]
    state["attention.of_word"] = param["cq_attention.w4Q"][:, 0]
    state["attention.of_both"] = param["cq_attention.w4mlu"][0, 0]
    state["pool.weight"] = param["cq_concat.weighted_pool.weight"].T
    return state


def official(arrays: Golden, *, characters: bool = False) -> tuple[VSLNet, Batch]:
    """The released model and its batch; with characters, their vectors lengthen the words'."""
    query = arrays["in/word_vectors"]
    if characters:
        query = torch.cat([arrays["full/word_emb"], arrays["full/char_emb"]], dim=-1)
    model = net(word_dim=query.shape[-1])
    model.load_state_dict(weights(arrays, word_columns=query.shape[-1]))
    batch = Batch(
        video=arrays["in/video"],
        video_mask=arrays["in/video_mask"].bool(),
        query=query,
        query_mask=arrays["in/query_mask"].bool(),
        target=(arrays["in/time"] / arrays["in/duration"][:, None]).float(),
    )
    return model, batch


@pytest.fixture
def leaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let convolutions read padding, as those of the release do."""
    monkeypatch.setattr(
        vslnet, "depthwise", lambda x, mask, weight: depthwise(x, torch.ones_like(mask), weight)
    )


def same(actual: Tensor, expected: Tensor) -> None:
    """Where the release has a value; what it masks we mask too."""
    real = ~expected.isnan() & (expected > -1e30)
    torch.testing.assert_close(actual[real], expected[real], atol=1e-5, rtol=1e-5)


def same_outputs(model: VSLNet, batch: Batch, arrays: Golden, version: str) -> None:
    predicted = model._predict(batch)
    same(predicted.highlight.sigmoid(), arrays[f"{version}/highlight"])
    same(predicted.start, arrays[f"{version}/start_logits"])
    same(predicted.end, arrays[f"{version}/end_logits"])
    terms = model.losses(batch)
    same(terms["span"], arrays[f"{version}/loss/location"])
    same(terms["highlight"], 5 * arrays[f"{version}/loss/highlight"])
    same(torch.stack(list(terms.values())).sum(), arrays[f"{version}/loss/total"])


def test_each_query_alone_gives_what_the_release_gives(arrays: Golden) -> None:
    model, batch = official(arrays)
    same_outputs(model, batch, arrays, "alone")
    video, query = model.video(batch.video), model.query(batch.query)
    same(video, arrays["alone/video_projected"])
    same(query, arrays["alone/query_projected"])
    clips, words = model.encoder(video, batch.video_mask), model.encoder(query, batch.query_mask)
    same(clips, arrays["alone/video_encoded"])
    same(words, arrays["alone/query_encoded"])
    same(model.attention._similarity(clips, words), arrays["alone/cqa_score"])
    attended = model.attention(clips, words, batch.video_mask, batch.query_mask)
    same(attended, arrays["alone/cqa"])


def test_the_answer_is_that_of_the_release(arrays: Golden) -> None:
    model, batch = official(arrays)
    moments = model(batch)
    count = batch.video_mask.sum(1)
    first = (moments.spans[:, 0, 0] * count).round().long()
    last = (moments.spans[:, 0, 1] * count).round().long() - 1
    assert torch.equal(first, arrays["alone/start_index"])
    assert torch.equal(last, arrays["alone/end_index"])


@pytest.mark.usefixtures("leaking")
@pytest.mark.parametrize(("version", "characters"), [("nochar", False), ("full", True)])
def test_padding_that_leaks_gives_what_the_release_gives(
    arrays: Golden, version: str, characters: bool
) -> None:
    model, batch = official(arrays, characters=characters)
    same_outputs(model, batch, arrays, version)


@pytest.mark.usefixtures("leaking")
def test_the_joint_matrix_is_that_of_the_release(arrays: Golden) -> None:
    model, batch = official(arrays, characters=True)
    moments = model(batch)
    for row in range(len(batch)):
        count = int(batch.video_mask[row].sum())
        expected = arrays["full/joint"][row]
        ranked = expected[:count, :count].flatten().sort(descending=True).values
        cells = count * (count + 1) // 2
        scores = moments.scores[row, :cells]
        torch.testing.assert_close(scores, ranked[:cells], atol=1e-7, rtol=1e-4)
        start, end = (moments.spans[row, 0] * count).round().long().tolist()
        assert expected[start, end - 1] == expected.max()


@pytest.mark.usefixtures("leaking")
def test_gradients_are_those_of_the_release(arrays: Golden) -> None:
    model, batch = official(arrays)
    torch.stack(list(model.losses(batch).values())).sum().backward()
    norms = {
        key.removeprefix("nochar/gradnorm/"): value
        for key, value in arrays.items()
        if key.startswith("nochar/gradnorm/")
    }
    ours = {name: parameter.grad for name, parameter in model.named_parameters()}
    # Who is who: each official name carries its own mark through the mapping of weights.
    marks = {name: torch.full_like(arrays[f"param/{name}"], i) for i, name in enumerate(norms)}
    mapped = weights({f"param/{name}": mark for name, mark in marks.items()}, word_columns=8)
    assert mapped.keys() == ours.keys()
    squares = dict.fromkeys(norms, 0.0)
    for name, mark in mapped.items():
        gradient = ours[name]
        assert gradient is not None
        for i in mark.unique().int().tolist():
            squares[list(norms)[i]] += gradient[mark == i].square().sum().item()
    # Of the release this norm counts the columns of characters too, which are not here.
    del norms["embedding_net.linear.conv1d.weight"]
    for name, norm in norms.items():
        assert math.sqrt(squares[name]) == pytest.approx(norm.item(), rel=1e-4, abs=1e-5), name


def test_labels_are_those_of_the_release(arrays: Golden) -> None:
    for start, end, clips, duration, first, last, *_ in arrays["label_cases"].tolist():
        target = torch.tensor([[start / duration, end / duration]])
        assert best_cell(target, torch.tensor([int(clips)])).tolist() == [[first, last]]
    _, batch = official(arrays)
    cells = best_cell(batch.target, batch.video_mask.sum(1))
    assert torch.equal(cells[:, 0], arrays["target/start_index"])
    assert torch.equal(cells[:, 1], arrays["target/end_index"])
    label = highlighted(cells, batch.video_mask, 0.1)
    assert torch.equal(label.long(), arrays["target/highlight"])


def test_the_best_cell_is_the_best_of_all() -> None:
    torch.manual_seed(0)
    for n in (1, 2, 7, 16):
        for _ in range(40):
            start, end = torch.rand(2).sort().values.tolist()
            best, found = -1.0, (0, 0)
            for i, j in itertools.combinations_with_replacement(range(n), 2):
                common = min(end, (j + 1) / n) - max(start, i / n)
                tiou = max(0.0, common) / (max(end, (j + 1) / n) - min(start, i / n))
                if tiou > best + 1e-12:
                    best, found = tiou, (i, j)
            cell = best_cell(torch.tensor([[start, end]]), torch.tensor([n]))
            assert cell.tolist() == [list(found)]


def test_the_highlight_is_wider_than_the_moment_on_both_sides() -> None:
    mask = torch.ones(1, 400, dtype=torch.bool)
    for length in range(1, 200):
        cells = torch.tensor([[100, 99 + length]])
        extra = round(0.1 * length)
        label = highlighted(cells, mask, 0.1)[0].nonzero()[:, 0].tolist()
        assert label == list(range(100 - extra, 100 + length + extra))
    assert highlighted(torch.tensor([[0, 399]]), mask, 0.1).all()


@pytest.mark.parametrize("n", [64, 200])
def test_what_ignorance_costs(n: int) -> None:
    model = net(num_clips=n, positions=n)
    batch = tiny.batch()
    video = torch.randn(4, n, 10)
    batch = Batch(video, torch.ones(4, n).bool(), batch.query, batch.query_mask, batch.target)
    for layer in (model.highlight, model.span.start[2], model.span.end[2]):
        assert isinstance(layer, nn.Linear)
        nn.init.zeros_(layer.weight)
    terms = model.losses(batch)
    assert terms["span"].item() == pytest.approx(2 * math.log(n), rel=1e-5)
    cells = best_cell(batch.target, batch.video_mask.sum(1))
    share = highlighted(cells, batch.video_mask, 0.1).float().mean().item()
    assert terms["highlight"].item() == pytest.approx(5 * math.log(2) * (1 + share), rel=1e-5)


class Literal(NamedTuple):
    span: float
    highlight: float


def literal(model: VSLNet, batch: Batch) -> Literal:
    """The losses, a clip at a time."""
    predicted = model._predict(batch)
    cells = best_cell(batch.target, batch.video_mask.sum(1))
    label = highlighted(cells, batch.video_mask, 0.1)
    span, cost, count = 0.0, 0.0, 0
    for row in range(len(batch)):
        real = batch.video_mask[row].nonzero()[:, 0].tolist()
        for logits, true in zip((predicted.start, predicted.end), cells[row].tolist(), strict=True):
            said = [math.exp(logits[row, t].item()) for t in real]
            span -= math.log(said[true] / sum(said)) / len(batch)
        for t in real:
            p = predicted.highlight[row, t].sigmoid().item()
            cost -= 2 * math.log(p) if label[row, t] else math.log(1 - p)
            count += 1
    return Literal(span, 5 * cost / count)


def test_losses_are_the_literal_ones() -> None:
    model, batch = net(video_dim=tiny.VIDEO_DIM), tiny.batch()
    terms, expected = model.losses(batch), literal(model, batch)
    assert terms["span"].item() == pytest.approx(expected.span, rel=1e-5)
    assert terms["highlight"].item() == pytest.approx(expected.highlight, rel=1e-5)


def test_the_attention_is_the_literal_one() -> None:
    torch.manual_seed(0)
    model, clips, words = net().attention, torch.randn(1, 5, 16), torch.randn(1, 4, 16)
    clip_mask = torch.tensor([[True, True, True, True, False]])
    word_mask = torch.tensor([[True, True, True, False]])
    v, q, s = clips[0, :4], words[0, :3], torch.zeros(4, 3)
    for i, j in itertools.product(range(4), range(3)):
        s[i, j] = model.of_clip @ v[i] + model.of_word @ q[j] + (model.of_both * v[i]) @ q[j]
    a = s.softmax(1) @ q
    b = s.softmax(1) @ s.softmax(0).T @ v
    expected = model.output(torch.cat([v, a, v * a, v * b], dim=1))
    attended = model(clips, words, clip_mask, word_mask)[0, :4]
    torch.testing.assert_close(attended, expected, atol=1e-5, rtol=1e-5)


def test_a_depthwise_convolution_is_the_usual_one() -> None:
    torch.manual_seed(0)
    x, mask = torch.randn(2, 9, 6), torch.ones(2, 9, dtype=torch.bool)
    mask[1, 7:] = False
    weight = torch.randn(6, 1, 7)
    expected = F.conv1d((x * mask[..., None]).mT, weight, padding=3, groups=6).mT
    torch.testing.assert_close(depthwise(x, mask, weight), expected)


def test_the_whole_video_is_the_cell_of_both_ends() -> None:
    model = net()
    assert best_cell(torch.tensor([[0.0, 1.0]]), torch.tensor([12])).tolist() == [[0, 11]]
    first, last = model.cells[:, (model.cells[0] == 0) & (model.cells[1] == 11)][:, 0].tolist()
    assert (first / 12, (last + 1) / 12) == (0.0, 1.0)


def test_candidates_are_the_best_cells_with_their_probability() -> None:
    model, batch = net(video_dim=tiny.VIDEO_DIM, proposals=9), tiny.batch()
    moments, predicted = model(batch), model._predict(batch)
    for row in range(len(batch)):
        count = int(batch.video_mask[row].sum())
        start, end = (x[row, :count].softmax(0) for x in (predicted.start, predicted.end))
        joint = [
            ((start[i] * end[j]).item(), i / count, (j + 1) / count)
            for i, j in itertools.combinations_with_replacement(range(count), 2)
        ]
        best = torch.tensor(sorted(joint, reverse=True)[:9])
        torch.testing.assert_close(moments.scores[row], best[:, 0], atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(moments.spans[row], best[:, 1:])


@pytest.mark.parametrize(
    ("video_dim", "parameters"), [(1024, 752_771), (500, 685_699), (4096, 1_145_987)]
)
def test_the_release_has_as_many_parameters(video_dim: int, parameters: int) -> None:
    """Without characters, the vector of unknown words and the frozen table; 128 positions."""
    sizes = {"video_dim": video_dim, "word_dim": 300, "hidden_dim": 128, "heads": 8}
    model = net(**sizes, positions=128)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("dataset", "parameters"),
    [
        ("charades_i3d", 752_771 - 64 * 128),
        ("tacos_c3d", 1_145_987 + 72 * 128),
        ("activitynet_c3d", 685_699 + 72 * 128),
    ],
)
def test_the_published_sizes_are_those_of_the_release(dataset: str, parameters: int) -> None:
    params = tiny.parameters().model_copy(update={"scale": "paper", "methods": ("vslnet",)})
    parts = resolve(params, dataset, {name: kind.Config for name, kind in MODELS.items()})
    config = parts["vslnet"]
    assert isinstance(config, RunConfig)
    model = build(config)
    assert isinstance(model, VSLNet)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_where_weights_begin() -> None:
    model = net(hidden_dim=128, heads=8, positions=128)
    assert model.encoder.positions.weight.std().item() == pytest.approx(1, rel=0.05)
    bound = math.sqrt(6 / 256)
    for part in model.encoder.qkv.weight.chunk(3):
        assert part.abs().max().item() == pytest.approx(bound, rel=0.01)
    along = next(model.encoder.along.parameters())
    assert along.abs().max().item() == pytest.approx(math.sqrt(6 / 903), rel=0.01)
    narrow = net(hidden_dim=128, heads=8, positions=128, initial_positions="glorot")
    assert narrow.encoder.positions.weight.abs().max().item() == pytest.approx(bound, rel=0.01)


@pytest.mark.parametrize("changes", [{"heads": 3}, {"positions": 11}])
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        net(**changes)
