"""One training from its configuration: the prepared data, a fresh method, the loop."""

from pathlib import Path

import pandas as pd
import torch

from mgsl.configs import RunConfig
from mgsl.data.loading import Split, load_splits
from mgsl.models import build
from mgsl.models.parts.base import BlindMethod, Method
from mgsl.training.blind import fit_blind
from mgsl.training.loop import fit
from mgsl.training.seeding import seed_everything


def train(
    config: RunConfig, prepared: Path, *, seed: int, device: torch.device, state_path: Path
) -> tuple[Method, pd.DataFrame, dict[str, Split]]:
    """Train one method with one seed.

    Args:
        config: what it is told.
        prepared: the folder of the prepared dataset.
        seed: of weights and order.
        device: where to train; within a process group if there are several processes.
        state_path: where a method that learns in epochs keeps its state (`loop.fit`).

    Returns:
        The method with its best weights, its curve, one row an epoch, and the splits.

    Raises:
        UserError: the dataset is not prepared, or training stops (`loop.fit`, `fit_blind`).
    """
    splits = load_splits(prepared, config)
    seed_everything(seed)
    model = build(config)
    data = (splits["train"], splits["val"])
    if isinstance(model, BlindMethod):
        return model, fit_blind(model, *data, config, seed=seed), splits
    curve = fit(model, *data, config, seed=seed, device=device, state_path=state_path)
    return model, curve, splits
