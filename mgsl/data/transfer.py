"""The bytes at an address, as long as they come fast enough.

A thread of its own receives them. So whoever waits for them can leave, whatever a server does or
leaves undone, from the look-up of its name to the last byte.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import requests

_HEADERS = {
    "Accept": "application/vnd.github.raw+json, */*",  # the content of a blob, not its description
    "Accept-Encoding": "identity",
}
_TIMEOUT_S = (3, 10)  # to connect, and between two arrivals
PIECE = 1 << 14  # bytes; the most that an interruption loses
WINDOW_S = 20  # a server that sends less than a piece in this time, 0.8 KB/s, is given up
_AHEAD = 64  # pieces that may wait to be written
_PAGE = (b"<!doctype html", b"<html")
_BLANK = b"\xef\xbb\xbf \t\r\n"  # what may stand before it

Piece = tuple[int, bytes]  # the byte of the file at which it begins, and the piece


class TooSlowError(requests.Timeout):
    """A server sends so little that waiting for the rest is of no use."""


class NotTheFileError(requests.ConnectionError):
    """A server answers with something else than the file, and will do so again."""


def receive(url: str, begin: int = 0) -> Iterator[Piece]:
    """Ask for a file once, from one of its bytes on.

    Args:
        url: its address.
        begin: the first byte wanted; a server may send the whole file all the same.

    Yields:
        What came, in order.

    Raises:
        TooSlowError: less than a piece came within `WINDOW_S`.
        NotTheFileError: a web page came in place of the file, as from a network that wants a login
            or a host that has served it too often today; or the server sends to another scheme.
        requests.RequestException: the server cannot be reached, answers with an error or breaks
            off.
    """
    pieces: queue.Queue[Piece | Exception | None] = queue.Queue(_AHEAD)
    left = threading.Event()
    threading.Thread(target=_fill, args=(pieces, left, url, begin), daemon=True).start()
    deadline, amount = time.monotonic() + WINDOW_S, 0
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                piece = pieces.get(timeout=max(0.0, deadline - time.monotonic()))
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    raise piece
                amount += len(piece[1])
                yield piece
            if time.monotonic() >= deadline:
                if amount < PIECE:
                    rate = f"fewer than {PIECE:,} bytes in {WINDOW_S} s"
                    raise TooSlowError(f"{url} is too slow: {rate}")
                deadline, amount = time.monotonic() + WINDOW_S, 0
    finally:
        left.set()
        while not pieces.empty():  # or the thread would wait for room for good
            pieces.get_nowait()


def reachable(url: str) -> bool:
    """Whether there is something at an address; no more than its header is asked for.

    Raises:
        requests.RequestException: the network or the server does not answer.
    """
    return _head(url).ok


def length(url: str) -> int | None:
    """How many bytes there are at an address, as its server says; None if it does not.

    It may err: what comes in the end decides.
    """
    with contextlib.suppress(requests.RequestException):
        answer = _head(url)
        if (
            answer.ok
            and not _is_page(answer)
            and answer.headers.get("Content-Length", "").isdigit()
        ):
            return int(answer.headers["Content-Length"]) or None
    return None


def _head(url: str) -> requests.Response:
    hooks = {"response": _keep_scheme}
    return requests.head(
        url, headers=_HEADERS, timeout=_TIMEOUT_S, allow_redirects=True, hooks=hooks
    )


def _keep_scheme(response: requests.Response, *_: object, **__: object) -> None:
    """Follow to other hosts, but not from https to http, nor to what is no web address at all."""
    if response.is_redirect:
        target = urljoin(response.url, response.headers["Location"])
        if urlsplit(target).scheme != urlsplit(response.url).scheme:
            raise NotTheFileError(f"{response.url} sends to another scheme, {target}: not followed")


def _is_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def _first_byte(response: requests.Response, begin: int) -> int:
    """The byte of the file with which an answer begins."""
    if response.status_code != requests.codes.partial_content:
        return 0
    answer = response.headers.get("Content-Range", f"bytes {begin}-")
    if not answer.startswith(f"bytes {begin}-"):
        raise requests.ConnectionError(f"{response.url} sends {answer}, not what follows {begin}")
    return begin


def _fill(
    pieces: queue.Queue[Piece | Exception | None], left: threading.Event, url: str, begin: int
) -> None:
    headers = _HEADERS | ({"Range": f"bytes={begin}-"} if begin else {})
    try:
        with requests.get(
            url, headers=headers, stream=True, timeout=_TIMEOUT_S, hooks={"response": _keep_scheme}
        ) as response:
            response.raise_for_status()
            at = _first_byte(response, begin)
            for content in response.iter_content(PIECE):
                if left.is_set():
                    return
                begins_as_page = content.lstrip(_BLANK).lower().startswith(_PAGE)
                if at == 0 and (begins_as_page or _is_page(response)):
                    raise NotTheFileError(
                        f"{url} answers with a web page, as a network does that wants a login"
                    )
                pieces.put((at, content))
                at += len(content)
        pieces.put(None)
    except Exception as error:  # is told to whoever waits
        pieces.put(error)
