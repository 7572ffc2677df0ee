"""Table 3: what the memory and the heterogeneous attention are worth."""

from collections.abc import Sequence

from mgsl.reporting.draw import ablations
from mgsl.reporting.draw.tables import Table

SWITCHES = {"with": {"memory": "memory", "heterogeneous_attention": "full attention"}}


def build(datasets: Sequence[str]) -> Table:
    """The printed rows beside ours.

    Args:
        datasets: names of evaluated datasets.
    """
    return ablations.build(3, "the memory and the heterogeneous attention", SWITCHES, datasets)
