"""A web server on this machine that answers as it is told: honestly, or as servers do at times."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler", bytes, int], None]  # to whom, the file, from which byte on


class Host(ThreadingHTTPServer):
    """Has files by path. The next questions are answered as `answers` say, all others honestly.

    `begins` are the paths asked for, each with the first byte; HEAD is answered and not counted.
    """

    daemon_threads = True

    def __init__(self, **files: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {f"/{name}": content for name, content in files.items()}
        self.answers: list[Answer] = []
        self.begins: list[tuple[str, int]] = []
        self.root = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        begin = int((self.headers["Range"] or "bytes=0-")[6:-1])
        self.server.begins.append((self.path, begin))
        answer = self.server.answers.pop(0) if self.server.answers else honest
        content = self.server.files.get(self.path)
        with contextlib.suppress(ConnectionError):  # who waits in vain hangs up
            if content is None:
                self.send_error(404)
            elif begin and begin >= len(content):
                self.send_error(416)
            else:
                answer(self, content, begin)

    def do_HEAD(self) -> None:
        content = self.server.files.get(self.path)
        self.head(404 if content is None else 200, {"Content-Length": str(len(content or b""))})

    def head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def honest(handler: Handler, content: bytes, begin: int) -> None:
    claiming(len(content))(handler, content, begin)


def claiming(length: int) -> Answer:
    """All of it, or the rest, under a length of the whole that need not be true."""

    def answer(handler: Handler, content: bytes, begin: int) -> None:
        end = len(content) - 1
        headers = {"Content-Range": f"bytes {begin}-{end}/{length}"} if begin else {}
        handler.head(206 if begin else 200, {"Content-Length": str(length - begin)} | headers)
        handler.wfile.write(content[begin:])

    return answer


def whole(handler: Handler, content: bytes, begin: int) -> None:
    """Knows no ranges."""
    honest(handler, content, 0)


def cut(amount: int) -> Answer:
    """Hangs up after some bytes."""

    def answer(handler: Handler, content: bytes, begin: int) -> None:
        handler.head(206 if begin else 200, {"Content-Length": str(len(content) - begin)})
        handler.wfile.write(content[begin : begin + amount])

    return answer


def stalling(amount: int, seconds: float) -> Answer:
    """Sends nothing for a while after some bytes, then hangs up."""

    def answer(handler: Handler, content: bytes, begin: int) -> None:
        cut(amount)(handler, content, begin)
        handler.wfile.flush()
        time.sleep(seconds)

    return answer


def slow(seconds: float) -> Answer:
    """Takes its time over each tenth of the file."""

    def answer(handler: Handler, content: bytes, begin: int) -> None:
        handler.head(200, {"Content-Length": str(len(content))})
        step = len(content) // 10 + 1
        for at in range(0, len(content), step):
            handler.wfile.write(content[at : at + step])
            time.sleep(seconds / 10)

    return answer


def dripping_until(event: threading.Event) -> Answer:
    """Sends little at a time until something happens, then the rest."""

    def answer(handler: Handler, content: bytes, begin: int) -> None:
        handler.head(200, {"Content-Length": str(len(content))})
        at, step = 0, 2000
        while at < len(content) - step and not event.wait(0.1):
            handler.wfile.write(content[at : at + step])
            at += step
        handler.wfile.write(content[at:])

    return answer


def endless(handler: Handler, content: bytes, begin: int) -> None:
    handler.head(200, {})
    while True:
        handler.wfile.write(content)


def status(code: int, **headers: str) -> Answer:
    """An error; underscores in the names of headers are hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, content, begin: handler.head(code, {"Content-Length": "0"} | named)


def redirect(target: str) -> Answer:
    """Sends to another address."""
    return status(302, Location=target)


def saying(text: bytes, kind: str = "application/octet-stream") -> Answer:
    """Something else, as if it were the file."""

    def answer(handler: Handler, content: bytes, begin: int) -> None:
        handler.head(200, {"Content-Length": str(len(text)), "Content-Type": kind})
        handler.wfile.write(text)

    return answer


@contextlib.contextmanager
def serving(**files: bytes) -> Iterator[Host]:
    host = Host(**files)
    try:
        yield host
    finally:
        host.close()
