"""Files that many parts of a report ask for, read once."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")


def once(read: Callable[[Path], Value]) -> Callable[[Path], Value]:
    """Have a file read again only where it was written since: nobody may change what comes back.

    Args:
        read: makes a value of a file alone.
    """

    @functools.lru_cache(maxsize=64)
    def kept(path: Path, time_ns: int, size: int) -> Value:
        return read(path)

    def look(path: Path) -> Value:
        state = path.stat()
        return kept(path.resolve(), state.st_mtime_ns, state.st_size)

    return look
