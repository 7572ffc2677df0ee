"""Other datasets: the methods against MGSL-Net where every run would take too long."""

from collections.abc import Sequence

from mgsl.reporting.draw import effects
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.tables import Table
from mgsl.reporting.read.kept_runs import of_methods


def draw(datasets: Sequence[str]) -> Drawing:
    """A row for each method: what it scores more than MGSL-Net in each group of queries.

    Args:
        datasets: shown first; the others that were studied follow.
    """
    return effects.draw(of_methods(), datasets)


def build(datasets: Sequence[str]) -> Table:
    """The same as a table, with what every run reaches; the argument is `draw`'s."""
    return effects.build(of_methods(), datasets)
