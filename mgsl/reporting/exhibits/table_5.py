"""Table 5: what each unit of the attention is worth."""

from collections.abc import Sequence

from mgsl.reporting.draw import ablations
from mgsl.reporting.draw.tables import Table

TITLE = "the units of the attention"
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
    return ablations.build(5, TITLE, SWITCHES, datasets)


def of_studies() -> Table | None:
    """The same over the trainings of the kept studies; None without them."""
    return ablations.of_studies(5, TITLE, SWITCHES)
