"""Table 5: what each unit of the attention is worth."""

from collections.abc import Sequence

from mgsl.reporting.draw import ablations
from mgsl.reporting.draw.tables import Table

SWITCHES = {
    "attention": {
        "self_attention": "self", "inter_attention": "inter", "calibration": "calibration",
    }
}  # fmt: skip


def build(datasets: Sequence[str]) -> Table:
    """The printed rows beside ours.

    Args:
        datasets: names of evaluated datasets.
    """
    return ablations.build(5, "the units of the attention", SWITCHES, datasets)
