"""Readings: what each open question of the paper is worth."""

from collections.abc import Sequence

from mgsl.reporting.draw import effects
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.tables import Table
from mgsl.reporting.read.kept_runs import of_readings


def draw(datasets: Sequence[str]) -> Drawing:
    """A row for each reading: the change in recall of all, rare and common queries.

    Args:
        datasets: shown first; the others that were studied follow.
    """
    return effects.draw(of_readings(), datasets)


def build(datasets: Sequence[str]) -> Table:
    """The same as a table, with what every run reaches; the argument is `draw`'s."""
    return effects.build(of_readings(), datasets)
