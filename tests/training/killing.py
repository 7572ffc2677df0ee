"""Trainings of tiny size that are killed, and what a training called again must end with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from mgsl.configs import RunConfig
from mgsl.data.loading import Split
from mgsl.models import build
from mgsl.models.parts.base import GroundingModel
from mgsl.training import loop
from mgsl.training.seeding import seed_everything
from tests import tiny

CPU = torch.device("cpu")


def train(
    config: RunConfig, state: Path, train_split: Split | None = None, device: torch.device = CPU
) -> GroundingModel:
    """A fresh model of a seed, trained with a state at that path."""
    seed_everything(0)
    model = build(config)
    data = train_split or tiny.split(24), tiny.split(10, seed=1)
    loop.fit(model, *data, config, seed=0, device=device, state_path=state)
    return model


def assert_same_weights(a: GroundingModel, b: GroundingModel) -> None:
    """Each tensor bit for bit."""
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(x, y), name


@contextmanager
def killed_after(epochs: int) -> Iterator[None]:
    """Kill the training within as it validates once more than so many epochs."""
    validate, calls = loop.validate, []

    def killed(*arguments: object, **named: object) -> dict[str, float]:
        calls.append(1)
        if len(calls) > epochs:
            raise KeyboardInterrupt
        return validate(*arguments, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "validate", killed)
        with pytest.raises(KeyboardInterrupt):
            yield
