"""What parts of a page are linked to by: ids made of the words that stand there."""

import re
from collections import Counter
from collections.abc import Iterable


def of(*words: str) -> str:
    """The id of a row or a heading: its words, as an address can have them."""
    return "-".join(re.findall("[a-z0-9]+", " ".join(words).lower()))


def numbered(names: Iterable[str]) -> list[str]:
    """The same ids, each repetition of one with its number behind it."""
    counts: Counter[str] = Counter()
    unique = []
    for name in names:
        counts[name] += 1
        unique.append(name if counts[name] == 1 else f"{name}-{counts[name]}")
    return unique
