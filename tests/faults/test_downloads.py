"""Servers that lie, drip, never end or answer for another: given up soon, and nothing is spoilt."""

import contextlib
import hashlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mgsl.data import resuming, sources, transfer
from mgsl.data.sources import Source, fetch, status
from mgsl.errors import UserError
from tests import ROOT

CONTENT = bytes(range(256)) * 1000
PAGE = b"<html><body>Accept our terms to go on.</body></html>"
OTHER = b'{"error": "try again later"}'  # looks like no page
FOREVER_S = 60.0  # a server that lies this long has not been left

Answer = Callable[[socket.socket, int], None]  # to whom, from which byte on


class Server:
    """A socket that accepts connections and answers each as the next of `answers` says.

    The last answer is given for good; `begins` are the bytes from which the file was asked for.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.begins: list[int] = []
        self.closed = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.root = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(4096)
            _, _, after = request.partition(b"Range: bytes=")
            self.begins.append(int(after.partition(b"-")[0] or 0))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            answer(connection, self.begins[-1])


def head(length: int | None, begin: int = 0) -> bytes:
    lines = [f"HTTP/1.1 {'206 Partial' if begin else '200 OK'}", "Connection: close"]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def honest(connection: socket.socket, begin: int) -> None:
    connection.sendall(head(len(CONTENT) - begin, begin) + CONTENT[begin:])


def captive(connection: socket.socket, begin: int) -> None:
    connection.sendall(head(len(PAGE)) + PAGE)


def other(connection: socket.socket, begin: int) -> None:
    connection.sendall(head(len(OTHER)) + OTHER)


def drip(text: bytes, connection: socket.socket) -> None:
    for byte in text * int(1 + FOREVER_S * 20 / len(text)):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def dripped_body(connection: socket.socket, begin: int) -> None:
    connection.sendall(head(len(CONTENT)))
    drip(CONTENT, connection)


def dripped_head(connection: socket.socket, begin: int) -> None:
    drip(b"HTTP/1.1 200 OK\r\nX-Waiting: " + b"." * 60_000, connection)


def dripped_chunks(connection: socket.socket, begin: int) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(int(FOREVER_S * 20)):
        connection.sendall(b"1\r\nx\r\n")
        time.sleep(0.05)


def half_dripped(connection: socket.socket, begin: int) -> None:
    half = len(CONTENT) // 2
    connection.sendall(head(len(CONTENT)) + CONTENT[:half])
    drip(CONTENT[half:], connection)


def endless(connection: socket.socket, begin: int) -> None:
    connection.sendall(head(None))
    while True:
        connection.sendall(CONTENT)


def source(*, known_size: bool = True) -> Source:
    blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    return Source(
        datasets=("tiny",),
        repository="owner/name",
        commit="c0ffee",
        path="data/file.bin",
        size=len(CONTENT) if known_size else None,
        sha256=hashlib.sha256(CONTENT).hexdigest() if known_size else "",
        git_blob="" if known_size else blob,
        terms="",
        citation="",
    )


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MGSL_MIRROR", raising=False)
    monkeypatch.setattr(resuming, "_PATIENCE_S", 0.4)
    monkeypatch.setattr(resuming, "_RECOVERY_S", 1)
    monkeypatch.setattr(resuming, "_PAUSE_S", 0.05)
    monkeypatch.setattr(transfer, "WINDOW_S", 0.8)
    return tmp_path / "cache"


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*answers: Answer) -> Server:
        servers.append(Server(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.socket.close()


Serve = Callable[..., Server]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def placed(folder: Path) -> bytes:
    return (folder / "owner/name/data/file.bin").read_bytes()


@pytest.mark.parametrize("answer", [dripped_body, dripped_head, dripped_chunks])
def test_a_server_that_drips_is_given_up(answer: Answer, serve: Serve, tmp_path: Path) -> None:
    server = serve(answer)
    with pytest.raises(UserError, match="too slow"):
        fetch([source()], tmp_path / "raw", server=server.root)
    assert len(server.begins) == 1  # it is not asked again
    assert not (tmp_path / "raw").exists()


def test_what_came_before_a_server_slowed_down_is_kept(serve: Serve, tmp_path: Path) -> None:
    server = serve(half_dripped, honest)
    with pytest.raises(UserError, match="too slow"):
        fetch([source()], tmp_path / "raw", server=server.root)
    fetch([source()], tmp_path / "raw", server=server.root)
    kept = len(CONTENT) // 2 // transfer.PIECE * transfer.PIECE
    assert server.begins == [0, kept]
    assert placed(tmp_path / "raw") == CONTENT


@pytest.mark.parametrize("known_size", [True, False])
def test_a_file_that_does_not_end_is_left(
    known_size: bool, serve: Serve, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "LARGEST", 2 * len(CONTENT))
    server = serve(endless)
    monkeypatch.setattr(sources, "BLOBS", server.root)
    with pytest.raises(UserError, match=r"not owner/name/data/file\.bin as published"):
        fetch([source(known_size=known_size)], tmp_path / "raw", server=server.root)
    assert left_in(cache) == []


def test_a_network_that_wants_a_login_is_named_and_leaves_nothing(
    serve: Serve, tmp_path: Path, cache: Path
) -> None:
    server = serve(captive)
    with pytest.raises(UserError, match="answers with a web page, as a network does that wants"):
        fetch([source()], tmp_path / "raw", server=server.root)
    assert left_in(cache) == []
    server.answers = [honest]
    fetch([source()], tmp_path / "raw", server=server.root)
    assert status(source()) == "cached"


def test_a_page_does_not_take_the_place_of_what_came_before(serve: Serve, tmp_path: Path) -> None:
    server = serve(half_dripped, captive)
    for message in ("too slow", "answers with a web page"):
        with pytest.raises(UserError, match=message):
            fetch([source()], tmp_path / "raw", server=server.root)
    server.answers, server.begins = [honest], []
    fetch([source()], tmp_path / "raw", server=server.root)
    assert server.begins[0] >= len(CONTENT) // 2 - transfer.PIECE
    assert placed(tmp_path / "raw") == CONTENT


def test_the_beginning_of_something_else_is_not_held_against_the_file(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(other)
    with pytest.raises(UserError, match="cannot be reached"):
        fetch([source()], tmp_path / "raw", server=server.root)
    server.answers, server.begins = [honest], []
    fetch([source()], tmp_path / "raw", server=server.root)
    assert server.begins[-1] == 0
    assert placed(tmp_path / "raw") == CONTENT


def test_a_download_that_is_killed_goes_on_where_it_was(
    serve: Serve, tmp_path: Path, cache: Path
) -> None:
    server = serve(half_dripped, honest)
    script = "from tests.faults.test_downloads import *; import sys\n"
    script += "fetch([source()], Path(sys.argv[1]), server=sys.argv[2])"
    command = [sys.executable, "-c", script, str(tmp_path / "raw"), server.root]
    with subprocess.Popen(command, cwd=ROOT) as process:
        part = sources.cached(source()).with_suffix(".part")
        while not part.exists() or part.stat().st_size == 0:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "raw").exists()
    fetch([source()], tmp_path / "raw", server=server.root)
    assert server.begins[1] > 0
    assert placed(tmp_path / "raw") == CONTENT
    assert left_in(cache) == [source().sha256]
