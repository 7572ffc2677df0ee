"""Weights to keep, and the state from which a killed training goes on.

A checkpoint is one safetensors file: the weights, and as its metadata the configuration and the
numerics that they were trained with. These stand under one key, since safetensors writes several in
an order that changes from process to process. The state of an unfinished training lies in a folder
of its own, and its name ends in the training's fingerprint, so that a training never goes on from
another one's state. Neither can run code.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mgsl import numerics
from mgsl.configs import RunConfig
from mgsl.distributed import world_size
from mgsl.errors import UserError, missing
from mgsl.files import atomic_path
from mgsl.models import build
from mgsl.models.parts.base import Method
from mgsl.parsing import parse

_AGAIN = "train again, with `dvc repro`"


def save_checkpoint(path: Path, model: Method, config: RunConfig) -> None:
    """Write weights, configuration and numerics atomically.

    Raises:
        UserError: it cannot be written.
    """
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    on_gpu = any(tensor.is_cuda for tensor in tensors.values())
    trained = {
        "config": config.model_dump(mode="json"),
        "numerics": numerics.of_training(on_gpu=on_gpu, processes=world_size()).label,
    }
    with _tensor_file(path) as temporary:
        save_file(tensors, temporary, metadata={numerics.TRAINED: json.dumps(trained)})


def load_checkpoint(path: Path, config: RunConfig) -> Method:
    """The method that `save_checkpoint` wrote, on the CPU; a network in evaluation mode.

    Args:
        path: a checkpoint.
        config: what the caller takes it to be.

    Raises:
        UserError: the file is missing, damaged, or was trained with another method, another
            dataset or other sizes; its weights are not those of the method, or NaN.
    """
    trained, tensors = _open(path)
    expected = config.model_dump(mode="json")
    if differences := [
        f"  {key}: trained with {met!r}, asked for {asked!r}"
        for key, met, asked in _differences(trained, expected)
    ]:
        raise UserError(
            "\n".join([f"{path} is a checkpoint of another configuration:", *differences])
        )
    model = build(config)
    try:
        model.load_state_dict(tensors)
    except Exception as error:  # whatever the tensors provoke
        problem = f"has not the weights of {config.name}: {type(error).__name__}: {error}"
        raise UserError(f"{path} {problem}; {_AGAIN}") from None
    for name, tensor in tensors.items():
        if tensor.isnan().any():  # minus infinity is the sharpness of a memory as printed
            raise UserError(f"{path} holds NaN, in {name}; {_AGAIN}")
    return model.eval() if isinstance(model, torch.nn.Module) else model


def trained_config(path: Path) -> RunConfig:
    """What a checkpoint was trained with.

    Raises:
        UserError: the file is missing, damaged, or of a version with other parameters.
    """
    return parse(RunConfig, _open(path)[0], where=f"{path}, the configuration it was trained with,")


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state of an unfinished training atomically: tensors, numbers, text only.

    Raises:
        UserError: it cannot be written.
    """
    with _tensor_file(path) as temporary:
        torch.save(state, temporary)


def load_state(path: Path) -> dict[str, Any] | None:
    """The state of an unfinished training, or None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return dict(torch.load(path, weights_only=True, map_location="cpu"))
    except Exception as error:  # whatever the bytes provoke
        raise damage(path, error) from None


def damage(path: Path, cause: Exception) -> UserError:
    """The error to raise where a file is not the state of this unfinished training."""
    line = str(cause).partition("\n")[0]
    return UserError(
        f"{path}, the state of an unfinished training, is damaged "
        f"({type(cause).__name__}: {line}); delete it to train from the start"
    )


def remove_others(path: Path) -> bool:
    """Remove the states of a training that belong to other data, code or configuration.

    Args:
        path: the training's own state, which stays: its name ends in the fingerprint.

    Returns:
        Whether there were any.
    """
    start, _, fingerprint = path.stem.rpartition("-")
    pattern = f"{start}-{'?' * len(fingerprint)}{path.suffix}"
    others = set(path.parent.glob(pattern)) - {path}
    for other in others:
        other.unlink(missing_ok=True)
    return bool(others)


@contextmanager
def _tensor_file(path: Path) -> Iterator[Path]:
    """`atomic_path` for torch and safetensors, whose errors hardly tell of a full disk."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except (RuntimeError, SafetensorError) as error:
        free_mb = shutil.disk_usage(path.parent).free / 1e6
        raise UserError(
            f"{path} cannot be written: {error}. {free_mb:,.0f} MB are free on its disk; make room "
            "and run it again: what was saved before is kept"
        ) from None


def _open(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The configuration and the weights in a checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return json.loads(metadata[numerics.TRAINED])["config"], tensors
    except FileNotFoundError:
        raise missing(path, "train first, with `dvc repro`") from None
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError, OSError) as error:
        raise UserError(f"{path} is not a checkpoint of mgsl, or is damaged: {error}") from None


def _differences(met: Any, asked: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(met, dict) and isinstance(asked, dict):
        return [
            difference
            for name in sorted(met.keys() | asked.keys())
            for difference in _differences(
                met.get(name), asked.get(name), f"{key}.{name}".strip(".")
            )
        ]
    return [] if met == asked else [(key, met, asked)]
