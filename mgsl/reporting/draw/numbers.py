"""How numbers are read: differences with their signs, spreads and intervals beside their means."""

from typing import SupportsFloat

import pandas as pd

from mgsl.evaluation.intervals import Measured
from mgsl.reporting.draw.tables import Cell

_MANY = 1000  # queries: of fewer, a percentage has one decimal


def signed(points: float, digits: int = 2) -> str:
    """A difference as it is read: always with its sign."""
    return f"{points:+.{digits}f}".replace("-", "−")


def decimals(queries: SupportsFloat) -> int:
    """The decimals of a percentage of so many queries: of a few hundred, each is half a point."""
    return 2 if float(queries) >= _MANY else 1


def measured(number: Measured[float], *, sign: bool = False, digits: int = 2) -> Cell:
    """A number and its spread over trainings, with its interval; a difference with its signs."""
    value = signed(number.value, digits) if sign else f"{number.value:.{digits}f}"
    ends = interval(number.low, number.high, sign=sign)
    return Cell(f"{value}{spread(number.sd, digits)}", ends)


def spread(deviation: float | None, digits: int = 2) -> str:
    """A standard deviation behind its mean; nothing where there is none."""
    return "" if deviation is None or pd.isna(deviation) else f" ± {deviation:.{digits}f}"


def interval(low: float, high: float, *, sign: bool = False) -> str:
    """Two ends as they are read, those of a difference with their signs."""
    return f"[{signed(low, 1)}, {signed(high, 1)}]" if sign else f"{low:.1f}–{high:.1f}"
