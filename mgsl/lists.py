"""What the lists of params.yaml must be: of something, and of each thing once."""

from collections.abc import Collection
from typing import Any, TypeVar

from pydantic import AfterValidator

Entries = TypeVar("Entries", bound=Collection[Any])


def repeated(entries: Collection[Any]) -> str:
    """What is there more than once, in order; empty where nothing is."""
    items = list(entries)
    return ", ".join(str(entry) for entry in sorted({e for e in items if items.count(e) > 1}))


def _each_once(entries: Entries) -> Entries:
    if twice := repeated(entries):
        raise ValueError(f"lists {twice} more than once")
    return entries


def _some(entries: Entries) -> Entries:
    if not entries:
        raise ValueError("must not be empty")
    return entries


EachOnce, Some = AfterValidator(_each_once), AfterValidator(_some)
