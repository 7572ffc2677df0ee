"""Every method on a GPU: what a CPU computes, and the same bytes each time it trains there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mgsl.conformance.golden import doubles, total
from mgsl.models import build
from mgsl.models.parts.base import GroundingModel
from mgsl.training.checkpoint import load_checkpoint, save_checkpoint
from tests import tiny
from tests.test_contract import NAMES
from tests.training.killing import CPU, assert_same_weights, killed_after, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
CUDA = torch.device("cuda")


@pytest.fixture
def draws_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is drawn on a GPU be drawn on the CPU, since its generator is another."""

    def on_cpu(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def drawn(*sizes: object, device: torch.device | None = None, **named: object):  # type: ignore[no-untyped-def]
            return function(*sizes, **named).to(device or CPU)

        return drawn

    rand = on_cpu(torch.rand)
    monkeypatch.setattr(torch, "rand", rand)
    monkeypatch.setattr(torch, "rand_like", lambda x: rand(x.shape, dtype=x.dtype, device=x.device))


def computed(name: str, device: torch.device) -> dict[str, torch.Tensor]:
    """Scores, losses and gradients of a fresh model without dropout, by name, on the CPU."""
    torch.manual_seed(0)
    model, batch = build(tiny.run_config(name)).eval(), tiny.batch(8)
    floats = ("video", "query", "target")
    batch = replace(batch, **{key: getattr(batch, key).double() for key in floats}).to(device)
    model.to(device)
    model.before_training(batch.target)
    values = {"scores": model(batch).scores}
    torch.manual_seed(1)
    with torch.backends.cudnn.flags(enabled=False):  # its LSTMs learn in training alone
        losses = model.losses(batch)
        total(losses).backward()
    values |= losses | {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
    return {key: value.detach().cpu() for key, value in values.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("draws_of_a_cpu")
def test_answers_losses_and_gradients_are_those_of_a_cpu(name: str) -> None:
    with doubles():
        on_cpu, on_gpu = (computed(name, device) for device in (CPU, CUDA))
    assert on_gpu.keys() == on_cpu.keys()
    for key, value in on_gpu.items():
        torch.testing.assert_close(
            value, on_cpu[key], atol=1e-8, rtol=1e-6, msg=lambda text, key=key: f"{key}: {text}"
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_training_ends_with_the_same_weights(name: str, tmp_path: Path) -> None:
    config = tiny.run_config(name, epochs=4)
    whole = train(config, tmp_path / "whole.pt", device=CUDA)
    with killed_after(2):
        train(config, tmp_path / "killed.pt", device=CUDA)
    torch.rand(17, device=CUDA)
    assert_same_weights(train(config, tmp_path / "killed.pt", device=CUDA), whole)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", NAMES)
def test_in_half_precision_weights_stay_whole(name: str, precision: str, tmp_path: Path) -> None:
    config = tiny.run_config(name)
    settings = config.training.model_copy(update={"precision": precision})
    config = config.model_copy(update={"training": settings})
    model = train(config, tmp_path / "state.pt", device=CUDA)
    assert not any(p.isnan().any() for p in model.parameters())  # a sharpness may be -infinity
    assert next(model.parameters()).dtype == torch.float32


def test_a_checkpoint_of_a_gpu_answers_on_a_cpu(tmp_path: Path) -> None:
    config = tiny.run_config()
    model = train(config, tmp_path / "state.pt", device=CUDA).eval()
    save_checkpoint(tmp_path / "checkpoint.safetensors", model, config)
    loaded = load_checkpoint(tmp_path / "checkpoint.safetensors", config)
    assert isinstance(loaded, GroundingModel)
    scores = loaded(tiny.batch()).scores
    torch.testing.assert_close(
        model(tiny.batch().to(CUDA)).scores.cpu(), scores, atol=1e-3, rtol=1e-3
    )
