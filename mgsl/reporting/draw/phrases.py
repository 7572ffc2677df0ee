"""Numbers and lists in a sentence: what the statements of exhibits are made of."""

from collections.abc import Iterable

from mgsl.reporting.draw.numbers import signed


def listed(items: Iterable[str]) -> str:
    """A, B and C; empty for none."""
    *first, last = [*items] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def count(number: int, noun: str) -> str:
    """A number with its noun: 1 run, 2 runs."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def effect(points: float, low: float, high: float) -> str:
    """A difference with its interval."""
    return f"{signed(points, 1)} points ({signed(low, 1)} to {signed(high, 1)})"


def ordinal(place: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    if place % 100 in (11, 12, 13):
        return f"{place}th"
    return f"{place}" + {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
