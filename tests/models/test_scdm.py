"""SCDM against its authors' code, its equations and losses written out, and its sizes.

`golden/scdm.npz` was made by the TensorFlow graphs of yytzsy/SCDM at 075159b for two datasets:
made-up weights and inputs, no dropout. ActivityNet Captions has the grid of this benchmark there.
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
from mgsl.models.scdm import SCDM, BiSRU, ModulatedBlock, SCDMConfig, anchor_grid, stretched
from mgsl.parsing import parse
from mgsl.records import Batch
from mgsl.spans import nms
from tests import golden, tiny

SHORT = {"grid": 16, "hidden_dim": 16, "head_channels": 8, "dropout": 0.0, "weight_decay": 0.0}
OFFICIAL: dict[str, dict[str, Any]] = {
    "charades": {"grid": 64, "video_dim": 10},
    "activitynet": {"grid": 256, "video_dim": 6, "hidden_dim": 8, "kernel": 5, "sentence_blocks": 2,
                    "least_width": 1.0, "center_weight": 1.0, "width_weight": 1.0},
}  # fmt: skip
THRESHOLD = {"charades": 0.7, "activitynet": 0.55}
TERMS = {
    "positive": "positive_loss_all",
    "hard_negative": "hard_negative_loss_all",
    "easy_negative": "easy_negative_loss_all",
    "center": "smooth_center_loss_all",
    "width": "smooth_width_loss_all",
}


def model(**changes: object) -> SCDM:
    torch.manual_seed(0)
    config = tiny.run_config("scdm")
    built = build(config.model_copy(update={"model": config.model | SHORT | changes}))
    assert isinstance(built, SCDM)
    return built


class Official:
    """The model with the authors' weights, what they fed it, and what came out."""

    def __init__(self, dataset: str) -> None:
        arrays, self.dataset = golden.load("scdm"), dataset
        self.arrays = {
            key.removeprefix(f"{dataset}/"): array
            for key, array in arrays.items()
            if key.startswith(dataset)
        }
        self.model = model(**OFFICIAL[dataset]).eval()
        with torch.no_grad():
            for name, tensor in self.tensors().items():
                array = torch.from_numpy(self.arrays[f"param/{name}"])
                if array.dim() > 1:
                    array = array.squeeze(0).movedim(-1, 0)  # inputs, outputs
                    array = array.movedim(1, 2) if array.dim() == 3 else array
                tensor.copy_(array.view(tensor.shape))
        grid, size = self.model.config.grid, len(self.arrays["in/video"])
        words = torch.arange(6) < torch.from_numpy(self.arrays["in/query_length"])[:, None]
        self.batch = Batch(
            self["in/video"], torch.ones(size, grid, dtype=torch.bool), self["in/word_vectors"],
            words, self["in/time"] / grid,
        )  # fmt: skip

    def __getitem__(self, name: str) -> Tensor:
        return torch.from_numpy(np.asarray(self.arrays[name])).float()

    def tensors(self) -> dict[str, Tensor]:
        """What is behind each of their names."""
        net = self.model
        tensors: dict[str, Tensor] = {}
        linears: dict[str, nn.Linear | nn.Conv1d] = {
            "base_layer/fuse_multimodal_feature/dense": net.fuse
        }
        for way, inputs, gates in zip(("fw", "bw"), net.query.inputs, net.query.gates, strict=True):
            cell = f"sentence_encoding/bidirectional_rnn/{way}/SRUCell"
            linears |= {f"{cell}/x_hat": inputs, f"{cell}/gates": gates}
        convolutions = {"base_layer/conv1": net.stem}
        for i, block in enumerate(net.blocks):
            layer, kind = ("anchor_layer" if i else "base_layer"), "scm"
            if block.attention is not None:
                kind = "scdm"
                scope = f"{layer}/attend_sentence_with_videoattend_{i}/attention_multimodal"
                tensors |= {
                    f"W_v_{i}": block.attention.from_words.weight,
                    f"W_k_{i}": block.attention.from_steps.weight,
                    f"W_interaction_{i}": block.attention.score.weight,
                    f"{scope}/b": block.attention.from_steps.bias,
                }
            name = f"{layer}/{kind}_relu_conv{i}"
            for part, linear in zip(("gamma", "beta"), block.modulation, strict=True):
                linears[f"{name}/{kind}_norm/sentence_{part}"] = linear
            convolutions[f"{name}/conv"] = block.convolution
        for level, head in enumerate(net.heads, start=1):
            for branch, layers in (("overlap", head.overlap), ("reg", head.offset)):
                for stage in (1, 2):
                    norm, _, convolution = layers[3 * stage - 3 : 3 * stage]
                    name = f"prediction_layer/predict{level}_{stage}_{branch}"
                    convolutions[f"{name}/conv"] = convolution
                    tensors |= {
                        f"{name}/bn/gamma": norm.weight,
                        f"{name}/bn/beta": norm.bias,
                        f"{name}/bn/moving_mean": norm.running_mean,
                        f"{name}/bn/moving_variance": norm.running_variance,
                    }
        for kernel, named in (("kernel", linears), ("weight", convolutions)):
            for name, part in named.items():
                tensors[f"{name}/{kernel}"] = part.weight
                if part.bias is not None:
                    tensors[f"{name}/bias"] = part.bias
        return tensors


@pytest.fixture(params=OFFICIAL)
def official(request: pytest.FixtureRequest) -> Official:
    return Official(request.param)


def close(found: Tensor, expected: Tensor, atol: float = 1e-5, rtol: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, atol=atol, rtol=rtol)


def test_every_weight_of_the_authors_code_has_its_place(official: Official) -> None:
    theirs = {key.removeprefix("param/") for key in official.arrays if key.startswith("param/")}
    assert official.tensors().keys() == theirs


@torch.no_grad()
def test_every_block_gives_what_the_authors_code_gives(official: Official) -> None:
    net, found = official.model, {}
    for i, block in enumerate(net.blocks):
        block.register_forward_hook(lambda _, x, y, i=i: found.update({f"block_{i}": y}))
        if block.attention is not None:
            block.attention.register_forward_hook(
                lambda _, x, y, i=i: found.update({f"attended_attend_{i}": y})
            )
    net.query.register_forward_hook(lambda _, x, y: found.update({"words": y}))
    logits, offsets = net._predict(official.batch)
    names = [f"eval/{name}" for name in found]
    assert set(names) == {
        name for name in official.arrays if name.startswith(("eval/w", "eval/b", "eval/attended"))
    }
    for name in found:
        close(found[name], official[f"eval/{name}"], atol=2e-5, rtol=2e-5)
    close(found["words"].sum(1) / official.batch.query_mask.sum(1, keepdim=True),
          official["eval/sentence"])  # fmt: skip
    assert_predicts(official, logits, offsets, "eval")


@torch.no_grad()
def test_predictions_with_the_statistics_of_the_batch(official: Official) -> None:
    assert_predicts(official, *official.model.train()._predict(official.batch), "train")


def assert_predicts(official: Official, logits: Tensor, offsets: Tensor, mode: str) -> None:
    levels = range(len(official.model.heads))
    expected = [official[f"{mode}/logits_{level}"].flatten(1) for level in levels]
    close(logits, torch.cat(expected, 1), atol=3e-5, rtol=3e-5)
    moves = [official[f"{mode}/offsets_{level}"].flatten(1) for level in levels]
    close(offsets.flatten(1), torch.cat(moves, 1), atol=3e-5, rtol=3e-5)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_losses_are_those_of_the_authors_code(official: Official, mode: str) -> None:
    terms = official.model.train(mode == "train").losses(official.batch)
    for name, theirs in TERMS.items():
        close(terms[name], official[f"{mode}/loss/{theirs}"], rtol=3e-5)
    loss = torch.stack([terms[name] for name in TERMS]).sum()
    close(loss, official[f"{mode}/loss/loss_ssad"])


def test_gradients_are_those_of_the_authors_code(official: Official) -> None:
    terms = official.model.losses(official.batch)
    torch.stack([terms[name] for name in TERMS]).sum().backward()
    tensors = official.tensors()
    names = [key for key in official.arrays if key.startswith("eval/gradnorm/")]
    assert len(names) > 50
    for name in names:
        gradient = tensors[name.removeprefix("eval/gradnorm/")].grad
        assert gradient is not None
        close(gradient.norm(), official[name], atol=1e-3, rtol=1e-4)


def test_anchors_are_those_of_the_authors_code(official: Official) -> None:
    close(official.model.anchors, _centered(official["anchors"]))


def _centered(spans: Tensor) -> Tensor:
    return torch.stack([spans.sum(-1) / 2, spans[..., 1] - spans[..., 0]], dim=-1)


@torch.no_grad()
def test_answers_are_those_of_the_authors_code(official: Official) -> None:
    moments, grid = official.model(official.batch), official.model.config.grid
    spans = moments.spans * grid
    width, length = spans[..., 1] - spans[..., 0], official["in/video_length"][:, None]
    real = width <= length
    if official.dataset == "charades":
        real &= width >= 1
    kept = nms(spans.numpy(), real.numpy(), threshold=THRESHOLD[official.dataset], keep=10)
    for row, columns in enumerate(kept):
        expected = official["eval/answer_scores"][row]
        close(moments.scores[row, columns], expected)
        # Where their grid is padded, scores are equal, and which comes first is open.
        alone = (expected[:, None] - expected).abs().fill_diagonal_(1).amin(0) > 1e-5
        alone[-1] &= row == 0
        close(spans[row, columns][alone], official["eval/answers"][row][alone], atol=1e-4)
        assert alone.all() or row


@torch.no_grad()
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
    close(given[0][:, :, 1:-1], normal.relu().mT, atol=1e-4)


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
