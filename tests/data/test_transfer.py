"""What comes from an address, piece by piece; servers that lie are in tests/faults."""

import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from mgsl.data import transfer
from mgsl.data.transfer import PIECE, receive

CONTENT = bytes(range(256)) * 256


class Handler(BaseHTTPRequestHandler):
    """Serves `CONTENT` from the byte asked for, a page, or nothing."""

    def do_GET(self) -> None:
        begin = int((self.headers["Range"] or "bytes=0-")[6:-1])
        body = {"/file": CONTENT[begin:], "/page": b"\n <!DOCTYPE html><p>Login"}.get(
            self.path, b""
        )
        self.send_response(206 if begin else 200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/file" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("begin", [0, 1, PIECE, len(CONTENT) - 1])
def test_pieces_follow_each_other_from_the_byte_asked_for(root: str, begin: int) -> None:
    pieces = list(receive(f"{root}/file", begin))
    assert b"".join(content for _, content in pieces) == CONTENT[begin:]
    assert pieces[0][0] == begin
    for (at, content), (following, _) in itertools.pairwise(pieces):
        assert following == at + len(content)
        assert len(content) <= PIECE


def test_whoever_leaves_early_leaves_no_thread_behind(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_AHEAD", 1)
    before = set(threading.enumerate())
    pieces = receive(f"{root}/file")
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    receivers = [t for t in threading.enumerate() if t not in before and t.name.endswith("(_fill)")]
    for thread in receivers:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_an_error_of_the_server_is_raised_where_it_is_waited_for(root: str) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        list(receive(f"{root}/nothing"))
    with pytest.raises(requests.ConnectionError):
        list(receive("http://127.0.0.1:9/file"))


def test_a_page_in_place_of_the_file_is_no_piece_of_it(root: str) -> None:
    with pytest.raises(requests.ConnectionError, match="answers with a web page"):
        list(receive(f"{root}/page"))


def test_reachable_asks_for_no_content(root: str) -> None:
    assert transfer.reachable(f"{root}/file")
    assert not transfer.reachable(f"{root}/nothing")
