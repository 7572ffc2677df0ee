"""One training beside the pipeline: what it leaves, and how long it will take."""

import time
from pathlib import Path

import numpy as np
import torch

from mgsl import paths
from mgsl.configs import RunConfig
from mgsl.data.loading import batches, load_splits
from mgsl.evaluation.predictions import write_predictions
from mgsl.files import atomic_path
from mgsl.models import build
from mgsl.models.parts.base import BlindMethod
from mgsl.processes import alone
from mgsl.training import receipt, recipe
from mgsl.training.answering import answer
from mgsl.training.checkpoint import save_checkpoint
from mgsl.training.devices import choose_device
from mgsl.training.loop import backward, update
from mgsl.training.progress import Training
from mgsl.training.run import train

_STEPS = 4  # that are timed; the first is slower than the others
_FORWARD = 1 / 3  # of a step, where no gradient is computed
_BLIND_S = 2.0  # what is fitted once


def fit(config: RunConfig, seed: int, digest: str, folder: Path, *, device: str) -> None:
    """Train, and write what the pipeline would: answers, curve, checkpoint, the receipt last.

    Args:
        config: what is trained.
        seed: of weights and order.
        digest: of all that decides the training.
        folder: where it is kept.
        device: auto, cpu or cuda.

    Raises:
        UserError: training stops (`training.run.train`), or another process is at work on it.
    """
    torch.set_flush_denormal(True)
    where = choose_device(device, config.training.precision)
    state = folder.with_suffix(".pt")
    with alone(folder):
        model, curve, splits = train(
            config,
            paths.prepared(config.dataset),
            seed=seed,
            device=where,
            state_path=state,
        )
        test = splits["test"]
        spans_s, scores = answer(model, test, config, where)
        write_predictions(folder / "predictions.jsonl", test.queries, spans_s, scores, config.keep)
        save_checkpoint(folder / "checkpoint.safetensors", model, config)
        with atomic_path(folder / "curve.csv") as temporary:
            curve.to_csv(temporary, index=False, lineterminator="\n")
        receipt.write(folder, digest)
        state.unlink(missing_ok=True)


def seconds(config: RunConfig) -> float:
    """How long a training takes here, by a few of its steps; a rough number.

    Args:
        config: of the training; its dataset must be prepared.

    Raises:
        UserError: the dataset is not prepared, or the recipe cannot be followed with it.
    """
    splits = load_splits(paths.prepared(config.dataset), config)
    model = build(config)
    if isinstance(model, BlindMethod):
        return _BLIND_S
    where = choose_device("auto", config.training.precision)
    split = splits["train"]
    course = recipe.course(config, len(split))
    model.to(where)
    model.before_training(torch.from_numpy(split.targets).to(where))
    training = Training(model, config, where)
    training.enter(model.stage(0.0))
    model.train()
    order = np.arange(min(len(split), _STEPS * config.batch_size))
    steps = []
    for batch in batches(split, order, batch_size=config.batch_size, rank=0, world_size=1):
        started = time.perf_counter()
        backward(training, batch)
        update(training, config.learning_rate)
        steps.append(time.perf_counter() - started)
    answered = course.epochs * len(splits["val"]) + len(splits["test"])
    return min(steps) * (course.steps + _FORWARD * answered / config.batch_size)
