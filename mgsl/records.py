"""What crosses the border between training and models.

Clips and words are padded; a mask is True on what is real.

Axes (einops letters): batch b, clips t, words w, steps s (either), proposals n, slots k, dim d.
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Padded queries, each with the video it is asked of.

    `target` is the annotated span as fractions of the video's duration. `words` are rows of the
    prepared vocabulary: 0, the padding, where there is no word or one that is not in it.
    """

    video: Float[Tensor, "batch clips video_dim"]
    video_mask: Bool[Tensor, "batch clips"]
    query: Float[Tensor, "batch words word_dim"]
    query_mask: Bool[Tensor, "batch words"]
    target: Float[Tensor, "batch 2"]
    words: Int[Tensor, "batch words"]

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(
            **{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        )

    def rows(self, rows: Int[Tensor, " rows"]) -> "Batch":
        """Some queries of the batch."""
        return Batch(*(getattr(self, field.name)[rows] for field in fields(self)))

    def chunks(self, parts: int) -> list["Batch"]:
        """The batch cut into at most `parts` of nearly equal size."""
        cut = [getattr(self, field.name).chunk(parts) for field in fields(self)]
        return [Batch(*tensors) for tensors in zip(*cut, strict=True)]


@dataclass(frozen=True)
class Moments:
    """Scored candidates of each query, best first; spans are fractions of the duration."""

    spans: Float[Tensor, "batch proposals 2"]
    scores: Float[Tensor, "batch proposals"]
