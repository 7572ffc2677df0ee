import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mgsl.data import sources
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
    """Serves bytes by path; the first answers may be cut off after some bytes."""

    daemon_threads = True
    content: dict[str, bytes]
    cuts: list[int]
    ranges: list[str | None]

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.ranges.append(asked)
        content = self.server.content.get(self.path)
        if content is None:
            self.send_error(404)
            return
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        end = begin + self.server.cuts.pop(0) if self.server.cuts else len(content)
        self.wfile.write(content[begin:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.content = {"/owner/name/c0ffee/data/file.bin": CONTENT}
        running.cuts, running.ranges = [], []
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MGSL_MIRROR", raising=False)
    monkeypatch.setattr(sources, "_PATIENCE_S", 1)
    monkeypatch.setattr(sources, "_PAUSE_S", 0.05)
    return tmp_path / "cache"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mirror"
    (folder / "owner/name/data").mkdir(parents=True)
    (folder / "owner/name/data/file.bin").write_bytes(CONTENT)
    monkeypatch.setenv("MGSL_MIRROR", str(folder))
    return folder


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
