"""What decides a training's course, digested: a state of anything else is of no use to it."""

import hashlib
import json
from functools import cache
from modulefinder import Module, ModuleFinder
from pathlib import Path
from typing import Any

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
    others = [kind.__module__ for name, kind in MODELS.items() if name != method]
    finder = _OwnModules(path=[str(Path(mgsl.__file__).parents[1])], excludes=others)
    finder.import_hook(_ROOT)
    files = {name: module.__file__ for name, module in finder.modules.items()}
    return {name: Path(file) for name, file in sorted(files.items()) if file}


@cache
def _code(method: str) -> dict[str, str]:
    return {name: sha256(path) for name, path in sources(method).items()}


class _OwnModules(ModuleFinder):
    """Follows imports of this package and of no other."""

    def import_module(self, partname: str, fqname: str, parent: Any) -> Module | None:
        """A module, or None where it is not one of ours."""
        if fqname.partition(".")[0] != mgsl.__name__:
            return None
        return super().import_module(partname, fqname, parent)
