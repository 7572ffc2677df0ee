"""What a model is made of, as one call of it showed (`python -m mgsl trace`)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mgsl import paths
from mgsl.errors import UserError
from mgsl.reporting.read import published
from mgsl.reporting.read.results import Results


@dataclass(frozen=True)
class Trace:
    """What one call of a live model showed."""

    data: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the model."""
        return dict(self.data["config"])

    def has(self, name: str) -> bool:
        """Whether a module was called."""
        return any(module["name"] == name for module in self.data["modules"])

    def under(self, name: str) -> list[str]:
        """The parts right below one, in order."""
        names = self.data["parts"]
        return [n for n in names if n.startswith(f"{name}.") and "." not in n[len(name) + 1 :]]

    def parameters(self, name: str) -> str:
        """How many numbers a module learns, in words."""
        count = self._module(name)["parameters"]
        return f"{count / 1e6:.2f} M" if count >= 1e5 else f"{count / 1e3:.1f} k"

    def inputs(self, name: str, place: int = 0, *, named: bool = True) -> str:
        """The shape of what went into a module, without the axis of the batch.

        Args:
            name: of the module.
            place: of the tensor among its inputs.
            named: whether multiples of the model's width are written with d.
        """
        axes = self._module(name)["inputs"][place]
        return self._shape(axes) if named else " × ".join(map(str, axes[1:]))

    def outputs(self, name: str, place: int = 0) -> str:
        """The shape of what came out of a module, without the axis of the batch."""
        return self._shape(self._module(name)["outputs"][place])

    def slots(self, name: str) -> list[int]:
        """Slots and width of a memory."""
        return list(self._module(name)["keeps"]["slots"])

    def fingerprint(self, name: str) -> str:
        """What a module and its parts are: equal where two configurations share them."""
        parts = [part for part in self.data["modules"] if _is_within(part["name"], name)]
        own = {key: self.data[key] for key in ("sizes",)} | {"dim": self.config["dim"]}
        return json.dumps([own, self.config[name], parts], sort_keys=True)

    def legend(self, module: str = "") -> str:
        """What the letters of the shapes are, and how many parameters the model or a part has."""
        sizes = self.data["sizes"]
        return (
            f"t = {sizes['t']} clips    w = {sizes['w']} words at most    d = {self.config['dim']} "
            f"width    every tensor: a batch of b = {sizes['b']} queries    in all "
            f"{self.parameters(module)} parameters"
        )

    def _module(self, name: str) -> dict[str, Any]:
        return next(module for module in self.data["modules"] if module["name"] == name)

    def _shape(self, axes: Sequence[str | int]) -> str:
        return " × ".join(map(self._axis, axes[1:]))

    def _axis(self, axis: str | int) -> str:
        factor, rest = divmod(axis, self.config["dim"]) if isinstance(axis, int) else (0, 1)
        named = not rest and 0 < factor < 4
        return ("" if factor == 1 else f"{factor}") + "d" if named else str(axis)


def _is_within(part: str, name: str) -> bool:
    return part == name or part.startswith(f"{name}.")


def read(dataset: str, name: str) -> Trace:
    """The trace of one method or ablation.

    Raises:
        UserError: there is none.
    """
    path = paths.traced(dataset, name)
    try:
        return Trace(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `python -m mgsl trace`") from None


def read_all(datasets: Sequence[str], names: Sequence[str]) -> list[tuple[Results, Trace]]:
    """The traces of what was run, none where none of the names was.

    Raises:
        UserError: a trace is missing.
    """
    all_results = [Results(dataset) for dataset in datasets]
    return [
        (results, read(results.dataset, name))
        for results in all_results
        for name in names
        if name in results.config.names
    ]


def not_run(names: Sequence[str]) -> str:
    """What is said where none of the names was run."""
    titles = ", ".join(map(published.title, names))
    return f"Nothing to draw: none of these was run: {titles} (params.yaml)."


def heading(results: Results, trace: Trace) -> str:
    """What a diagram is of."""
    return f"{published.title(trace.data['name'])}, {results.heading}"
