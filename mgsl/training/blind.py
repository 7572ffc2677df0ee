"""Methods that see no video: fitted once, without epochs."""

import pandas as pd

from mgsl.configs import RunConfig
from mgsl.data.loading import Split
from mgsl.models.parts.base import BlindMethod
from mgsl.spans import tiou
from mgsl.training.loop import recalls, say


def fit_blind(
    method: BlindMethod, train: Split, val: Split, config: RunConfig, *, seed: int
) -> pd.DataFrame:
    """Fit a method; tell how well it does on validation.

    Returns:
        One row, as the one epoch of a training log; it has no loss.

    Raises:
        UserError: there are too few training queries.
    """
    method.fit(train.queries, seed=seed)
    spans, _ = method.answer(val.queries)
    iou = config.training.select_iou
    figures = recalls(tiou(spans[:, 0], val.targets.astype("float64")), val, iou)
    say(f"{config.name}: validation R@1 IoU={iou} {figures[f'val_R@1, IoU={iou}']:.1%}")
    return pd.DataFrame([{"epoch": 1, **figures}])
