"""Training: it learns, stops clearly, and goes on after a kill to the same weights bit for bit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mgsl.errors import UserError
from mgsl.models import build
from mgsl.models.parts.base import GroundingModel
from mgsl.nested import merge
from mgsl.recipes import Linear
from mgsl.records import Batch, Moments
from mgsl.training import loop
from mgsl.training.progress import Training
from mgsl.training.seeding import seed_everything
from tests import joint, tiny
from tests.training.killing import CPU, assert_same_weights, killed_after, train

FALLING = Linear(kind="linear", warmup_steps=0, initial_rate=0.0, count_from=1)


def test_training_learns_what_can_be_learned(tmp_path: Path) -> None:
    config = tiny.run_config(epochs=12, learning_rate=0.005)
    seed_everything(0)
    model = build(config)
    curve = loop.fit(
        model, tiny.split(64), tiny.split(32, seed=1), config, seed=0, device=CPU,
        state_path=tmp_path / "state.pt",
    )  # fmt: skip
    assert curve["loss"].iloc[-1] < 0.6 * curve["loss"].iloc[0]
    assert curve["val_R@1, IoU=0.5"].max() > 0.6
    assert list(curve["epoch"]) == list(range(1, 13))
    assert {"val_memory_zeroed_R@1, IoU=0.5", "video_slot_cosine"} <= set(curve.columns)


def test_the_epoch_that_did_best_on_validation_is_kept(tmp_path: Path) -> None:
    config = tiny.run_config(epochs=4, learning_rate=0.005)
    val = tiny.split(32, seed=1)
    seed_everything(0)
    model = build(config)
    curve = loop.fit(
        model, tiny.split(64), val, config, seed=0, device=CPU, state_path=tmp_path / "s.pt"
    )
    kept = (loop.first_tiou(model, val, config, CPU) >= 0.5).mean()
    assert kept == curve["val_R@1, IoU=0.5"].max()


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("mgsl_net", 1),
        ("mgsl_net", 2),
        ("no_memory_repeat", 1),
        ("no_memory_neighbours", 1),
        ("no_memory_drop", 1),
    ],
)
def test_a_killed_training_ends_with_the_same_weights(
    name: str, epoch: int, tmp_path: Path
) -> None:
    config = tiny.run_config(name, epochs=3)
    whole = train(config, tmp_path / "whole.pt")
    with killed_after(epoch):
        train(config, tmp_path / "killed.pt")
    torch.rand(17)
    assert_same_weights(train(config, tmp_path / "killed.pt"), whole)


class InSteps(torch.nn.Linear, GroundingModel):
    """Learns where moments start, then where they end; notes how each epoch is trained."""

    def __init__(self) -> None:
        super().__init__(tiny.VIDEO_DIM * tiny.CLIPS, 2)
        self.entered: list[tuple[int, float]] = []
        self.register_buffer("step", torch.zeros(()))

    def stage(self, progress: float) -> int:
        return int(progress >= 0.5)

    def enter(self, stage: int) -> float:
        self.entered.append((stage, self.weight.detach().sum().item()))
        self.step.fill_(stage)
        self.bias.requires_grad_(stage == 1)
        return 0.1**stage

    def forward(self, batch: Batch) -> Moments:
        spans = super().forward(batch.video.flatten(1)).sigmoid().sort().values
        return Moments(spans[:, None], spans[:, :1])

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        error = (super().forward(batch.video.flatten(1)).sigmoid() - batch.target).square()
        return {"error": error.mean()}


def train_in_steps(state: Path) -> InSteps:
    seed_everything(0)
    model = InSteps()
    config = tiny.run_config(epochs=6, learning_rate=0.05)
    data = tiny.split(24), tiny.split(10, seed=1)
    loop.fit(model, *data, config, seed=0, device=CPU, state_path=state)
    return model


@pytest.mark.parametrize("later", [0.9, 0.7])
def test_a_stage_starts_from_the_best_of_the_one_before_and_the_last_is_kept(
    later: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recalls, sums = iter([0.2, 0.8, 0.4, 0.5, later, 0.6]), []

    def validate(model: InSteps, *_: object, **__: object) -> dict[str, float]:
        sums.append(model.weight.detach().sum().item())
        return {"val_R@1, IoU=0.5": next(recalls)}

    monkeypatch.setattr(loop, "validate", validate)
    model = train_in_steps(tmp_path / "s.pt")
    stages, at_start = zip(*model.entered, strict=True)
    assert stages == (0, 0, 0, 1, 1, 1)
    assert at_start[2] == sums[1]
    assert at_start[3] == sums[1] != sums[2]
    assert model.weight.detach().sum().item() == sums[4]
    assert model.step == 1


def test_a_stage_freezes_and_scales_the_learning_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    update = loop.update

    def watched(training: Training, rate: float) -> None:
        update(training, rate)
        assert isinstance(training.model, InSteps)
        used = training.optimizer.param_groups[0]["lr"]
        steps.append((used, training.model.bias.requires_grad))

    monkeypatch.setattr(loop, "update", watched)
    train_in_steps(tmp_path / "s.pt")
    assert steps == [(0.05, False)] * 9 + [(pytest.approx(0.005), True)] * 9


@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_a_training_killed_in_any_stage_ends_with_the_same_weights(
    epoch: int, tmp_path: Path
) -> None:
    whole = train_in_steps(tmp_path / "whole.pt")
    with killed_after(epoch):
        train_in_steps(tmp_path / "killed.pt")
    assert_same_weights(train_in_steps(tmp_path / "killed.pt"), whole)


def test_an_epoch_has_the_rates_of_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny.run_config(epochs=2, learning_rate=0.1, schedule=FALLING)
    training, rates = Training(build(config), config, CPU), []
    monkeypatch.setattr(loop, "update", lambda _, rate: rates.append(rate))
    loop.fit_epoch(training, tiny.split(24), epoch=1, seed=0)
    assert rates == pytest.approx([0.1 * left / 7 for left in (3, 2, 1)])


def test_a_loss_that_is_not_finite_stops_with_step_and_terms(tmp_path: Path) -> None:
    data = tiny.split(24)
    data.targets[5] = np.nan
    with pytest.raises(UserError, match=r"step \d.*boundary nan.*iou nan"):
        train(tiny.run_config(), tmp_path / "state.pt", data)


def test_features_that_are_not_finite_are_blamed_not_the_learning_rate(tmp_path: Path) -> None:
    data = tiny.split(24)
    data.features[5] = np.nan
    with pytest.raises(UserError, match="features of video 'v5' hold NaN or infinity") as caught:
        train(tiny.run_config(), tmp_path / "state.pt", data)
    assert "learning_rate" not in str(caught.value)


def test_an_epoch_is_told_when_its_state_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[bool] = []
    monkeypatch.setattr(loop, "say", lambda _: saved.append((tmp_path / "state.pt").exists()))
    train(tiny.run_config(epochs=1), tmp_path / "state.pt")
    assert saved == [True]


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"not a state")
    with pytest.raises(UserError, match=r"state\.pt.*damaged.*delete it"):
        train(tiny.run_config(), tmp_path / "state.pt")


@pytest.mark.parametrize("key", ["model", "optimizer", "random", "progress"])
def test_a_state_of_something_else_is_named(key: str, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    train(tiny.run_config(epochs=1), path)
    state = torch.load(path, weights_only=True)
    for other in ({}, {"w": torch.zeros(2)}, [1], None):
        torch.save(state | {key: other}, path)
        with pytest.raises(UserError, match=r"state\.pt.*damaged.*delete it"):
            train(tiny.run_config(epochs=1), path)


def test_micro_batches_give_the_gradient_of_the_whole(tmp_path: Path) -> None:
    def gradients(parts: int) -> list[torch.Tensor]:
        config = tiny.run_config()
        config = config.model_copy(
            update={"training": config.training.model_copy(update={"micro_batches": parts})}
        )
        seed_everything(0)
        plain = {"encoder": {"dropout": 0.0}, "heads": {"norm": False}}  # no statistics of a part
        model = build(config.model_copy(update={"model": merge(config.model, plain)}))
        for memory in model.memories():
            memory.write = lambda *_, slots=memory.slots: slots  # type: ignore[assignment]
        loop.backward(Training(model, config, CPU), tiny.batch(5))
        return [p.grad for p in model.parameters() if p.grad is not None]

    for whole, parts in zip(gradients(1), gradients(3), strict=False):
        torch.testing.assert_close(whole, parts, atol=1e-6, rtol=1e-4)


def test_two_processes_train_as_one_does_on_the_joint_batch(tmp_path: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node=2", "-m", "tests.joint", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    joint.main(tmp_path)
    for name in joint.NAMES:
        one, left, right = (
            torch.load(tmp_path / f"{name}-{which}.pt", weights_only=True)
            for which in ("1-0", "2-0", "2-1")
        )
        for key, tensor in left["state"].items():
            assert torch.equal(tensor, right["state"][key]), key
        assert torch.equal(left["losses"].isfinite(), one["losses"].isfinite())
        if name not in joint.JOINT:
            continue
        torch.testing.assert_close(left["losses"], one["losses"], atol=1e-5, rtol=1e-4)
        for memory in joint.MEMORIES if name != "no_memory_drop" else ():
            torch.testing.assert_close(
                left["state"][memory], one["state"][memory], atol=2e-4, rtol=1e-3
            )
