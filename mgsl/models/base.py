"""What every method is: queries in, scored moments out, and a loss to learn from."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from mgsl.params import Frozen
from mgsl.records import Batch, Moments


class GroundingModel(nn.Module, ABC):
    """A method. `Config` types its block of params.yaml."""

    Config: ClassVar[type[Frozen]]

    @abstractmethod
    def forward(self, batch: Batch) -> Moments:
        """Rank the candidates of each query, best first, as fractions of the duration."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Weighted terms by name, each a mean over the batch; training minimises their sum."""

    def after_step(self) -> None:
        """Called once after each step of the optimiser."""

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        """Figures that show the method's inner state on one batch, for the training log."""
        return {}

    def probes(self) -> Iterator[tuple[str, AbstractContextManager[None]]]:
        """Named temporary damages; the log tells what each costs on validation."""
        yield from ()
