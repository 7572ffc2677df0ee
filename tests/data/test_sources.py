import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from mgsl.data import resuming, sources, transfer
from mgsl.data.sources import Source, catalogue, fetch, status
from mgsl.errors import UserError

CONTENT = bytes(range(256)) * 4000


def source(path: str = "data/file.bin", content: bytes = CONTENT) -> Source:
    return Source(
        datasets=("tiny",),
        repository="owner/name",
        commit="c0ffee",
        path=path,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        git_blob="",
        terms="",
        citation="",
    )


class Server(ThreadingHTTPServer):
    """Serves bytes by path; the first answers may be cut off after some bytes, stall or be errors.

    It answers HEAD as well, and with `whole` never just the rest of a file.
    """

    daemon_threads = True
    content: dict[str, bytes]
    cuts: list[int]  # bytes after which each of the next answers ends
    errors: list[int]  # statuses of the next answers
    stalls: list[float]  # seconds that the next answers wait before their last byte
    ranges: list[str | None]
    whole: bool

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = None if self.server.whole else self.headers["Range"]
        self.server.ranges.append(self.headers["Range"])
        content = self.server.content.get(self.path)
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if content is None or self.server.errors:
            self.send_error(self.server.errors.pop(0) if self.server.errors else 404)
            return
        if begin >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if self.command == "HEAD":
            return
        end = begin + self.server.cuts.pop(0) if self.server.cuts else len(content)
        last = max(begin, end - 1)
        self.wfile.write(content[begin:last])
        if self.server.stalls:
            time.sleep(self.server.stalls.pop(0))
        with contextlib.suppress(ConnectionError):  # who waits in vain hangs up
            self.wfile.write(content[last:end])

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.content = {"/owner/name/c0ffee/data/file.bin": CONTENT}
        running.cuts, running.errors, running.stalls, running.ranges = [], [], [], []
        running.whole = False
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MGSL_MIRROR", raising=False)
    monkeypatch.setattr(resuming, "_PATIENCE_S", 1)
    monkeypatch.setattr(resuming, "_RECOVERY_S", 1)
    monkeypatch.setattr(resuming, "_PAUSE_S", 0.05)
    return tmp_path / "cache"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mirror"
    (folder / "owner/name/data").mkdir(parents=True)
    (folder / "owner/name/data/file.bin").write_bytes(CONTENT)
    monkeypatch.setenv("MGSL_MIRROR", str(folder))
    return folder


def test_a_cache_that_cannot_be_written_is_named_with_what_moves_it(
    server: Server, cache: Path, tmp_path: Path
) -> None:
    cache.touch()  # a file where the folder would be
    with pytest.raises(UserError, match=r"cannot be written .*: set MGSL_CACHE to a folder of"):
        fetch([source()], tmp_path / "raw", server=server.root)
    assert not (tmp_path / "raw").exists()


def test_a_download_is_put_in_place_and_kept_in_the_cache(server: Server, tmp_path: Path) -> None:
    assert status(source()) == "missing"
    fetch([source()], tmp_path / "raw", server=server.root)
    assert (tmp_path / "raw/owner/name/data/file.bin").read_bytes() == CONTENT
    assert status(source()) == "cached"
    fetch([source()], tmp_path / "again", server="http://127.0.0.1:9")  # nobody listens
    assert (tmp_path / "again/owner/name/data/file.bin").read_bytes() == CONTENT


def test_a_download_cut_off_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cuts = [2**16, 2**15 + 1]
    fetch([source()], tmp_path / "raw", server=server.root)
    assert server.ranges == [None, f"bytes={2**16}-", f"bytes={2**16 + 2**15}-"]
    assert (tmp_path / "raw/owner/name/data/file.bin").read_bytes() == CONTENT


def test_a_download_cut_off_for_good_goes_on_the_next_time(server: Server, tmp_path: Path) -> None:
    server.cuts = [2**16] + [0] * 100
    with pytest.raises(UserError, match="cannot be reached"):
        fetch([source()], tmp_path / "raw", server=server.root)
    assert not list((tmp_path / "raw").rglob("*"))
    server.cuts, server.ranges = [], []
    fetch([source()], tmp_path / "raw", server=server.root)
    assert server.ranges == [f"bytes={2**16}-"]


def test_a_download_that_stalls_is_taken_up_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_TIMEOUT_S", (1, 0.2))
    server.stalls = [0.6]
    fetch([source()], tmp_path / "raw", server=server.root)
    assert server.ranges[0] is None
    assert str(server.ranges[1]).startswith("bytes=")
    assert (tmp_path / "raw/owner/name/data/file.bin").read_bytes() == CONTENT


def test_a_server_that_stalls_for_good_is_left(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_TIMEOUT_S", (1, 0.1))
    server.cuts, server.stalls = [1] * 20, [0.5] * 20
    with pytest.raises(UserError, match="timed out"):
        fetch([source()], tmp_path / "raw", server=server.root)
    assert not (tmp_path / "raw").exists()


def test_a_server_that_ignores_ranges_sends_all_of_it_again(server: Server, tmp_path: Path) -> None:
    server.cuts, server.whole = [2**16, 2**17], True
    fetch([source()], tmp_path / "raw", server=server.root)
    assert server.ranges == [None, f"bytes={2**16}-", f"bytes={2**17}-"]
    assert (tmp_path / "raw/owner/name/data/file.bin").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.errors = [503, 500]
    fetch([source()], tmp_path / "raw", server=server.root)
    assert len(server.ranges) == 3
    assert status(source()) == "cached"


def test_a_server_that_stays_busy_is_named(server: Server, tmp_path: Path) -> None:
    server.errors = [503] * 50
    with pytest.raises(UserError, match="503"):
        fetch([source()], tmp_path / "raw", server=server.root)
    assert 2 < len(server.ranges) < 50


def test_what_is_not_there_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="404"):
        fetch([source("data/none.bin")], tmp_path / "raw", server=server.root)
    assert len(server.ranges) == 1


@pytest.fixture
def blob(server: Server, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A file of unknown size, known by its git blob id, served at the blob's address."""
    monkeypatch.setattr(sources, "BLOBS", f"{server.root}/repos")
    digest = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    server.content = {f"/repos/owner/name/git/blobs/{digest}": CONTENT}
    return replace(source(), size=None, sha256="", git_blob=digest)


def test_a_file_known_by_its_blob_id_is_fetched_by_it(
    server: Server, blob: Source, tmp_path: Path, cache: Path
) -> None:
    server.cuts = [2**16]
    fetch([blob], tmp_path / "raw", server="http://127.0.0.1:9")
    assert server.ranges == [None, f"bytes={2**16}-"]
    assert (tmp_path / "raw/owner/name/data/file.bin").read_bytes() == CONTENT
    assert sources.cached(blob) == cache / blob.git_blob[:2] / blob.git_blob


def test_another_blob_is_refused(server: Server, blob: Source, tmp_path: Path) -> None:
    server.content = dict.fromkeys(server.content, CONTENT + b"more")
    with pytest.raises(UserError, match=f"expected {blob.git_blob}"):
        fetch([blob], tmp_path / "raw", server=server.root)


def test_a_whole_file_left_by_an_interruption_is_begun_again(
    server: Server, blob: Source, tmp_path: Path
) -> None:
    part = sources.cached(blob).with_suffix(".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)  # its size is unknown, so the rest is asked for
    fetch([blob], tmp_path / "raw", server=server.root)
    assert server.ranges == [f"bytes={len(CONTENT)}-", None]
    assert status(blob) == "cached"


def test_reachable_asks_for_no_content(server: Server) -> None:
    assert sources.reachable(source(), server=server.root)
    assert not sources.reachable(source("data/none.bin"), server=server.root)
    with pytest.raises(requests.ConnectionError):
        sources.reachable(source(), server="http://127.0.0.1:9")


def test_wrong_bytes_are_refused_and_forgotten(server: Server, tmp_path: Path, cache: Path) -> None:
    server.content["/owner/name/c0ffee/data/file.bin"] = CONTENT[::-1]
    with pytest.raises(UserError, match=f"expected {source().sha256}"):
        fetch([source()], tmp_path / "raw", server=server.root)
    assert not [path for path in cache.rglob("*") if path.is_file()]
    assert not (tmp_path / "raw").exists()


def test_a_longer_file_is_refused(server: Server, tmp_path: Path) -> None:
    server.content["/owner/name/c0ffee/data/file.bin"] = CONTENT * 2
    with pytest.raises(UserError, match=rf"expected {len(CONTENT)}"):
        fetch([source()], tmp_path / "raw", server=server.root)


def test_every_missing_file_is_listed_with_both_ways_out(server: Server, tmp_path: Path) -> None:
    wanted = [source("data/a.bin", b"a"), source(), source("data/b.bin", b"b")]
    with pytest.raises(UserError) as caught:
        fetch(wanted, tmp_path / "raw", server=server.root)
    message = str(caught.value)
    for part in ("data/a.bin", "data/b.bin", "404", "MGSL_MIRROR", "MGSL_CACHE", "2 published"):
        assert part in message
    assert "data/file.bin" not in message


def test_without_a_network_all_files_are_listed_soon(tmp_path: Path) -> None:
    begun = time.monotonic()
    wanted = [source(f"data/{i}.bin", bytes([i])) for i in range(20)]
    with pytest.raises(UserError, match=r"20 published files[\s\S]*refused"):
        fetch(wanted, tmp_path / "raw", server="http://127.0.0.1:9")
    assert time.monotonic() - begun < 10


def test_the_mirror_stands_in_for_the_network_and_stays_as_it_is(
    mirror: Path, tmp_path: Path
) -> None:
    fetch([source()], tmp_path / "raw", server="http://127.0.0.1:9")
    placed = tmp_path / "raw/owner/name/data/file.bin"
    assert placed.read_bytes() == CONTENT
    placed.write_bytes(b"edited")
    assert (mirror / "owner/name/data/file.bin").read_bytes() == CONTENT
    assert status(source()) == "mirrored"


@pytest.mark.parametrize(
    ("content", "met"),
    [(CONTENT[:-1], f"{len(CONTENT) - 1} bytes"), (b"x" + CONTENT[1:], "SHA-256")],
)
def test_a_damaged_mirror_is_an_error(
    mirror: Path, tmp_path: Path, content: bytes, met: str
) -> None:
    damaged = mirror / "owner/name/data/file.bin"
    damaged.write_bytes(content)
    with pytest.raises(UserError, match=met) as caught:
        fetch([source()], tmp_path / "raw", server="http://127.0.0.1:9")
    assert str(damaged) in str(caught.value)
    assert met in status(source())
    assert not (tmp_path / "raw").exists()


def test_a_file_missing_from_the_mirror_says_where_it_belongs(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="in the mirror it would be") as caught:
        fetch([source("data/new.bin", b"new")], tmp_path, server="http://127.0.0.1:9")
    assert str(mirror / "owner/name/data/new.bin") in str(caught.value)


def test_a_mirror_that_is_no_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MGSL_MIRROR", "~")
    assert sources.mirror_folder() == tmp_path
    monkeypatch.setenv("MGSL_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere"):
        fetch([source()], tmp_path / "raw")


def test_every_source_is_pinned_and_says_its_terms() -> None:
    for listed in catalogue():
        assert len(listed.commit) == 40
        assert len(listed.sha256) == 64 or len(listed.git_blob) == 40
        assert listed.terms
        assert listed.citation
    assert len({listed.place for listed in catalogue()}) == len(catalogue())
