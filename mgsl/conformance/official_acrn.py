"""ACRN beside its authors' code, as mirrored in Naman-Bhalla/ACRN_mirror."""

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
from mgsl.models import acrn
from mgsl.models.acrn import ACRN, ACRNConfig


class OfficialACRN(Official[ACRN]):
    """Its one configuration, of width 16."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "TACoS": Setting(
            "acrn",
            SIZES | {"pool": 4, "attention_pairing": "own_sentence"},
            RELEASED | {"pool": 16},
            15_259_555,
        )
    }

    def make(self, sizes: Mapping[str, Any]) -> ACRN:
        """Sentences come as vectors; in training a window attends with its own."""
        others = {name: size for name, size in sizes.items() if name != "vector"}
        return read_vectors(ACRN(ACRNConfig(**others)), sizes["vector"])

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """All of its layers."""
        return layers(stored)

    def compare(self) -> Iterator[Comparison]:
        """A batch of training, the test, the labels."""
        yield from compare_training(self, acrn, self.golden["in/video"].mT)
        yield from compare_test(self, self.golden["test/video"].mT)
        yield from compare_labels(self)
