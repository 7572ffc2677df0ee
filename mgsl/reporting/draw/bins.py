"""Bars of bins. A module of its own, since seaborn is slow to import and few pages need it."""

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from mgsl.reporting.draw import style

_SPLITS = {"train": style.FAINT, "val": style.MUTED, "test": "#22303F"}


def draw_bins(axes: Axes, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Shares of pairs by the training frequency of their rarest word, a bar for each split.

    Args:
        axes: where; the rarest bin is on top, at 0, and the next at 1.
        shares: in percent, of each bin in each split.
    """
    table = pd.DataFrame(shares).rename_axis("bin").reset_index().melt("bin", var_name="split")
    sns.barplot(
        table, x="value", y="bin", hue="split", palette=_SPLITS, hue_order=list(shares),
        orient="h", saturation=1, gap=0.12, errorbar=None, legend=False, ax=axes,
    )  # fmt: skip
    for bars, (split, values) in zip(axes.containers, shares.items(), strict=True):
        labels = [f"{value:.1f}" for value in values.values()]
        axes.bar_label(
            bars, [f"{labels[0]} {split}", *labels[1:]], padding=2, size=5.8,  # type: ignore[arg-type]
            color=style.INK if split == "test" else style.MUTED,
        )  # fmt: skip
    axes.set_xlabel("share of pairs, %")
    axes.set_ylabel("")
    axes.set_ylim(len(table["bin"].unique()) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
