"""One address, one file: what is missing is asked for until it is whole, or no hope is left.

What came is kept in a file that only one process at a time fills.
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests
from tqdm import tqdm

from mgsl.data import transfer
from mgsl.files import room_for

LARGEST = 100_000_000  # bytes of a file whose size is not listed; GitHub serves no larger blob

_PATIENCE_S = 8  # before anything has come, no further attempt begins later than this
_RECOVERY_S = 60  # nor later than this after the last progress
_PAUSE_S = 0.5  # before the second attempt; doubles with each
_LONGEST_WAIT_S = 120.0  # that servers may ask for (Retry-After), for one file
_TELLS_EVERY_S = 30  # of the progress, where no terminal shows it


@contextmanager
def held(part: Path) -> Iterator[None]:
    """Keep other processes from a file that is being fetched; whoever comes second waits.

    The lock is the operating system's, so that it ends with its process, however that ends.

    Args:
        part: the file; it is made if need be, and removed in the end if nothing is in it.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with room_for(part):
            file = part.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process is fetching {part}: waiting until it has ended", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks
        if _is_at(part, file.fileno()):
            break
        file.close()  # the other process has put it in place
    try:
        yield
    finally:
        if _is_at(part, file.fileno()) and not size_of(part):
            part.unlink()
        file.close()


def complete(
    part: Path,
    url: str,
    *,
    title: str,
    begin: int = 0,
    size: int | None = None,
    total: int | None = None,
    limit: int = LARGEST,
) -> bool:
    """Ask an address for what is missing of a file until it is whole.

    Args:
        part: the file, which may have the beginning already.
        url: the address.
        title: names the file where its progress is shown.
        begin: where in `part` begins what the address has.
        size: bytes that the address has, if known.
        total: bytes of `part` in the end, if known.
        limit: after so many bytes it is not the file that comes, and is left, if `size` is unknown.

    Returns:
        Whether all of it came at once.

    Raises:
        UserError: there is no space left on the disk.
        requests.RequestException: the last of several attempts failed.
    """
    deadline, pause, allowance = time.monotonic() + _PATIENCE_S, _PAUSE_S, _LONGEST_WAIT_S
    before = size_of(part)
    while size is None or size_of(part) < begin + size:
        before = size_of(part)
        try:
            _append(part, url, title, begin, size, total, limit)
            break
        except requests.RequestException as error:
            if size_of(part) > before:
                deadline, pause = time.monotonic() + _RECOVERY_S, _PAUSE_S
            if _status(error) == requests.codes.requested_range_not_satisfiable:
                truncate(part, begin)  # nothing follows what there is: begin again
            elif _is_final(error):
                raise
            if wait := _retry_after(error):
                allowance -= wait
                deadline += wait
                if allowance < 0:
                    problem = f"{error}; it asks to come back in {wait:,.0f} s, try again then"
                    raise requests.HTTPError(problem, response=error.response) from None
            else:
                wait, pause = pause, pause * 2
                if time.monotonic() + wait > deadline:
                    raise
            time.sleep(wait)
    return before == begin


def truncate(part: Path, begin: int = 0) -> None:
    """Forget what came after a byte."""
    os.truncate(part, begin)


def finish(part: Path, path: Path) -> None:
    """Put a whole file in its place, also for a machine that loses power the next moment."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def cause(error: BaseException) -> str:
    """The innermost reason of an error of requests, which wraps it several times."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__


def _append(
    part: Path, url: str, title: str, begin: int, size: int | None, total: int | None, limit: int
) -> None:
    """Ask for the rest of a file once, and write what comes."""
    is_large = (total or 0) > LARGEST  # it takes long, so a log is told of it too
    with (
        room_for(part),
        part.open("ab") as file,
        tqdm(
            desc=title,
            total=total,
            initial=file.tell(),
            unit="B",
            unit_scale=True,
            disable=False if is_large else None,
            mininterval=0.5 if sys.stderr.isatty() else _TELLS_EVERY_S,
            delay=1e-3,  # nothing is shown of an attempt by which nothing comes
        ) as progress,
    ):
        for at, content in transfer.receive(url, file.tell() - begin):
            if begin + at < file.tell():  # the whole file comes again
                file.seek(begin + at)
                file.truncate()
            file.write(content)
            progress.update(file.tell() - progress.n)
            if file.tell() - begin > (size or limit):
                break  # it is not the file
    if size_of(part) - begin < (size or 0):
        came = f"{size_of(part) - begin:,} of {size:,} bytes"
        raise requests.ConnectionError(f"{url} ended after {came}")


def _is_final(error: requests.RequestException) -> bool:
    """Whether the same question would be answered the same."""
    if isinstance(error, transfer.TooSlowError | transfer.NotTheFileError):
        return True
    return 0 < _status(error) < 500 and _status(error) != requests.codes.too_many_requests


def _status(error: requests.RequestException) -> int:
    return 0 if error.response is None else error.response.status_code


def _retry_after(error: requests.RequestException) -> float:
    """Seconds that a busy server asks to wait, 0 if it does not say."""
    text = "" if error.response is None else error.response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    with suppress(ValueError):
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return 0.0


def size_of(path: Path) -> int:
    """Bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _is_at(path: Path, handle: int) -> bool:
    """Whether an open file is the one that stands at a path."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(handle))
    return False
