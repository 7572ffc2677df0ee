"""In what unit the windows of a file seem to be, where that cannot be seconds."""

import numpy as np
from jaxtyping import Float

from mgsl.evaluation.predictions import Predictions

_OUTSIDE = 0.25  # of the best windows may lie past the end: with seconds, hardly any does
_LONG_S = 1000.0
_LEEWAY = 1.1  # durations are rounded
_FRAMES, _THOUSANDTHS = 10.0, 300.0  # from so many units a second on


def suspicion(predictions: Predictions, durations_s: Float[np.ndarray, " queries"]) -> str | None:
    """What is strange about the windows, and the unit that they look like; None if nothing is.

    Args:
        predictions: in seconds, or so it is said.
        durations_s: how long the video of each query is, in seconds.
    """
    answered = predictions.real[:, 0]
    if not answered.any():
        return None
    durations_s = durations_s[answered]
    starts, ends = np.moveaxis(predictions.spans_s[answered, 0], -1, 0)
    largest = float(predictions.spans_s[predictions.real].max())
    if largest <= 1 < durations_s.min():
        unit = "shares of the duration"
        if (ends * 60 <= durations_s * _LEEWAY).all():
            unit = "minutes"
        return f"all windows lie within [0, 1]: they look like {unit}"
    outside = (starts + ends) / 2 > durations_s * _LEEWAY
    outside |= (ends - starts > _LONG_S) & (ends > durations_s * _LEEWAY)
    if outside.mean() <= _OUTSIDE:
        return None
    rate = float(np.quantile(ends / durations_s, 0.95))
    if rate >= _THOUSANDTHS:
        unit = "milliseconds"
    elif rate >= _FRAMES:
        unit = f"frames, at about {rate:.0f} a second"
    elif 95 <= largest <= 101:
        unit = "percent of the duration"
    else:
        unit = f"places among clips (the largest is {largest:g})"
    share = f"{outside.mean():.0%} of the best windows"
    return f"{share} lie past the end of the video: they look like {unit}"
