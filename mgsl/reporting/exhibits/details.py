"""Details: what encoders, heads, padding and training around the memory are worth."""

from collections.abc import Sequence

from mgsl.reporting.draw import effects
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.tables import Table
from mgsl.reporting.read.kept_runs import of_details


def draw(datasets: Sequence[str]) -> Drawing:
    """A row for each detail read otherwise: the change in recall of each group of queries.

    Args:
        datasets: shown first; the others that were studied follow.
    """
    return effects.draw(of_details(), datasets)


def build(datasets: Sequence[str]) -> Table:
    """The same as a table, with what every run reaches; the argument is `draw`'s."""
    return effects.build(of_details(), datasets)
