"""The only training loop: it knows no method by name.

One process, or several started by `torchrun`: each joint batch is shared out, gradients are
averaged, and every process ends each step with the same weights and memories.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import nn
from tqdm import tqdm

from mgsl.configs import RunConfig
from mgsl.data.loading import Split, ahead, batches
from mgsl.distributed import average_gradients, broadcast_weights, gather, rank, total, world_size
from mgsl.errors import UserError
from mgsl.models.parts.base import GroundingModel
from mgsl.params import TrainingParams
from mgsl.records import Batch
from mgsl.spans import tiou
from mgsl.training.checkpoint import load_state, save_state
from mgsl.training.seeding import random_state, restore_random_state

LOGGED_IOU = (0.3, 0.5, 0.7)  # shown in the training curve, whatever an epoch is chosen by
PREDICT_FACTOR = 4  # batches are larger where no gradient is kept
PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def fit(
    model: GroundingModel,
    train: Split,
    val: Split,
    config: RunConfig,
    *,
    seed: int,
    device: torch.device,
    state_path: Path,
) -> pd.DataFrame:
    """Train a model; leave it with the weights of the epoch that did best on validation.

    Of a method that trains in stages, each starts from the best epoch of the one before, and what
    is left is the best of the last.

    Args:
        model: fresh, on the CPU.
        train: what it learns from.
        val: what the epoch is chosen by.
        config: schedule and settings.
        seed: of the order of the training queries, together with the epoch's number.
        device: where to train.
        state_path: where the state is kept after each epoch; a killed training called again with
            the same arguments goes on from there, to the same weights bit for bit.

    Returns:
        One row an epoch: losses, validation, diagnostics.

    Raises:
        UserError: a loss is not finite, or the state is damaged.
    """
    settings = config.training
    model.to(device)
    model.before_training(torch.from_numpy(train.targets).to(device))
    broadcast_weights(model)
    optimizer = fresh_optimizer(model, config)
    scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "float16")
    progress: dict[str, Any] = {"rows": [], "stage": 0, "best": -1.0, "best_weights": None}
    if state := load_state(state_path):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scaler.load_state_dict(state["scaler"])
        restore_random_state(state["random"][rank() % len(state["random"])])
        progress = state["progress"]
        say(f"{config.name}: resuming after epoch {len(progress['rows'])}")
    started, first = time.monotonic(), len(progress["rows"])
    for epoch in range(first, config.epochs):
        stage = model.stage(epoch / config.epochs)
        if stage != progress["stage"]:
            model.load_state_dict(progress["best_weights"])
            optimizer = fresh_optimizer(model, config)
            progress |= {"stage": stage, "best": -1.0}
        factor = model.enter(stage)
        steps_per_epoch = -(-len(train) // config.batch_size)
        order = np.random.default_rng([seed, epoch]).permutation(len(train))
        steps = batches(
            train, order, batch_size=config.batch_size, rank=rank(), world_size=world_size()
        )
        shown = with_progress(
            paced(ahead(steps), optimizer, config, factor, epoch, steps_per_epoch),
            total=steps_per_epoch,
            title=f"{config.name}, epoch {epoch + 1}/{config.epochs}",
        )
        row = train_one_epoch(model, shown, optimizer, scaler, settings, device)
        broadcast_weights(model)  # running statistics were each process's own
        row |= validate(model, val, config, device, last=epoch + 1 == config.epochs)
        progress["rows"].append({"epoch": epoch + 1, **row})
        chosen = row[f"val_R@1, IoU={settings.select_iou}"]
        if chosen > progress["best"]:
            progress["best"] = chosen
            progress["best_weights"] = {k: v.cpu().clone() for k, v in model.state_dict().items()}
        left = (time.monotonic() - started) / (epoch + 1 - first) * (config.epochs - epoch - 1)
        say(
            f"{config.name}: epoch {epoch + 1}/{config.epochs}  loss {row['loss']:.3f}  "
            f"validation R@1 IoU={settings.select_iou} {chosen:.1%}  {left:.0f} s left"
        )
        randoms = gather(random_state())
        if rank() == 0:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scaler": scaler.state_dict(),
                "random": randoms,
                "progress": progress,
            }
            save_state(state_path, state)
    model.load_state_dict(progress["best_weights"])
    return pd.DataFrame(progress["rows"])


def fresh_optimizer(model: GroundingModel, config: RunConfig) -> torch.optim.Optimizer:
    """Adam, which knows nothing yet."""
    return torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)


def train_one_epoch(
    model: GroundingModel,
    joint_batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    settings: TrainingParams,
    device: torch.device,
) -> dict[str, float]:
    """Pass once over the data; return the mean of each loss term. Knows no model by name.

    Raises:
        UserError: a loss is not finite; names step and terms.
    """
    totals: dict[str, float] = defaultdict(float)
    model.train()
    step = 0
    for step, batch in enumerate(joint_batches, start=1):
        optimizer.zero_grad(set_to_none=True)
        joint = total(torch.tensor(float(len(batch)))).item()
        sums: dict[str, float] = defaultdict(float)
        for part in batch.chunks(settings.micro_batches):
            share = len(part) * world_size() / joint  # of the mean over the joint batch
            with autocast(settings.precision, device):
                terms = model.losses(part.to(device))
            loss = torch.stack(list(terms.values())).sum()
            scaler.scale(loss * share).backward()
            for name, term in terms.items():
                sums[name] += term.item() * share
        means = mean_over_processes(sums)
        if not np.isfinite(list(means.values())).all():
            listed = ", ".join(f"{name} {value}" for name, value in means.items())
            raise UserError(
                f"step {step}: the loss is not finite: {listed}. Lower learning_rate, or train in "
                "float32; what the last epoch left is kept"
            )
        average_gradients(model)
        if settings.clip_norm:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        scaler.step(optimizer)
        scaler.update()
        model.after_step()
        for name, mean in means.items():
            totals[name] += mean
    terms_mean = {f"loss_{name}": value / step for name, value in totals.items()}
    return {"loss": sum(terms_mean.values()), **terms_mean}


def validate(
    model: GroundingModel, val: Split, config: RunConfig, device: torch.device, *, last: bool
) -> dict[str, float]:
    """R@1 on validation, all and rare and common; diagnostics; `last`, what each probe costs."""
    chosen = config.training.select_iou
    figures = recalls(first_tiou(model, val, config, device), val, chosen)
    for name, damage in model.probes() if last else ():
        with damage:
            first = first_tiou(model, val, config, device)
        figures[f"val_{name}_R@1, IoU={chosen}"] = float((first >= chosen).mean())
    model.eval()
    sample = val.batch(np.arange(min(config.batch_size, len(val)))).to(device)
    return figures | model.diagnostics(sample)


def recalls(first: Float[np.ndarray, " queries"], val: Split, chosen: float) -> dict[str, float]:
    """R@1 on validation at each IoU that is logged, and at the chosen one of rare and common.

    Args:
        first: how well the best-ranked moment of each query overlaps its target.
        val: the queries.
        chosen: the IoU that an epoch is chosen by.
    """
    figures = {
        f"val_R@1, IoU={iou}": float((first >= iou).mean()) for iou in sorted({*LOGGED_IOU, chosen})
    }
    rare = np.array([query.rare for query in val.queries])
    for group, members in (("rare", rare), ("common", ~rare)):
        if members.any():
            figures[f"val_{group}_R@1, IoU={chosen}"] = float((first[members] >= chosen).mean())
    return figures


def first_tiou(
    model: GroundingModel, split: Split, config: RunConfig, device: torch.device
) -> Float[np.ndarray, " queries"]:
    """How well the best-ranked moment of each query overlaps its target."""
    spans, _ = predict(model, split, config, device, keep=1)
    return tiou(spans[:, 0], split.targets.astype(np.float64))


def predict(
    model: GroundingModel,
    split: Split,
    config: RunConfig,
    device: torch.device,
    *,
    keep: int | None = None,
) -> tuple[Float[np.ndarray, "queries proposals 2"], Float[np.ndarray, "queries proposals"]]:
    """The best `keep` moments of each query, or all, and their scores; fractions of the duration.

    The processes share the work; each returns all of it.
    """
    model.eval()
    rows = np.array_split(np.arange(len(split)), world_size())[rank()]
    size = PREDICT_FACTOR * config.batch_size
    mine = batches(split, rows, batch_size=size, rank=0, world_size=1)
    spans, scores = [], []
    with torch.inference_mode():
        for batch in ahead(mine):
            with autocast(config.training.precision, device):
                moments = model(batch.to(device))
            spans.append(moments.spans[:, :keep].double().cpu().numpy())
            scores.append(moments.scores[:, :keep].double().cpu().numpy())
    parts = gather((np.concatenate(spans), np.concatenate(scores)))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Mixed precision where it is asked for."""
    return torch.autocast(device.type, PRECISIONS.get(precision), enabled=precision in PRECISIONS)


def mean_over_processes(values: dict[str, float]) -> dict[str, float]:
    """Each term's mean over the processes."""
    if world_size() == 1:
        return dict(values)
    summed = total(torch.tensor(list(values.values()), dtype=torch.float64))
    return dict(zip(values, (summed / world_size()).tolist(), strict=True))


def paced(
    batches_of_epoch: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    config: RunConfig,
    factor: float,
    epoch: int,
    steps_per_epoch: int,
) -> Iterator[Batch]:
    """The same batches, with the learning rate set before each.

    Args:
        batches_of_epoch: one for each step.
        optimizer: whose rate it is.
        config: the schedule.
        factor: of the method's stage on the rate.
        epoch: from 0.
        steps_per_epoch: as many as there are batches.
    """
    steps = config.epochs * steps_per_epoch
    for step, batch in enumerate(batches_of_epoch, start=epoch * steps_per_epoch + 1):
        for group in optimizer.param_groups:
            group["lr"] = factor * rate_at(step, steps, config)
        yield batch


def rate_at(step: int, steps: int, config: RunConfig) -> float:
    """The learning rate of a step (Q23): it rises for `warmup_steps`, then does as `decay` says.

    Args:
        step: from 1, of the whole training.
        steps: how many there are.
        config: the schedule. `decay`: `none`, constant; `linear`, to 0 after the last step;
            `inverse_sqrt`, with the inverse square root of the step.
    """
    warmup = config.warmup_steps
    if step < warmup:
        return config.learning_rate * step / warmup
    if config.decay == "linear":
        return config.learning_rate * (steps - step + 1) / (steps - warmup + 1)
    if config.decay == "inverse_sqrt":
        return config.learning_rate * (max(warmup, 1) / step) ** 0.5
    return config.learning_rate


def with_progress(steps: Iterable[Batch], *, total: int, title: str) -> Iterator[Batch]:
    """The same batches, with a bar on a terminal."""
    hidden = rank() > 0 or not sys.stderr.isatty()
    yield from tqdm(steps, total=total, desc=title, leave=False, disable=hidden)


def say(line: str) -> None:
    """Tell the person who waits; once, whatever the number of processes."""
    if rank() == 0:
        print(line, flush=True)
