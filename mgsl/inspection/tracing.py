"""What a model is made of: its modules as they are called, with the shapes that pass between them.

The model is built and called with torch's fake tensors: they have shapes and no numbers, so that
the paper's sizes cost no more than small ones. Only a model whose course depends on numbers is
called with real ones, for few queries.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from mgsl.configs import RunConfig
from mgsl.models import build
from mgsl.models.parts.base import GroundingModel
from mgsl.records import Batch

Axis = str | int
Shapes = list[list[int]]
Calls = dict[str, tuple[Shapes, Shapes]]  # what went into each module and came out, by its name
_STRETCH = {"b": 1, "t": 5, "w": 3}  # how much longer in the second call; halves grow otherwise
_FEW = 2  # queries of a call with real numbers


def trace(config: RunConfig, sizes: dict[str, int]) -> dict[str, Any] | None:
    """Call a model once; tell its modules in the order in which they return.

    An axis is named where its size follows that of the batch, of the clips or of the words, and is
    a number everywhere else.

    Args:
        config: of the model.
        sizes: how many queries (b), clips (t) and words (w), and the widths video_dim and word_dim.

    Returns:
        All parts by name, with their class; and what was called: for each module its name, class,
        number of parameters, the shapes that went in and came out, and what it keeps itself. None
        for a method that sees no video.
    """
    try:
        with FakeTensorMode():
            called = _call_twice(config, sizes)
    except (DataDependentOutputException, DynamicOutputShapeException):
        called = _call_twice(config, sizes | {"b": _FEW})
    if called is None:
        return None
    model, calls, again = called
    modules = dict(model.named_modules())
    return {
        "dataset": config.dataset,
        "name": config.name,
        "sizes": sizes,
        "config": config.model,
        "parameters": count(model),
        "parts": {name: type(module).__name__ for name, module in modules.items()},
        "modules": [
            {
                "name": name,
                "kind": type(modules[name]).__name__,
                "parameters": count(modules[name]),
                "inputs": _axes(inputs, again[name][0]),
                "outputs": _axes(outputs, again[name][1]),
                "keeps": _keeps(modules[name]),
            }
            for name, (inputs, outputs) in calls.items()
        ],
    }


def count(module: nn.Module) -> int:
    """How many numbers are learned."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _call_twice(
    config: RunConfig, sizes: dict[str, int]
) -> tuple[GroundingModel, Calls, Calls] | None:
    """A model, what it calls, and what it calls where every axis is a little longer."""
    model = build(config)
    if not isinstance(model, GroundingModel):
        return None
    longer = sizes | {axis: sizes[axis] + more for axis, more in _STRETCH.items()}
    return model, _call(model.eval(), sizes), _call(model, longer)


@torch.no_grad()
def _call(model: GroundingModel, sizes: dict[str, int]) -> Calls:
    """The shapes in and out of every module that is called, by its name."""
    names = {module: name for name, module in model.named_modules()}
    calls: Calls = {}

    def note(module: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> None:
        calls[names[module]] = _shapes(inputs), _shapes(outputs)

    handles = [module.register_forward_hook(note) for module in names]
    try:
        model(_batch(sizes))
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _batch(sizes: dict[str, int]) -> Batch:
    b, t, w = sizes["b"], sizes["t"], sizes["w"]
    return Batch(
        video=torch.randn(b, t, sizes["video_dim"]),
        video_mask=torch.ones(b, t, dtype=torch.bool),
        query=torch.randn(b, w, sizes["word_dim"]),
        query_mask=torch.ones(b, w, dtype=torch.bool),
        target=torch.tensor([0.2, 0.6]).expand(b, 2),
        words=torch.zeros(b, w, dtype=torch.long),
    )


def _shapes(value: Any) -> Shapes:
    return [list(tensor.shape) for tensor in _tensors(value) if tensor.dtype != torch.bool]


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and records, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from _tensors(getattr(value, name))


def _axes(first: Shapes, second: Shapes) -> list[list[Axis]]:
    """Shapes with the names of the axes that grew from the first call to the second."""
    names = {more: axis for axis, more in _STRETCH.items()}
    return [
        [names.get(long - short, short) for short, long in zip(a, b, strict=True)]
        for a, b in zip(first, second, strict=True)
    ]


def _keeps(module: nn.Module) -> dict[str, list[int]]:
    """Shapes of the parameters and buffers of a module's own."""
    own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return {name: list(tensor.shape) for name, tensor in own}
