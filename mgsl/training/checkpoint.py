"""Weights to keep, and the state from which a killed training goes on.

A checkpoint is one safetensors file: the weights, and as its metadata the configuration and the
numerics that they were trained with. These stand under one key, since safetensors writes several in
an order that changes from process to process. The state of an unfinished training lies in a folder
of its own, named after a digest of the configuration and of the data, so that a training never goes
on from another one's state. Neither can run code.
"""

import hashlib
import json
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


def fingerprint(config: RunConfig, prepared: Path, seed: int) -> str:
    """What decides a training's course, digested: configuration, numerics, data and seed."""
    digest = hashlib.sha256(config.model_dump_json().encode())
    digest.update(f"{numerics.current().label} {seed}".encode())
    for name in ("queries.jsonl", "vocabulary.json", "summary.json"):
        digest.update((prepared / name).read_bytes())
    return digest.hexdigest()[:16]


def save_checkpoint(path: Path, model: Method, config: RunConfig) -> None:
    """Write weights, configuration and numerics atomically."""
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    on_gpu = any(tensor.is_cuda for tensor in tensors.values())
    trained = {
        "config": config.model_dump(mode="json"),
        "numerics": numerics.of_training(on_gpu=on_gpu, processes=world_size()).label,
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={numerics.TRAINED: json.dumps(trained)})


def load_checkpoint(path: Path, config: RunConfig) -> Method:
    """The method that `save_checkpoint` wrote, on the CPU; a network in evaluation mode.

    Args:
        path: a checkpoint.
        config: what the caller takes it to be.

    Raises:
        UserError: the file is missing, damaged, or was trained with another method, another
            dataset or other sizes.
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
    model.load_state_dict(tensors)
    return model.eval() if isinstance(model, torch.nn.Module) else model


def trained_config(path: Path) -> RunConfig:
    """What a checkpoint was trained with.

    Raises:
        UserError: the file is missing, damaged, or of a version with other parameters.
    """
    return parse(RunConfig, _open(path)[0], where=f"{path}, the configuration it was trained with,")


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state of an unfinished training atomically: tensors, numbers, text only."""
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load_state(path: Path) -> dict[str, Any] | None:
    """The state of an unfinished training, or None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception:  # whatever the bytes provoke
        raise UserError(
            f"{path}, the state of an unfinished training, is damaged; "
            "delete it to train from the start"
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
