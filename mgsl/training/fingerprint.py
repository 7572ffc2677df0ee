"""What decides a training, digested: what another digest belongs to is of no use to it."""

import hashlib
import json
from collections.abc import Container, Mapping
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

import torch

import mgsl
from mgsl import numerics
from mgsl.configs import RunConfig
from mgsl.distributed import world_size
from mgsl.files import sha256
from mgsl.models import MODELS

# They train and write predictions, and import all that decides what comes out.
_ROOTS = ("mgsl.training.run", "mgsl.evaluation.predictions")
# As for DVC, these decide nothing: what they read is compared itself (tests/test_structure.py).
_PLUMBING = {
    f"mgsl.{name}"
    for name in (
        *("configs", "documents", "errors", "families", "fields", "files", "lists", "params"),
        *("parsing", "paths", "prepared", "processes", "recipes"),
    )
}


def digest(config: RunConfig, data: Mapping[str, str], seed: int) -> str:
    """Digest configuration, data, code and seed: the same on every machine.

    Args:
        config: what the training is told.
        data: the SHA-256 of every file of the prepared dataset (`prepared.digests`).
        seed: of weights and order.
    """
    return _sha256([config.model_dump(mode="json"), data, _code(config.method), seed])


def fingerprint(decisive: str, device: torch.device) -> str:
    """Digest what decides a training together with what it is computed with: of its state.

    Args:
        decisive: what `digest` returned.
        device: where it trains, shared by the processes of the present group.
    """
    computed = [numerics.current().label, torch.__version__, device.type, world_size()]
    return _sha256([decisive, *computed])[:16]


def sources(method: str) -> dict[str, Path]:
    """The modules that decide a training of a method, by their dotted names.

    None of other methods, and no `__init__`, which describes a folder or looks up a method.
    """
    others = {kind.__module__ for name, kind in MODELS.items() if name != method}
    finder = ModuleFinder([str(Path(mgsl.__file__).parents[1])], excludes=_Elsewhere(others))
    for root in _ROOTS:
        finder.import_hook(root)
    files = {name: getattr(module, "__file__", None) for name, module in finder.modules.items()}
    paths = {name: Path(file) for name, file in sorted(files.items()) if file}
    return {name: path for name, path in paths.items() if path.name != "__init__.py"}


def _sha256(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def _code(method: str) -> dict[str, str]:
    return {name: sha256(path) for name, path in sources(method).items()}


class _Elsewhere(Container[str]):
    """The modules of other packages, of other methods and plumbing, which are not followed."""

    def __init__(self, methods: set[str]) -> None:
        self.names = methods | _PLUMBING

    def __contains__(self, name: object) -> bool:
        if name == "__init__":  # so a package's own file is looked for
            return False
        return str(name).partition(".")[0] != mgsl.__name__ or name in self.names
