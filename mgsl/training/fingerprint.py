"""What decides a training's course, digested: a state of anything else is of no use to it."""

import hashlib
import json
from collections.abc import Container
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path

import torch

import mgsl
from mgsl import numerics
from mgsl.configs import RunConfig
from mgsl.distributed import world_size
from mgsl.files import sha256
from mgsl.models import MODELS
from mgsl.prepared import digests

_ROOT = "mgsl.training.run"  # trains, and imports all that training needs


def fingerprint(config: RunConfig, prepared: Path, seed: int, device: torch.device) -> str:
    """Digest configuration, data, code, seed and what is computed with.

    Every file of the prepared dataset is read: that takes seconds where its features have many GB,
    and tells them apart from others of the same size.

    Args:
        config: what the training is told.
        prepared: the folder of the prepared dataset.
        seed: of weights and order.
        device: where it trains, shared by the processes of the present group.

    Raises:
        UserError: the dataset is not prepared, or its summary is not what `prepare` wrote.
    """
    parts = [
        config.model_dump(mode="json"),
        digests(prepared),
        _code(config.method),
        [seed, numerics.current().label, torch.__version__, device.type, world_size()],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def sources(method: str) -> dict[str, Path]:
    """The modules that train a method, by their dotted names: none of other methods."""
    others = {kind.__module__ for name, kind in MODELS.items() if name != method}
    finder = ModuleFinder([str(Path(mgsl.__file__).parents[1])], excludes=_Elsewhere(others))
    finder.import_hook(_ROOT)
    files = {name: getattr(module, "__file__", None) for name, module in finder.modules.items()}
    return {name: Path(file) for name, file in sorted(files.items()) if file}


@cache
def _code(method: str) -> dict[str, str]:
    return {name: sha256(path) for name, path in sources(method).items()}


class _Elsewhere(Container[str]):
    """The modules of other packages and of other methods, whose imports are not followed."""

    def __init__(self, methods: set[str]) -> None:
        self.methods = methods

    def __contains__(self, name: object) -> bool:
        if name == "__init__":  # so a package's own file is looked for
            return False
        return str(name).partition(".")[0] != mgsl.__name__ or name in self.methods
