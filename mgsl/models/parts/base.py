"""What every method is: queries in, scored moments out.

One that sees the video has a loss to learn from; one that does not is fitted by counting. `Config`
types a method's block of params.yaml.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from mgsl.fields import Frozen
from mgsl.kernels import pin
from mgsl.queries import Query
from mgsl.records import Batch, Moments

pin()  # before any network computes


class GroundingModel(nn.Module, ABC):
    """A method that sees the video and learns by gradient."""

    Config: ClassVar[type[Frozen]]

    @abstractmethod
    def forward(self, batch: Batch) -> Moments:
        """Rank the candidates of each query, best first, as fractions of the duration."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Weighted terms by name, each a mean over the batch; training minimises their sum."""

    def before_training(self, targets: Float[Tensor, "queries 2"]) -> None:
        """Called once, fresh or resumed, with the targets of all training queries."""

    def stage(self, progress: float) -> int:
        """The stage that an epoch belongs to, from 0: some methods are trained in several.

        A new stage starts from the weights that did best on validation so far, with a fresh
        optimiser.

        Args:
            progress: share of the epochs that are done, in [0, 1).
        """
        return 0

    def enter(self, stage: int) -> float:
        """Freeze and thaw what a stage asks for, before each of its epochs.

        Returns:
            A factor on the learning rate.
        """
        return 1.0

    def after_step(self) -> None:
        """Called once after each step of the optimiser."""

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        """Figures that show the method's inner state on one batch, for the training log."""
        return {}

    def probes(self) -> Iterator[tuple[str, AbstractContextManager[None]]]:
        """Named temporary damages; the log tells what each costs on validation."""
        yield from ()


class BlindMethod(ABC):
    """A method that sees no video: statistics of the training queries and their moments."""

    Config: ClassVar[type[Frozen]]

    @abstractmethod
    def fit(self, queries: Sequence[Query], *, seed: int) -> None:
        """Count what the training queries have.

        Args:
            queries: of the training split.
            seed: of whatever is drawn, now and when queries are answered.
        """

    @abstractmethod
    def answer(
        self, queries: Sequence[Query]
    ) -> tuple[Float[np.ndarray, "queries proposals 2"], Float[np.ndarray, "queries proposals"]]:
        """Spans as fractions of the duration, best first, and their scores.

        The answer to a query depends on nothing else that is asked.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """What was counted, by name: what a checkpoint keeps."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state_dict` returned."""


Method = GroundingModel | BlindMethod
