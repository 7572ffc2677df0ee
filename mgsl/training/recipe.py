"""What a recipe (`mgsl.recipes`) says, done: optimisers, clipping, and the rate of each step.

All of it knows no method, and acts on gradients that the processes have averaged already: what is
clipped is the gradient of the joint batch, in every process the same.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mgsl.configs import RunConfig
from mgsl.errors import UserError
from mgsl.recipes import (
    SGD,
    Adam,
    Clip,
    Clipping,
    InverseSqrt,
    Linear,
    Plateau,
    PlateauReload,
    Steps,
    WarmUp,
)


@dataclass(frozen=True)
class Course:
    """How long a training is; its last epoch may be cut short."""

    steps: int
    steps_per_epoch: int
    epochs: int


def course(config: RunConfig, num_queries: int) -> Course:
    """How long a training of so many queries is.

    Raises:
        UserError: full batches alone are taken, and there is none.
    """
    size = config.batch_size
    per_epoch = num_queries // size if config.training.drop_last else -(-num_queries // size)
    if not per_epoch:
        raise UserError(
            f"{config.name}: drop_last leaves out what is not a full batch of {size}, and there "
            f"are {num_queries} training queries; take a smaller batch_size, or drop_last: false"
        )
    steps = config.steps or (config.epochs or 0) * per_epoch
    return Course(steps, per_epoch, -(-steps // per_epoch))


def refuse(config: RunConfig, *, num_validation: int) -> None:
    """See that a training can be done as its recipe says.

    Raises:
        UserError: the rate follows validation, and there are no queries to validate on.
    """
    if isinstance(config.schedule, Plateau | PlateauReload) and not num_validation:
        raise UserError(
            f"{config.name}: the schedule {config.schedule.kind} follows validation, and there are "
            "no validation queries; take another schedule, or a larger validation_share"
        )


def optimizer(model: nn.Module, config: RunConfig, stage: int = 0) -> torch.optim.Optimizer:
    """A fresh optimiser of all parameters, for a stage of the training."""
    kind, rate = config.training.of_stage(stage).optimizer, config.learning_rate
    if isinstance(kind, SGD):
        return _descent(model, kind, rate)
    options: dict[str, Any] = {"lr": rate, "betas": kind.betas, "eps": kind.epsilon, "fused": True}
    if not kind.weight_decay:
        return torch.optim.Adam(model.parameters(), **options)
    exceptions, parameters = decay_exceptions(model, kind), list(model.named_parameters())
    groups: list[dict[str, Any]] = [
        {"params": [p for name, p in parameters if name not in exceptions]},
        {"params": [p for name, p in parameters if name in exceptions], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, weight_decay=kind.weight_decay, **options)


def _descent(model: nn.Module, sgd: SGD, rate: float) -> torch.optim.SGD:
    """Weights and biases in groups, whose `factor` a rate is multiplied by."""
    exceptions, groups = decay_exceptions(model, sgd), []
    for name, parameter in model.named_parameters():
        factor = sgd.bias_factor if "bias" in name else 1.0
        decay = 0.0 if name in exceptions else sgd.weight_decay
        group = {"params": [parameter], "weight_decay": decay, "factor": factor}
        groups.append(group | {"lr": rate * factor})
    return torch.optim.SGD(groups, lr=rate, momentum=sgd.momentum)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the next step be taken at a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)


def decay_exceptions(model: nn.Module, adam: Adam | SGD) -> set[str]:
    """Names of the parameters that weight decay leaves alone."""
    exceptions = set()
    for path, module in model.named_modules():
        whole = isinstance(module, nn.LayerNorm) and "layer_norms" in adam.exceptions
        for name, _ in module.named_parameters(recurse=False):
            if whole or ("biases" in adam.exceptions and "bias" in name):
                exceptions.add(f"{path}.{name}".strip("."))
    return exceptions


def clip(model: nn.Module, clipping: Clipping) -> None:
    """Make the gradients of a model no larger than they may be."""
    if not isinstance(clipping, Clip):
        return
    limit = clipping.limit
    if clipping.kind == "norm":
        nn.utils.clip_grad_norm_(model.parameters(), limit)
    elif clipping.kind == "element":
        nn.utils.clip_grad_value_(model.parameters(), limit)
    else:
        for gradient in (p.grad for p in model.parameters() if p.grad is not None):
            gradient.mul_((limit / gradient.norm()).clamp(max=1))


def rate_at(step: int, length: Course, config: RunConfig, *, cuts: int = 0) -> float:
    """The learning rate of a step (Q23).

    Args:
        step: from 1, of the whole training.
        length: of it.
        config: the rate at its peak, and the schedule.
        cuts: how often a plateau has lowered the rate.
    """
    schedule, peak = config.schedule, config.learning_rate
    if isinstance(schedule, WarmUp):
        first = schedule.count_from
        return _after_warm_up(schedule, peak, number=step - 1 + first, end=length.steps + first)
    if isinstance(schedule, Steps):
        epochs = (step - 1) // length.steps_per_epoch
        cuts = sum(epoch <= epochs for epoch in schedule.epochs)
    if isinstance(schedule, Steps | Plateau | PlateauReload):
        return peak * schedule.factor**cuts
    return peak


def _after_warm_up(schedule: WarmUp, peak: float, *, number: int, end: int) -> float:
    """The rate of the step of this number; the one behind the last has the number `end`."""
    warmup, initial = schedule.warmup_steps, schedule.initial_rate
    if number < warmup:
        return initial + (peak - initial) * number / warmup
    if isinstance(schedule, Linear):
        return peak * (end - number) / (end - warmup)
    assert isinstance(schedule, InverseSqrt)
    return peak * (max(warmup, 1) / max(number, 1)) ** 0.5
