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
from tqdm import tqdm

from mgsl.configs import RunConfig
from mgsl.data.loading import Split, ahead, batches
from mgsl.distributed import average_gradients, broadcast_weights, gather, rank, total, world_size
from mgsl.errors import UserError
from mgsl.models.parts.base import GroundingModel
from mgsl.recipes import Recall
from mgsl.records import Batch
from mgsl.spans import tiou
from mgsl.training import plateau, rare_words, recipe
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
        UserError: the recipe cannot be followed with these queries; features or a loss are not
            finite; the state is damaged, or cannot be written.
    """
    recipe.refuse(config, num_validation=len(val))
    epochs = recipe.course(config, len(train)).epochs
    model.to(device)
    model.before_training(torch.from_numpy(train.targets).to(device))
    broadcast_weights(model)
    training = Training(model, config, device)
    if training.resume(state_path):
        say(f"{config.name}: resuming after epoch {len(training.progress.rows)}")
    started, first = time.monotonic(), len(training.progress.rows)
    for epoch in range(first, epochs):
        if plateau.is_over(training.progress.looks, config):
            break
        row = fit_epoch(training, train, epoch, seed)
        broadcast_weights(model)  # running statistics were each process's own
        row |= validate(model, val, config, device, last=epoch + 1 == epochs)
        recall = row[f"val_R@1, IoU={config.training.select_iou}"]
        training.log(row, recall)
        if plateau.due(config, epoch + 1):
            training.look(plateau_figure(model, val, config, device))
        training.save(state_path)
        left_s = (time.monotonic() - started) / (epoch + 1 - first) * (epochs - epoch - 1)
        say(
            f"{config.name}: epoch {epoch + 1}/{epochs}  loss {row['loss']:.3f}  "
            f"validation R@1 IoU={config.training.select_iou} {recall:.1%}  {left_s:.0f} s left"
        )
    model.load_state_dict(training.progress.best_weights)
    return pd.DataFrame(training.progress.rows)


def fit_epoch(training: Training, split: Split, epoch: int, seed: int) -> dict[str, float]:
    """Train on the queries as the epoch has them (`rare_words`), at the rates of its steps.

    Args:
        training: what is trained.
        split: the training queries.
        epoch: from 0.
        seed: of order and words, together with the epoch.
    """
    config = training.config
    length = recipe.course(config, len(split))
    factor = training.enter(training.model.stage(epoch / length.epochs))
    first = epoch * length.steps_per_epoch + 1
    num_steps = min(length.steps_per_epoch, length.steps - first + 1)
    split, order = rare_words.of_epoch(split, config.training.rare_words, seed=seed, epoch=epoch)
    joint_batches = batches(
        split,
        order[: num_steps * config.batch_size],
        batch_size=config.batch_size,
        rank=rank(),
        world_size=world_size(),
    )
    shown = with_progress(
        ahead(joint_batches),
        total=num_steps,
        title=f"{config.name}, epoch {epoch + 1}/{length.epochs}",
    )
    cuts = training.progress.looks.cuts
    rates = [
        factor * recipe.rate_at(step, length, config, cuts=cuts)
        for step in range(first, first + num_steps)
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
    clipping = training.config.training.of_stage(training.progress.stage).clip
    if clipping.kind != "none":
        scaler.unscale_(optimizer)
        recipe.clip(model, clipping)
    recipe.set_rate(optimizer, rate)
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


def plateau_figure(
    model: GroundingModel, val: Split, config: RunConfig, device: torch.device
) -> float:
    """What a plateau watches: R@n after NMS, or the mean loss; the same in every process."""
    watch = getattr(config.schedule, "watch", None)
    if isinstance(watch, Recall):
        spans, _ = predict(model, val, config, device, keep=watch.n, nms_threshold=watch.nms)
        overlap = tiou(spans, val.targets.astype(np.float64)[:, None])
        return float((overlap >= watch.iou).any(axis=1).mean())
    model.eval()
    losses = 0.0
    with torch.inference_mode():
        for batch in batches(
            val, np.arange(len(val)), batch_size=config.batch_size, rank=0, world_size=1
        ):
            with autocast(config.training.precision, device):
                terms = model.losses(batch.to(device))
            losses += len(batch) * torch.stack(list(terms.values())).sum().item()
    return float(gather(losses / len(val))[0])  # processes may round otherwise


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
    nms_threshold: float | None = None,
) -> tuple[Float[np.ndarray, "queries proposals 2"], Float[np.ndarray, "queries proposals"]]:
    """The best `keep` moments of each query, or all, and their scores; fractions of the duration.

    With a threshold, the best of what NMS leaves (`plateau.survivors`). The processes share the
    work; each returns all of it.
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
            if nms_threshold is not None:
                most = keep or moments.spans.shape[1]
                moments = plateau.survivors(moments, threshold=nms_threshold, keep=most)
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


def with_progress(steps: Iterable[Batch], *, total: int, title: str) -> Iterator[Batch]:
    """The same batches, with a bar on a terminal."""
    hidden = rank() > 0 or not sys.stderr.isatty()
    yield from tqdm(steps, total=total, desc=title, leave=False, disable=hidden)


def say(line: str) -> None:
    """Tell the person who waits; once, whatever the number of processes."""
    if rank() == 0:
        print(line, flush=True)
