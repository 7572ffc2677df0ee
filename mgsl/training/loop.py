"""The only training loop: it knows no method by name.

One process, or several started by `torchrun`: each joint batch is shared out, gradients are
averaged, and every process ends each step with the same weights and memories.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

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
from mgsl.records import Batch
from mgsl.spans import tiou
from mgsl.training.progress import Training

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
        UserError: features or a loss are not finite; the state is damaged, or cannot be written.
    """
    model.to(device)
    model.before_training(torch.from_numpy(train.targets).to(device))
    broadcast_weights(model)
    training = Training(model, config, device)
    if training.resume(state_path):
        say(f"{config.name}: resuming after epoch {len(training.progress.rows)}")
    started, first = time.monotonic(), len(training.progress.rows)
    for epoch in range(first, config.epochs):
        row = fit_epoch(training, train, epoch, seed)
        broadcast_weights(model)  # running statistics were each process's own
        row |= validate(model, val, config, device, last=epoch + 1 == config.epochs)
        recall = row[f"val_R@1, IoU={config.training.select_iou}"]
        training.log(row, recall)
        training.save(state_path)
        left_s = (time.monotonic() - started) / (epoch + 1 - first) * (config.epochs - epoch - 1)
        say(
            f"{config.name}: epoch {epoch + 1}/{config.epochs}  loss {row['loss']:.3f}  "
            f"validation R@1 IoU={config.training.select_iou} {recall:.1%}  {left_s:.0f} s left"
        )
    model.load_state_dict(training.progress.best_weights)
    return pd.DataFrame(training.progress.rows)


def fit_epoch(training: Training, split: Split, epoch: int, seed: int) -> dict[str, float]:
    """Train on all queries once, in the epoch's own order and at the rates of its steps.

    Args:
        training: what is trained.
        split: the training queries.
        epoch: from 0.
        seed: of the order, together with the epoch.
    """
    config = training.config
    factor = training.enter(training.model.stage(epoch / config.epochs))
    order = np.random.default_rng([seed, epoch]).permutation(len(split))
    joint_batches = batches(
        split, order, batch_size=config.batch_size, rank=rank(), world_size=world_size()
    )
    num_steps = -(-len(split) // config.batch_size)
    shown = with_progress(
        ahead(joint_batches),
        total=num_steps,
        title=f"{config.name}, epoch {epoch + 1}/{config.epochs}",
    )
    rates = [
        factor * rate_at(step, config.epochs * num_steps, config)
        for step in range(epoch * num_steps + 1, (epoch + 1) * num_steps + 1)
    ]
    return train_one_epoch(training, shown, rates)


def train_one_epoch(
    training: Training, joint_batches: Iterable[Batch], rates: Iterable[float]
) -> dict[str, float]:
    """Take a step for each batch; return the mean of each loss term. Knows no model by name.

    Args:
        training: what is trained.
        joint_batches: this process's share of each.
        rates: the learning rate of each step, for at least as many.

    Raises:
        UserError: a loss is not finite; names step and terms.
    """
    totals: dict[str, float] = defaultdict(float)
    training.model.train()
    step = 0
    for step, (batch, rate) in enumerate(zip(joint_batches, rates, strict=False), start=1):
        means = backward(training, batch)
        if not np.isfinite(list(means.values())).all():
            terms = ", ".join(f"{name} {value}" for name, value in means.items())
            raise UserError(
                f"step {step}: the loss is not finite: {terms}. Lower learning_rate, or train in "
                "float32; what the last epoch left is kept"
            )
        update(training, rate)
        for name, mean in means.items():
            totals[name] += mean
    terms_mean = {f"loss_{name}": value / step for name, value in totals.items()}
    return {"loss": sum(terms_mean.values()), **terms_mean}


def backward(training: Training, batch: Batch) -> dict[str, float]:
    """Leave the gradient of the mean over the joint batch; return its loss terms."""
    settings, device = training.config.training, training.device
    training.optimizer.zero_grad(set_to_none=True)
    joint = total(torch.tensor(float(len(batch)))).item()
    sums: dict[str, float] = defaultdict(float)
    for part in batch.chunks(settings.micro_batches):
        share = len(part) * world_size() / joint  # of the mean over the joint batch
        with autocast(settings.precision, device):
            terms = training.model.losses(part.to(device))
        loss = torch.stack(list(terms.values())).sum()
        training.scaler.scale(loss * share).backward()
        for name, term in terms.items():
            sums[name] += term.item() * share
    return mean_over_processes(sums)


def update(training: Training, rate: float) -> None:
    """Move the weights along the gradient, which all processes average, at a learning rate."""
    model, optimizer, scaler = training.model, training.optimizer, training.scaler
    average_gradients(model)
    if clip_norm := training.config.training.clip_norm:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
    scaler.step(optimizer)
    scaler.update()
    model.after_step()


def validate(
    model: GroundingModel, val: Split, config: RunConfig, device: torch.device, *, last: bool
) -> dict[str, float]:
    """R@1 on validation, all and rare and common; diagnostics; `last`, what each probe costs."""
    iou = config.training.select_iou
    figures = recalls(first_tiou(model, val, config, device), val, iou)
    for name, damage in model.probes() if last else ():
        with damage:
            first = first_tiou(model, val, config, device)
        figures[f"val_{name}_R@1, IoU={iou}"] = float((first >= iou).mean())
    model.eval()
    sample = val.batch(np.arange(min(config.batch_size, len(val)))).to(device)
    return figures | model.diagnostics(sample)


def recalls(
    first: Float[np.ndarray, " queries"], val: Split, select_iou: float
) -> dict[str, float]:
    """R@1 on validation at each IoU that is logged, and at `select_iou` of rare and common.

    Args:
        first: how well the best-ranked moment of each query overlaps its target.
        val: the queries.
        select_iou: the IoU that an epoch is chosen by.
    """
    figures = {
        f"val_R@1, IoU={iou}": float((first >= iou).mean())
        for iou in sorted({*LOGGED_IOU, select_iou})
    }
    rare = np.array([query.rare for query in val.queries])
    for group, members in (("rare", rare), ("common", ~rare)):
        if members.any():
            recall = float((first[members] >= select_iou).mean())
            figures[f"val_{group}_R@1, IoU={select_iou}"] = recall
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
    own = batches(split, rows, batch_size=size, rank=0, world_size=1)
    spans, scores = [], []
    with torch.inference_mode():
        for batch in ahead(own):
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
