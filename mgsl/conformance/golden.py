"""What released code computed once, at tiny sizes, and how far this package is from it.

A golden file holds the released parameters (`param/NAME`, `buffer/NAME`), what went in, what came
out, the losses, and for each parameter the norm of its gradient. A subclass of `Official` says
which of our weights each of theirs is, and compares.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

import mgsl
from mgsl.models.parts.base import GroundingModel

FOLDER = Path(mgsl.__file__).parent / "resources" / "golden"
BOUNDS = {"float32": 1e-5, "float64": 1e-10}  # what is allowed; whole numbers and labels are equal
ADDED_UP = 3
LEAST_NORM = 1e-3  # of the largest: smaller gradients are compared as if they were as large
MASKED = -1e29  # what is masked by adding -1e30 has no value

Arrays = Mapping[str, Tensor]
Model = TypeVar("Model", bound=GroundingModel)
Kind = Literal["outputs", "labels", "losses", "gradients"]


@dataclass(frozen=True)
class Comparison:
    """Numbers of ours beside theirs.

    `difference` is the largest |ours - theirs| / (1 + |theirs|); of gradients, of their norms, as a
    share of theirs. `bound` is what rounding and declared deviations explain.
    """

    kind: Kind
    what: str
    numbers: int
    precision: str
    difference: float
    bound: float


def compare(
    kind: Kind, what: str, ours: Tensor, theirs: Tensor, *, bound: float | None = None
) -> Comparison:
    """Compare two tensors of one shape wherever theirs has a value.

    Args:
        kind: what they are.
        what: which of them.
        ours: computed now.
        theirs: of the golden file; NaN where it has no value.
        bound: what is allowed, where it is not that of the precision.

    Raises:
        ValueError: their shapes differ, or theirs has no value at all.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"{what}: {tuple(ours.shape)} is not {tuple(theirs.shape)}")
    real = ~theirs.isnan() & (theirs > MASKED)
    if not real.any():
        raise ValueError(f"{what}: nothing to compare")
    a, b = ours.detach()[real].double(), theirs[real].double()
    difference = ((a - b).abs() / (1 + b.abs())).max().item()
    return _comparison(kind, what, len(a), ours.dtype, difference, bound)


def _comparison(
    kind: Kind, what: str, count: int, dtype: torch.dtype, difference: float, bound: float | None
) -> Comparison:
    precision = str(dtype).removeprefix("torch.")
    allowed = BOUNDS.get(precision, 0.0) if bound is None else bound
    return Comparison(kind, what, count, precision, difference, allowed)


class Golden:
    """The arrays of one file, or those of one setting in it; floats in the default precision."""

    def __init__(self, name: str) -> None:
        file, _, setting = name.partition("/")
        prefix = f"{setting}/" if setting else ""
        with np.load(FOLDER / f"{file}.npz") as arrays:
            self.arrays = {
                key.removeprefix(prefix): torch.from_numpy(np.asarray(arrays[key]))
                for key in arrays.files
                if key.startswith(prefix) and arrays[key].dtype.kind != "U"
            }

    def __getitem__(self, key: str) -> Tensor:
        array = self.arrays[key]
        return array.to(torch.get_default_dtype()) if array.is_floating_point() else array

    def __contains__(self, key: str) -> bool:
        return key in self.arrays

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The arrays whose names begin so, by the rest of their names."""
        return {
            key.removeprefix(prefix): self[key] for key in self.arrays if key.startswith(prefix)
        }


def unnamed(words: Tensor) -> Tensor:
    """Ids for words of which released code was given the vectors alone: none is in a vocabulary."""
    return torch.zeros(words.shape[:2], dtype=torch.long)


@dataclass(frozen=True)
class Setting:
    """A configuration of released code: its golden file, and its sizes there and as released.

    `released` holds the sizes that differ there, `parameters` how many theirs has then. Of these we
    have all but `missing`, and `why`.
    """

    golden: str
    sizes: Mapping[str, Any]
    released: Mapping[str, Any]
    parameters: int
    missing: int = 0
    why: str = ""
    transcribed: bool = False  # the authors' program did not run: theirs is a transcription of it


class Official(ABC, Generic[Model]):
    """One of our models with released weights, and what the released code computed with them."""

    settings: ClassVar[Mapping[str, Setting]]  # by what they are of

    def __init__(self, name: str) -> None:
        self.name, self.setting = name, self.settings[name]
        self.golden = Golden(self.setting.golden)
        self.model = self.build()
        self.load(self.model, self.golden.under("param/") | self.golden.under("buffer/"))

    @abstractmethod
    def make(self, sizes: Mapping[str, Any]) -> Model:
        """Our model, as it computes what theirs does."""

    def build(self) -> Model:
        """Our model at the sizes of the golden file; its weights wait for theirs."""
        with torch.random.fork_rng(devices=[]):
            return self.make(self.setting.sizes).eval()

    def count(self) -> int:
        """The parameters of our model at the released sizes, but for what is rightly ours alone."""
        with torch.device("meta"):
            model = self.make({**self.setting.sizes, **self.setting.released})
        return sum(p.numel() for name, p in model.named_parameters() if not self.is_own(name))

    @abstractmethod
    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """Their parameters and buffers under our names, moved about and otherwise as they are."""

    @abstractmethod
    def compare(self) -> Iterator[Comparison]:
        """Everything that can be compared, in the default precision."""

    def compare_doubles(self) -> Iterator[Comparison]:
        """What the file holds in double precision; called under `doubles`."""
        return iter(())

    def load(self, model: Model, stored: Arrays) -> None:
        """Give a model the released weights.

        Raises:
            ValueError: a weight of ours has no place in theirs, or the other way round.
        """
        loaded = model.load_state_dict(self.weights(stored), strict=False)
        missing = [key for key in loaded.missing_keys if not self.is_own(key)]
        if missing or loaded.unexpected_keys:
            raise ValueError(f"not in theirs: {missing}; not in ours: {loaded.unexpected_keys}")

    def is_own(self, key: str) -> bool:
        """Whether something that we have is rightly not in theirs."""
        return key.endswith("num_batches_tracked")

    @cached_property
    def places(self) -> dict[str, Tensor]:
        """For each of our tensors, which of their numbers it holds; theirs counted through."""
        names, count = {}, 0
        for kind in ("param/", "buffer/"):
            for name, array in self.golden.under(kind).items():
                names[name] = torch.arange(count, count + array.numel()).view(array.shape)
                count += array.numel()
        return self.weights(names)

    def gradients(self, what: str, norms: Arrays, *, bound: float | None = None) -> Comparison:
        """Compare the norm of the gradient of each of their parameters, after a backward pass.

        Those that we have no counterpart of, or do not train now, are left out. A gradient adds up
        over many numbers: its bound is `ADDED_UP` times that of an output.
        """
        sizes = [array.numel() for array in self.golden.under("param/").values()]
        owners = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        squares, counted = torch.zeros(2, len(sizes), dtype=torch.float64)
        dtype = torch.float32
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None and name in self.places:
                owner = owners[self.places[name].flatten()]
                squares.index_add_(0, owner, parameter.grad.flatten().double().square())
                counted[owner] = 1
                dtype = parameter.grad.dtype
        rows = [
            (square, norms[name])
            for name, square, is_ours in zip(
                self.golden.under("param/"), squares.sqrt().tolist(), counted.tolist(), strict=True
            )
            if is_ours and name in norms and not norms[name].isnan()
        ]
        ours = torch.tensor([row[0] for row in rows], dtype=torch.float64)
        theirs = torch.stack([row[1].double() for row in rows])
        floor = LEAST_NORM * theirs.max()
        difference = ((ours - theirs).abs() / torch.maximum(theirs, floor)).max().item()
        if bound is None:
            bound = ADDED_UP * BOUNDS[str(dtype).removeprefix("torch.")]
        return _comparison("gradients", what, len(rows), dtype, difference, bound)

    def unplaced(self) -> dict[str, int]:
        """How many numbers of each of their parameters are nowhere in ours."""
        placed = torch.cat([place.flatten() for place in self.places.values()]).unique()
        counts, start = {}, 0
        for name, array in self.golden.under("param/").items():
            inside = (placed >= start) & (placed < start + array.numel())
            if missing := array.numel() - int(inside.sum()):
                counts[name] = missing
            start += array.numel()
        return counts


@contextmanager
def doubles() -> Iterator[None]:
    """Compute in double precision: `.float()`, with which models leave autocast, doubles too."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with mock.patch.object(Tensor, "float", Tensor.double):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def calls(**modules: nn.Module) -> Iterator[dict[str, list[tuple[Any, Any]]]]:
    """What goes into modules and comes out, call by call, by the names given to them."""
    trace: dict[str, list[tuple[Any, Any]]] = {name: [] for name in modules}
    handles = [
        module.register_forward_hook(lambda _, x, y, name=name: trace[name].append((x, y)))
        for name, module in modules.items()
    ]
    try:
        yield trace
    finally:
        for handle in handles:
            handle.remove()


def backward(model: nn.Module, loss: Tensor) -> None:
    """The gradient of a loss alone."""
    model.zero_grad(set_to_none=True)
    loss.backward()


def total(terms: Mapping[str, Tensor]) -> Tensor:
    """The sum that training minimises."""
    return torch.stack(list(terms.values())).sum()
