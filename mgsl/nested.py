"""Mappings in mappings, as params.yaml has them."""

from collections.abc import Mapping
from typing import Any

Tree = Mapping[str, Any]


def merge(tree: Tree, changes: Tree) -> dict[str, Any]:
    """A tree with some values of its own and of its branches replaced; neither is changed."""
    merged = dict(tree)
    for key, value in changes.items():
        branch = merged.get(key)
        if isinstance(branch, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(branch, value)
        else:
            merged[key] = value
    return merged


def flatten(tree: Tree, prefix: str = "") -> dict[str, Any]:
    """The values of a tree by their dotted keys."""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            values |= flatten(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values
