"""CTRL beside jiyanggao/TALL, on a batch of its own drawing and in its test."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from torch import Tensor

from mgsl.conformance.golden import Arrays, Comparison, Official, Setting
from mgsl.conformance.official_windows import (
    RELEASED,
    SIZES,
    compare_labels,
    compare_test,
    compare_training,
    layers,
    read_vectors,
)
from mgsl.models import ctrl
from mgsl.models.ctrl import CTRL, CTRLConfig


class OfficialCTRL(Official[CTRL]):
    """Its one configuration, of width 16."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "TACoS": Setting("ctrl", SIZES, RELEASED, 21_600_163)
    }

    def make(self, sizes: Mapping[str, Any]) -> CTRL:
        """Sentences come as vectors."""
        others = {name: size for name, size in sizes.items() if name != "vector"}
        return read_vectors(CTRL(CTRLConfig(**others)), sizes["vector"])

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """All of its layers."""
        return layers(stored)

    def compare(self) -> Iterator[Comparison]:
        """A batch of training, the test, the labels."""
        yield from compare_training(self, ctrl, self.golden["in/video"].unflatten(1, (3, -1)))
        yield from compare_test(self, self.golden["test/video"].unflatten(1, (3, -1)))
        yield from compare_labels(self)
