"""CBP against its authors' code, its equations and losses written out, and its sizes.

`golden/cbp.npz` was made by the TensorFlow graph of JaywongWang/CBP at 4a1764f: three settings,
made-up weights and inputs, no dropout. Its padded words take a share of the attention, so all but
the first row is met only by letting them do so.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mgsl.errors import UserError
from mgsl.models import build
from mgsl.models.cbp import CBP, CBPConfig, Context, boundary_clips
from mgsl.parsing import parse
from mgsl.records import Batch
from mgsl.spans import nms
from tests import golden, tiny

PAPER = {"activitynet": 200, "tacos": 200, "charades": 64}
OFFICIAL: dict[str, dict[str, Any]] = {
    "tacos": {"neighbours": 4, "boundary_weight": 20.0, "positive_iou": 0.5, "negative_iou": 0.5},
    "charades": {"bidirectional": True, "boundary_weight": 4.0,
                 "positive_iou": 0.85, "negative_iou": 0.15},
    "activitynet": {"neighbours": 6, "boundary_weight": 0.0},
}  # fmt: skip
THRESHOLD = {"tacos": 0.3, "charades": 0.55, "activitynet": 0.55}


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


class Official:
    """The model with the authors' weights, what they fed it, and what came out."""

    def __init__(self, setting: str) -> None:
        arrays = golden.load("cbp")
        self.setting = setting
        self.arrays = {
            key.removeprefix(f"{setting}/"): array
            for key, array in arrays.items()
            if key.startswith(setting)
        }
        sizes = {"num_clips": 12, "video_dim": 10, "word_dim": 8, "attention_dim": 8}
        anchors = self.arrays["in/anchors"].tolist()
        self.model = model(
            **sizes,
            map_dim=512,
            dropout=0.0,
            weight_decay=1e-5,
            anchors=anchors,
            **OFFICIAL[setting],
        )
        self.model.positive_weight = self["target/positive_weight"]
        if OFFICIAL[setting]["boundary_weight"]:
            self.model.boundary_positive_weight = self["target/boundary_weight"]
        for name, parts in self.parts().items():
            self.put(self.arrays[f"param/{name}"], parts)
        mask, words = self["in/video_mask"].bool(), self["in/query_mask"].bool()
        seconds = torch.from_numpy(self.arrays["in/time"]) / self["in/seconds_per_feature"]
        self.time = seconds.float()  # in clips
        self.batch = Batch(
            self["in/video"], mask, self["in/word_vectors"], words,
            (seconds / mask.sum(1, keepdim=True)).float(),
        )  # fmt: skip

    def __getitem__(self, name: str) -> Tensor:
        array = torch.from_numpy(np.asarray(self.arrays[name]))
        return array.float() if array.is_floating_point() else array

    def parts(self) -> dict[str, list[Tensor]]:
        """The parameters behind each of theirs, in the order in which they lie side by side."""
        net = self.model
        lstms = {
            "sentence_encoding/rnn": net.query_encoder.forwards,
            "sentence_encoding/sentence_bw/rnn": net.query_encoder.backwards,
            "interactor/video_rnn": net.video_encoder,
            "interactor/interactor_rnn": net.interactor.cell,
        }
        parts: dict[str, list[Tensor]] = {}
        for name, layer in lstms.items():
            if layer is not None:
                inputs, states, bias, _ = layer.parameters()
                parts |= {f"{name}/lstm_cell/kernel": [inputs, states]}
                parts |= {f"{name}/lstm_cell/bias": [bias]}
        look, context = net.interactor, net.context
        layers = {
            "word_attention/fully_connected": [look.from_state, look.from_clips, look.from_words],
            "word_attention/fully_connected_1": [look.score],
            "predict_proposal/fully_connected": [net.grounder],
            "predict_boundary/fully_connected": [net.boundary] if net.boundary else [],
        }
        for name, linears in layers.items():
            if linears:
                parts[f"interactor/{name}/weights"] = [layer.weight for layer in linears]
                if linears[-1].bias is not None:
                    parts[f"interactor/{name}/biases"] = [linears[-1].bias]
        maps = {"linear_map": context.query} if net.config.neighbours else {
            "query_map": context.query, "key_map": context.key,
        }  # fmt: skip
        return parts | {
            f"interactor/selfatt_interactor/{name}": [layer.weight] for name, layer in maps.items()
        }

    @torch.no_grad()
    def put(self, array: np.ndarray, parts: list[Tensor]) -> None:
        theirs = torch.from_numpy(array.T)
        if len(theirs) == 4 * self.model.config.hidden_dim:  # gates: input, candidate, forget, ...
            enter, new, forget, leave = theirs.chunk(4)
            theirs = torch.cat([enter, forget + (theirs.dim() == 1), new, leave])
        if theirs.dim() == 1:
            parts[0].copy_(theirs)
        else:
            for part, piece in zip(
                parts, theirs.split([p.shape[1] for p in parts], 1), strict=True
            ):
                part.copy_(piece)

    def leak(self) -> Batch:
        """Let padded words take part, as theirs do; in the setting of TACoS they are words."""
        self.model.interactor.register_forward_pre_hook(
            lambda _, given: (given[0], torch.ones_like(given[1]), given[2])
        )
        if self.setting == "tacos":
            return replace(self.batch, query_mask=torch.ones_like(self.batch.query_mask))
        return self.batch

    def use_labels(self) -> None:
        """Learn from their labels, which call some of the ignored anchors negative."""
        counts = self["target/anchor_mask"].bool() | (self.setting == "tacos")
        positive = self["target/proposal"].bool()
        self.model._labels = lambda _: (positive & counts, ~positive & counts)  # type: ignore[method-assign]


@pytest.fixture(params=OFFICIAL)
def official(request: pytest.FixtureRequest) -> Official:
    return Official(request.param)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_every_layer_gives_what_the_authors_code_gives(official: Official) -> None:
    net, batch = official.model.eval(), official.leak()
    mask = batch.video_mask
    words = net.query_encoder(batch.query, batch.query_mask)
    clips = net.video_encoder(batch.video)[0]
    states = net.interactor(words, batch.query_mask, clips)
    context = net.context(states, mask)
    close(words, official["full/words"])
    close(clips, official["full/video_states"])
    close(states, official["full/interactor_states"])
    close(context[mask], official["full/context"][mask])
    anchors, boundaries = net._logits(batch)
    close(anchors.sigmoid()[mask], official["full/proposal_scores"][mask])
    if boundaries is not None:
        close(boundaries.sigmoid()[mask], official["full/boundary_scores"].squeeze(-1)[mask])
    else:
        assert "full/boundary_scores" not in official.arrays


@torch.no_grad()
def test_without_padding_nothing_leaks(official: Official) -> None:
    anchors, _ = official.model.eval()._logits(official.batch)
    close(anchors[0].sigmoid(), official["full/proposal_scores"][0])
    leaking = official["full/proposal_scores"][1:]
    assert (anchors[1:].sigmoid() - leaking).abs().max() > 1e-3


def test_losses_and_gradients_are_those_of_the_authors_code(official: Official) -> None:
    official.use_labels()
    terms = official.model.losses(official.leak())
    close(terms["anchors"], official["full/loss/proposal"])
    loss = terms["anchors"]
    if "boundary" in terms:
        weight = official.model.config.boundary_weight
        close(terms["boundary"] / weight, official["full/loss/boundary"])
        loss = loss + terms["boundary"]
    close(loss, official["full/loss/sum"])
    constant = official["param/interactor/word_attention/fully_connected_1/biases"]
    half = official["full/loss/regulariser_sum"] - constant.square().sum() / 2
    close(terms["penalty"], 1e-5 * half)
    loss.backward()
    for name, parts in official.parts().items():
        norm = torch.stack([part.grad.square().sum() for part in parts]).sum().sqrt()  # type: ignore[union-attr]
        torch.testing.assert_close(norm, official[f"full/gradnorm/{name}"], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_answers_are_those_of_the_authors_code(official: Official) -> None:
    """Theirs end with the middle of a clip, and are cut at the beginning of the video."""
    batch, net = official.leak(), official.model.eval()
    net.first = (net.first - 1).clamp(min=0)
    moments = net(batch)
    clips = batch.video_mask.sum(1)[:, None, None]
    spans = (moments.spans * clips - 0.5).clamp(min=0) * official["in/seconds_per_feature"]
    real = (moments.scores > 0).numpy()
    kept = nms(spans.numpy(), real, threshold=THRESHOLD[official.setting], keep=10)
    for row, columns in enumerate(kept):
        columns = columns[columns >= 0]
        expected = official["full/answers"][row]
        expected_scores = official["full/answer_scores"][row]
        there = ~expected_scores.isnan()
        close(spans[row, columns], expected[there])
        close(moments.scores[row, columns], expected_scores[there])


def test_labels_are_those_of_the_authors_code(official: Official) -> None:
    positive, negative = official.model._labels(official.time + 0.5)
    real = official.batch.video_mask[..., None]
    assert torch.equal(positive & real, official["target/proposal"].bool() & real)
    counts = official["target/anchor_mask"].bool()
    if official.setting == "tacos":
        assert torch.equal(negative, ~positive)
    else:
        wrongly = ~negative & ~positive & counts & real  # beyond the clips that they look at
        assert torch.equal(negative & real, counts & ~positive & ~wrongly & real)
    if "target/boundary" in official.arrays:
        clips = boundary_clips(official.batch.target, official.batch.video_mask.sum(1))
        there = nn.functional.one_hot(clips, 12).amax(1)
        assert torch.equal(there, official["target/boundary"].squeeze(-1).long())


def literal_context(layer: Context, states: Tensor, length: int) -> Tensor:
    rows = []
    for t in range(length):
        half = layer.neighbours // 2
        seen = range(max(0, t - half), min(length, t + half)) if half else range(length)
        query = layer.query.weight @ states[t]
        maps = layer.query if layer.key is None else layer.key
        scores = [
            float(query @ (maps.weight @ states[s])) / math.sqrt(len(states[t])) for s in seen
        ]
        shares = [math.exp(score) / sum(map(math.exp, scores)) for score in scores]
        assert sum(shares) == pytest.approx(1)
        around = sum(share * states[s] for share, s in zip(shares, seen, strict=True))
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
    seen = Context(6, map_dim=8, neighbours=10).seen(torch.ones(1, 30, dtype=torch.bool))[0]
    assert seen[12].nonzero()[:, 0].tolist() == list(range(7, 17))
    assert seen[0].sum() == 5
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
