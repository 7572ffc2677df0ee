"""What a trained model answers to a split, as it is written down."""

import numpy as np
import torch
from jaxtyping import Float

from mgsl.configs import RunConfig
from mgsl.data.loading import Split
from mgsl.models.parts.base import BlindMethod, Method
from mgsl.spans import to_seconds
from mgsl.training.loop import predict

ROUNDING = 1e-6  # of a score in single precision


def answer(
    model: Method, split: Split, config: RunConfig, device: torch.device
) -> tuple[Float[np.ndarray, "queries proposals 2"], Float[np.ndarray, "queries proposals"]]:
    """The moments of each query in seconds, best first, and their scores (`level`)."""
    spans, scores = (
        model.answer(split.queries)
        if isinstance(model, BlindMethod)
        else predict(model.to(device), split, config, device)
    )
    return to_seconds(spans, split.durations_s), level(scores)


def level(
    scores: Float[np.ndarray, "queries proposals"],
) -> Float[np.ndarray, "queries proposals"]:
    """Scores of which none is above the one before it by a rounding.

    Methods rank by what goes into their last sigmoid, which may give the larger of two neighbouring
    floats the smaller score. A score that is higher by more than `ROUNDING` stays: what writes the
    answers refuses it.
    """
    lowest = np.minimum.accumulate(scores, axis=1)
    return np.where(scores - lowest <= ROUNDING, lowest, scores)
