"""Table 3: what the memory and the heterogeneous attention are worth."""

from collections.abc import Sequence

from mgsl.reporting.draw import ablations
from mgsl.reporting.draw.tables import Table

TITLE = "the memory and the heterogeneous attention"
SWITCHES = {"with": {"memory": "memory", "heterogeneous_attention": "full attention"}}


def build(datasets: Sequence[str]) -> Table:
    """The printed rows beside ours.

    Args:
        datasets: names of evaluated datasets.
    """
    return ablations.build(3, TITLE, SWITCHES, datasets)


def of_studies() -> Table | None:
    """The same over the trainings of the kept studies; None without them."""
    return ablations.of_studies(3, TITLE, SWITCHES)
