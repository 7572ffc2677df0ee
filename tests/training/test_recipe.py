"""Recipes: rates against lists, optimisers and clips against slow ones, plateaus by sequence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mgsl.configs import RunConfig
from mgsl.errors import UserError
from mgsl.models import MODELS, build
from mgsl.models.parts.base import GroundingModel
from mgsl.parsing import parse
from mgsl.recipes import SGD, Adam, RecipeParams
from mgsl.records import Batch, Moments
from mgsl.resolving import resolve
from mgsl.training import loop, plateau, recipe
from mgsl.training.progress import Training
from mgsl.training.seeding import seed_everything
from tests import tiny
from tests.training.killing import CPU, assert_same_weights, killed_after, train

RELOAD = {
    "kind": "plateau_reload", "watch": {"n": 5, "iou": 0.7, "nms": 0.5}, "every": 1, "window": 3,
    "factor": 0.1, "least_rate": 1e-5,
}  # fmt: skip


def config(name: str = "mgsl_net", **spec: Any) -> RunConfig:
    """One of tiny size with another recipe."""
    given = parse(RecipeParams, spec, where="a test")
    own = {key: getattr(given, key) for key in given.model_fields_set}
    run = tiny.run_config(name)
    training = {key: own.pop(key) for key in list(own) if key in type(run.training).model_fields}
    changes = own | {"training": run.training.model_copy(update=training)}
    return run.model_copy(update=changes)


def with_warm_up(kind: str, steps: int, initial: float, first: int) -> dict[str, Any]:
    return {"kind": kind, "warmup_steps": steps, "initial_rate": initial, "count_from": first}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"kind": "constant"}, [0.1] * 6),
        (with_warm_up("linear", 0, 0.0, 0), [0.1 * left / 6 for left in (6, 5, 4, 3, 2, 1)]),
        (with_warm_up("linear", 0, 0.0, 1), [0.1 * left / 7 for left in (6, 5, 4, 3, 2, 1)]),
        (with_warm_up("linear", 3, 0.0, 1), [0.1 / 3, 0.2 / 3, 0.1, 0.075, 0.05, 0.025]),
        (with_warm_up("linear", 2, 0.02, 0), [0.02, 0.06, 0.1, 0.075, 0.05, 0.025]),
        (
            with_warm_up("inverse_sqrt", 4, 0.02, 0),
            [0.02, 0.04, 0.06, 0.08, 0.1, 0.1 * (4 / 5) ** 0.5],
        ),
        (
            with_warm_up("inverse_sqrt", 4, 0.0, 1),
            [0.025, 0.05, 0.075, 0.1, 0.1 * (4 / 5) ** 0.5, 0.1 * (4 / 6) ** 0.5],
        ),
        (
            with_warm_up("inverse_sqrt", 0, 0.0, 0),
            [0.1, 0.1, *(0.1 * number**-0.5 for number in (2, 3, 4, 5))],
        ),
        ({"kind": "steps", "epochs": [1, 2], "factor": 0.5}, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]),
    ],
)
def test_a_schedule_gives_each_step_its_rate(
    schedule: dict[str, Any], expected: list[float]
) -> None:
    run = config(schedule=schedule, learning_rate=0.1)
    length = recipe.Course(steps=6, steps_per_epoch=2, epochs=3)
    rates = [recipe.rate_at(step, length, run) for step in range(1, 7)]
    assert rates == pytest.approx(expected)


def test_a_plateau_multiplies_the_rate_as_often_as_it_was_lowered() -> None:
    length = recipe.Course(steps=6, steps_per_epoch=2, epochs=3)
    run = config(schedule=RELOAD, learning_rate=0.1)
    assert recipe.rate_at(3, length, run, cuts=2) == pytest.approx(0.001)


class Gradients(nn.Module):
    """A weight, a bias and a LayerNorm whose gradients are given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 4.0]]))
        self.bias_of_it = nn.Parameter(torch.tensor([0.3, -0.7]))
        self.norm = nn.LayerNorm(2)

    def fill(self, step: int) -> None:
        for place, parameter in enumerate(self.parameters()):
            count = parameter.numel()
            values = torch.linspace(-1, 1, count) * 3.0**-place + 0.2 * step
            parameter.grad = values.view_as(parameter)


def adam(values: np.ndarray, gradients: list[np.ndarray], decay: float, eps: float) -> np.ndarray:
    """Kingma and Ba, with the decay of Loshchilov and Hutter, at a rate of 0.01."""
    first, second = np.zeros_like(values), np.zeros_like(values)
    for step, gradient in enumerate(gradients, start=1):
        first = 0.8 * first + 0.2 * gradient
        second = 0.9 * second + 0.1 * gradient**2
        values = values - 0.01 * decay * values
        by_now = first / (1 - 0.8**step), second / (1 - 0.9**step)
        values = values - 0.01 * by_now[0] / (np.sqrt(by_now[1]) + eps)
    return values


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_adam_moves_and_decays_as_slow_arithmetic_does(decay: float) -> None:
    spec = {
        "kind": "adam", "betas": [0.8, 0.9], "epsilon": 0.1, "weight_decay": decay,
        "exceptions": ["biases", "layer_norms"],
    }  # fmt: skip
    model = Gradients()
    before = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    optimizer = recipe.optimizer(model, config(optimizer=spec, learning_rate=0.01))
    gradients: dict[str, list[np.ndarray]] = {name: [] for name in before}
    for step in range(3):
        model.fill(step)
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            gradients[name].append(parameter.grad.double().numpy())
        optimizer.step()
    for name, parameter in model.named_parameters():
        own = decay if name == "weight" else 0.0
        slow = adam(before[name], gradients[name], own, eps=0.1)
        np.testing.assert_allclose(parameter.detach().numpy(), slow, rtol=1e-5, atol=1e-7)


def test_momentum_moves_as_slow_arithmetic_does() -> None:
    model = Gradients()
    values, speed = model.weight.detach().double().numpy(), np.zeros((2, 2))
    run = config(optimizer={"kind": "sgd", "momentum": 0.9}, learning_rate=0.01)
    assert isinstance(run.training.optimizer, SGD)
    optimizer = recipe.optimizer(model, run)
    for step in range(3):
        model.fill(step)
        assert model.weight.grad is not None
        speed = 0.9 * speed + model.weight.grad.double().numpy()
        values = values - 0.01 * speed
        optimizer.step()
    np.testing.assert_allclose(model.weight.detach().numpy(), values, rtol=1e-6)


def test_decay_and_the_rate_of_biases_are_those_of_slow_arithmetic() -> None:
    spec = {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.1, "exceptions": ["biases"],
            "bias_factor": 2.0}  # fmt: skip
    model = nn.Linear(3, 2)
    values = {name: p.detach().clone() for name, p in model.named_parameters()}
    speed = {name: torch.zeros_like(value) for name, value in values.items()}
    optimizer = recipe.optimizer(model, config(optimizer=spec, learning_rate=0.01))
    for rate in (0.01, 0.005, 0.02):
        recipe.set_rate(optimizer, rate)
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        for name, p in model.named_parameters():
            assert p.grad is not None
            decay, factor = (0.0, 2.0) if name == "bias" else (0.1, 1.0)
            speed[name] = 0.9 * speed[name] + p.grad + decay * values[name]
            values[name] = values[name] - factor * rate * speed[name]
        optimizer.step()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.detach(), values[name])


def test_a_stage_has_its_own_optimiser_and_clipping() -> None:
    spec = {"kind": "sgd", "momentum": 0.9}
    run = config(stages=[{"optimizer": spec, "clip": {"kind": "none"}}])
    kinds = [type(recipe.optimizer(nn.Linear(2, 2), run, stage)) for stage in range(3)]
    assert kinds == [torch.optim.SGD, torch.optim.Adam, torch.optim.Adam]
    clips = [run.training.of_stage(stage).clip.kind for stage in range(3)]
    assert clips == ["none", "norm", "norm"]


def test_decay_spares_biases_and_layer_norms_and_nothing_else() -> None:
    spec = Adam(
        kind="adam", betas=(0.9, 0.999), epsilon=1e-6, weight_decay=0.01,
        exceptions=("biases", "layer_norms"),
    )  # fmt: skip
    model = build(tiny.run_config("vslnet"))
    assert isinstance(model, nn.Module)
    alone = recipe.decay_exceptions(model, spec)
    norms = {f"encoder.norms.{n}" for n in range(4)}
    norms |= {"encoder.attention_norm", "encoder.last_norm"}
    assert {name for name in alone if "bias" not in name} == {f"{n}.weight" for n in norms}
    assert {"span.start_states.bias_ih_l0", "highlight.bias", "encoder.qkv.bias"} < alone
    decayed = {name for name, _ in model.named_parameters()} - alone
    assert {
        "encoder.positions.weight", "span.end_states.weight_hh_l0", "attention.of_clip",
        "attention.of_both", "pool.weight", "encoder.along.0.weight",
    } < decayed  # fmt: skip
    assert not [name for name in decayed if "bias" in name or "norm" in name]
    none = spec.model_copy(update={"exceptions": ()})
    assert recipe.decay_exceptions(model, none) == set()
    run = config("vslnet", optimizer=spec.model_dump())
    groups = recipe.optimizer(model, run).param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]
    assert [len(group["params"]) for group in groups] == [len(decayed), len(alone)]


def clipped(kind: str, limit: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Gradients of 64 bits before, and as a clip leaves them."""
    model = Gradients()
    model.fill(1)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    before = [g.double().numpy().copy() for g in gradients]
    spec = {"kind": kind} | ({} if kind == "none" else {"limit": limit})
    recipe.clip(model, config(clip=spec).training.clip)
    return before, [g.numpy() for g in gradients]


def assert_close(gradients: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for gradient, slow in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, slow, rtol=1e-5)


def test_no_clipping_leaves_gradients_as_they_are() -> None:
    before, after = clipped("none", 0.0)
    assert_close(after, before)


@pytest.mark.parametrize(("limit", "acts"), [(0.5, True), (100.0, False)])
def test_clipping_of_all_gradients_together(limit: float, acts: bool) -> None:
    before, after = clipped("norm", limit)
    norm = sum(float((g**2).sum()) for g in before) ** 0.5
    assert (norm > limit) == acts
    assert_close(after, [g * min(1.0, limit / norm) for g in before])


def test_clipping_of_each_tensor_by_itself() -> None:
    before, after = clipped("tensor_norm", 0.6)
    norms = [float((g**2).sum()) ** 0.5 for g in before]
    assert min(norms) < 0.6 < max(norms)
    assert_close(after, [g * min(1.0, 0.6 / n) for g, n in zip(before, norms, strict=True)])


def test_clipping_of_each_element() -> None:
    before, after = clipped("element", 0.25)
    assert_close(after, [np.clip(g, -0.25, 0.25) for g in before])


def test_a_tensor_without_gradient_stays_without() -> None:
    model = Gradients()
    model.weight.grad = torch.zeros(2, 2)
    recipe.clip(model, config(clip={"kind": "tensor_norm", "limit": 1.0}).training.clip)
    assert model.bias_of_it.grad is None
    assert torch.equal(model.weight.grad, torch.zeros(2, 2))


@pytest.mark.parametrize("kind", ["tensor_norm", "element"])
def test_processes_clip_what_they_have_averaged(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def average(model: nn.Module) -> None:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 5.0)

    monkeypatch.setattr(loop, "average_gradients", average)
    run = config(clip={"kind": kind, "limit": 0.5})
    model = build(run)
    assert isinstance(model, GroundingModel)
    loop.update(Training(model, run, CPU), rate=0.0)
    for parameter in model.parameters():
        assert parameter.grad is not None
        size = parameter.grad.norm() if kind == "tensor_norm" else parameter.grad.max()
        assert size == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize(
    ("spec", "queries", "expected"),
    [
        ({"epochs": 3}, 20, (9, 3, 3)),
        ({"epochs": 3, "drop_last": True}, 20, (6, 2, 3)),
        ({"epochs": None, "steps": 7}, 20, (7, 3, 3)),
        ({"epochs": None, "steps": 7, "drop_last": True}, 23, (7, 2, 4)),
    ],
)
def test_a_training_has_so_many_steps(
    spec: dict[str, Any], queries: int, expected: tuple[int, int, int]
) -> None:
    length = recipe.course(config(batch_size=8, **spec), queries)
    assert (length.steps, length.steps_per_epoch, length.epochs) == expected


def sizes_of_steps(monkeypatch: pytest.MonkeyPatch, folder: Path, **spec: Any) -> list[int]:
    """How many queries each step of a training has."""
    sizes = []
    backward = loop.backward

    def noted(training: Training, batch: Batch) -> dict[str, float]:
        sizes.append(len(batch))
        return backward(training, batch)

    monkeypatch.setattr(loop, "backward", noted)
    train(config(batch_size=8, **spec), folder / "state.pt", tiny.split(20))
    return sizes


def test_a_batch_that_is_not_full_may_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sizes_of_steps(monkeypatch, tmp_path, epochs=2, drop_last=True) == [8] * 4


def test_a_training_of_steps_ends_within_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sizes_of_steps(monkeypatch, tmp_path, epochs=None, steps=5) == [8, 8, 4, 8, 8]


def outcomes(schedule: dict[str, Any], figures: list[float]) -> tuple[list[int], list[Any]]:
    """After each look, the cuts of the rate so far, and what was gone back to."""
    looks, run = plateau.Looks(), config(schedule=schedule, learning_rate=0.001)
    cuts, returns = [], []
    for number, figure in enumerate(figures, start=1):
        returns.append(plateau.look(looks, run, figure, {"look": number}))
        cuts.append(looks.cuts)
    return cuts, returns


def test_a_plateau_is_more_looks_than_its_patience_without_a_better_figure() -> None:
    spec = {"kind": "plateau", "watch": "loss", "better": "lower", "patience": 1, "factor": 0.8}
    figures = [3.0, 2.0, 2.5, 2.0, 2.1, 2.2, 1.9, 1.9, 1.9]
    assert outcomes(spec, figures) == ([0, 0, 0, 1, 1, 2, 2, 2, 3], [None] * 9)
    turned = spec | {"better": "higher"}
    assert outcomes(turned, [-f for f in figures]) == outcomes(spec, figures)


def test_a_plateau_agrees_with_that_of_the_framework() -> None:
    generator = np.random.default_rng(0)
    losses = generator.normal(size=60).cumsum()
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=3, threshold=0.0
    )
    spec = {"kind": "plateau", "watch": "loss", "better": "lower", "patience": 3, "factor": 0.5}
    expected = []
    for loss in losses:
        reference.step(loss)
        expected.append(round(-np.log2(optimizer.param_groups[0]["lr"])))
    assert outcomes(spec, losses.tolist())[0] == expected
    assert expected[-1] > 2


def test_a_plateau_is_gone_back_from_when_the_oldest_look_of_the_window_is_the_best() -> None:
    figures = [0.1, 0.3, 0.2, 0.25, 0.1, 0.1, 0.4, 0.4, 0.2, 0.5]
    # windows of three: (1-3) best 2; (2-4) best 2, the oldest; (3-5) 4; (4-6) 4, the oldest;
    # (5-7) 7; (6-8) 7; (7-9) 7, the oldest, though 8 is as good; (8-10) 10
    cuts, returns = outcomes(RELOAD, figures)
    assert cuts == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert returns == [*[None] * 3, {"look": 2}, None, {"look": 4}, *[None] * 2, {"look": 7}, None]


def test_a_plateau_may_be_gone_back_from_look_after_look() -> None:
    cuts, returns = outcomes(RELOAD, [0.4, 0.3, 0.2, 0.1])
    assert (cuts, returns) == ([0, 0, 1, 2], [None, None, {"look": 1}, {"look": 2}])


def test_one_looks_as_often_as_the_schedule_says() -> None:
    fifth = config(schedule=RELOAD | {"every": 5})
    assert [epoch for epoch in range(1, 12) if plateau.due(fifth, epoch)] == [5, 10]
    assert not plateau.due(config(), 5)


def test_a_plateau_ends_the_training_when_the_rate_is_too_low() -> None:
    run = config(schedule=RELOAD, learning_rate=0.001)
    ends = [plateau.is_over(plateau.Looks(cuts=n), run) for n in range(4)]
    assert ends == [False, False, False, True]


def fall_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is watched be a made-up sequence, of which a training goes back at looks 3 and 6."""
    figures = iter([0.4, 0.3, 0.2, 0.35, 0.1, 0.1, 0.6])
    monkeypatch.setattr(loop, "plateau_figure", lambda *_: next(figures))


def test_a_training_goes_back_to_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_epoch: list[torch.Tensor] = []
    first_of_rate: dict[float, torch.Tensor] = {}
    log, update = Training.log, loop.update

    def logged(training: Training, row: dict[str, float], recall: float) -> None:
        after_epoch.append(weights(training))
        log(training, row, recall)

    def updated(training: Training, rate: float) -> None:
        first_of_rate.setdefault(rate, weights(training))
        update(training, rate)

    monkeypatch.setattr(Training, "log", logged)
    monkeypatch.setattr(loop, "update", updated)
    fall_back(monkeypatch)
    train(config(schedule=RELOAD, learning_rate=0.01, epochs=5), tmp_path / "state.pt")
    assert list(first_of_rate) == pytest.approx([0.01, 0.001])
    assert torch.equal(list(first_of_rate.values())[1], after_epoch[0])
    assert not torch.equal(after_epoch[0], after_epoch[2])


def weights(training: Training) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in training.model.parameters()])


def test_a_training_ends_with_its_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fall_back(monkeypatch)
    seed_everything(0)
    run = config(schedule=RELOAD | {"least_rate": 5e-4}, learning_rate=0.001, epochs=7)
    model, data = build(run), (tiny.split(24), tiny.split(10, seed=1))
    assert isinstance(model, GroundingModel)
    for _ in range(2):  # once more: what has ended is not gone on with
        curve = loop.fit(model, *data, run, seed=0, device=CPU, state_path=tmp_path / "state.pt")
        assert len(curve) == 3


@pytest.mark.parametrize("epoch", [2, 3, 4, 5])
def test_a_training_killed_near_a_plateau_ends_with_the_same_weights(
    epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = config(schedule=RELOAD, learning_rate=0.01, epochs=6)
    fall_back(monkeypatch)
    whole = train(run, tmp_path / "whole.pt")
    fall_back(monkeypatch)
    with killed_after(epoch):
        train(run, tmp_path / "killed.pt")
    assert_same_weights(train(run, tmp_path / "killed.pt"), whole)


class Ranked(nn.Linear, GroundingModel):
    """Answers alike to every query: a moment twice, almost, then one that is right."""

    def __init__(self) -> None:
        super().__init__(1, 1)

    def forward(self, batch: Batch) -> Moments:
        wrong = torch.tensor([[0.9, 1.0], [0.9, 0.99]]).expand(len(batch), 2, 2)
        spans = torch.cat([wrong, batch.target[:, None]], dim=1)
        return Moments(spans, torch.tensor([0.9, 0.8, 0.7]).expand(len(batch), 3))

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {"start": batch.target[:, 0].mean(), "end": 2 * batch.target[:, 1].mean()}


@pytest.mark.parametrize(
    ("n", "nms", "expected"), [(1, None, 0.0), (2, None, 0.0), (3, None, 1.0), (2, 0.5, 1.0)]
)
def test_what_is_watched_is_recall_after_nms(n: int, nms: float | None, expected: float) -> None:
    run = config(schedule=RELOAD | {"watch": {"n": n, "iou": 0.7, "nms": nms}})
    assert loop.plateau_figure(Ranked(), tiny.split(10), run, CPU) == expected


def test_what_is_watched_may_be_the_loss() -> None:
    spec = {"kind": "plateau", "watch": "loss", "better": "lower", "patience": 1, "factor": 0.8}
    val = tiny.split(10)  # in batches of 8 and 2
    expected = val.targets[:, 0].mean() + 2 * val.targets[:, 1].mean()
    assert loop.plateau_figure(Ranked(), val, config(schedule=spec), CPU) == pytest.approx(expected)


def test_nms_that_leaves_too_few_fills_up_with_nothing() -> None:
    spans = torch.tensor([[[0.0, 0.5], [0.0, 0.45], [0.6, 1.0]]])
    moments = Moments(spans, torch.tensor([[0.9, 0.8, 0.7]]))
    left = plateau.survivors(moments, threshold=0.5, keep=3)
    assert left.spans.tolist() == [[[0.0, 0.5], pytest.approx([0.6, 1.0]), [0.0, 0.0]]]
    assert left.scores.tolist() == [pytest.approx([0.9, 0.7, 0.0])]


def test_a_plateau_without_validation_is_refused_by_name(tmp_path: Path) -> None:
    run = config(schedule=RELOAD)
    model = build(run)
    assert isinstance(model, GroundingModel)
    with pytest.raises(UserError, match=r"mgsl_net: .*plateau_reload.*no validation queries"):
        loop.fit(
            model, tiny.split(8), tiny.split(0), run, seed=0, device=CPU,
            state_path=tmp_path / "state.pt",
        )  # fmt: skip


def test_full_batches_of_which_there_are_none_are_refused_by_name() -> None:
    run = config(batch_size=64, drop_last=True)
    with pytest.raises(UserError, match=r"mgsl_net: drop_last.*batch of 64.*20 training queries"):
        recipe.course(run, 20)


# What the released code of each method does: optimiser, rate, schedule, clip, batch, length.
RELEASES = {
    "vslnet": ("1e-06 0.01", 1e-4, "linear", "norm 1", (16, False), "100 epochs"),
    "lgi": ("1e-08 0", 4e-4, "constant", "none", (100, True), "300 epochs"),
    "cbp": ("1e-08 0", 1e-3, "plateau_reload", "tensor_norm 100", (64, True), "100 epochs"),
    "tgn": ("1e-08 0", 1e-3, "plateau_reload", "tensor_norm 100", (64, True), "100 epochs"),
    "scdm": ("1e-08 0", 1e-4, "constant", "element 1", (16, True), "250 epochs"),
    "cmin": ("1e-08 1e-07", 8e-4, "inverse_sqrt", "none", (128, False), "10 epochs"),
    "ctrl": ("1e-08 0", 5e-3, "constant", "none", (56, True), "20000 steps"),
    "acrn": ("1e-08 0", 1e-4, "constant", "none", (30, True), "100000 steps"),
    "tan_2d": ("1e-08 0", 1e-4, "plateau", "norm 10", (32, False), "100 epochs"),
    "drn": ("1e-08 0", 1e-3, "constant", "norm 0.5", (32, False), "90 epochs"),
}
ELSEWHERE = {  # what differs on Charades-STA and on TACoS
    ("lgi", "charades_i3d"): {5: "500 epochs"},
    ("scdm", "charades_i3d"): {5: "200 epochs"},
    ("scdm", "tacos_c3d"): {5: "300 epochs"},
    ("cmin", "charades_i3d"): {0: "1e-08 1e-08", 1: 4e-4, 4: (64, False), 5: "80 epochs"},
    ("cmin", "tacos_c3d"): {0: "1e-08 1e-08", 1: 4e-4, 4: (64, False), 5: "40 epochs"},
    ("tan_2d", "charades_i3d"): {2: "constant"},
}


@pytest.mark.parametrize("dataset", ["charades_i3d", "tacos_c3d", "activitynet_c3d"])
@pytest.mark.parametrize("name", RELEASES)
def test_a_method_has_the_recipe_of_its_release_at_the_scale_of_the_paper(
    name: str, dataset: str
) -> None:
    chosen = tiny.parameters().model_copy(update={"scale": "paper", "methods": (name,)})
    run = resolve(chosen, dataset, {key: kind.Config for key, kind in MODELS.items()}).runs[name]
    spec, clip = run.training.optimizer, run.training.clip
    assert isinstance(spec, Adam)
    assert spec.betas == (0.9, 0.999)
    expected = list(RELEASES[name])
    for place, value in ELSEWHERE.get((name, dataset), {}).items():
        expected[place] = value
    assert [
        f"{spec.epsilon:g} {spec.weight_decay:g}",
        run.learning_rate,
        run.schedule.kind,
        f"{clip.kind} {clip.limit:g}" if clip.kind != "none" else "none",
        (run.batch_size, run.training.drop_last),
        f"{run.epochs} epochs" if run.epochs else f"{run.steps} steps",
    ] == expected
