"""Tables whose keys are names of datasets or beginnings of them.

A beginning ends where an underscore follows: `tacos` is for `tacos_c3d` and `tacos_planted`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from mgsl.parsing import meant

Entry = TypeVar("Entry")


def for_dataset(table: Mapping[str, Entry], dataset: str) -> Entry | None:
    """What a table holds for a dataset: under its name, or the longest beginning of it."""
    keys = [key for key in table if _begins(key, dataset)]
    return table[max(keys, key=len)] if keys else None


def refuse_strangers(keys: Iterable[str], datasets: Collection[str], *, where: str) -> None:
    """See that every key begins the name of a dataset.

    Raises:
        ValueError: one does not; the message names it, and what may have been meant.
    """
    for key in sorted(keys):
        if not any(_begins(key, dataset) for dataset in datasets):
            close = meant(key, {*datasets, *(name.partition("_")[0] for name in datasets)})
            raise ValueError(f"{where} names no dataset, nor its beginning: {key!r}{close}")


def _begins(key: str, dataset: str) -> bool:
    return f"{dataset}_".startswith(f"{key}_")
