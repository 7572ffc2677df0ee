"""Releases from a real server on this machine, whatever it does: whole, verified, or not there."""

import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from mgsl.data import fetching, resuming, transfer
from mgsl.data.fetching import fetch
from mgsl.data.releases import FilePart, Release
from mgsl.errors import UserError
from tests import ROOT, serving
from tests.serving import Answer, Host

CONTENT = bytes(range(256)) * 1000
PIECES = [bytes([number]) * 50_000 + CONTENT[:number] for number in range(4)]
PAGE = b"<!DOCTYPE html><html><body>Quota exceeded</body></html>"
DEAD = "http://127.0.0.1:9/file"  # nobody listens


def release(*addresses: str, content: bytes = CONTENT, **facts: object) -> Release:
    known = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return Release.model_validate(
        {
            "title": "features of something",
            "page": "https://example.org/page",
            "file": "published.hdf5",
            "terms": "ask first",
            "layout": "one data set a video",
            "addresses": tuple(addresses),
            **known,
            **facts,
        }
    )


def in_parts(host: Host, **facts: object) -> Release:
    """Four parts: of the third neither size nor digest is known, of all an MD5 of the whole."""
    host.files |= {f"/part{number}": content for number, content in enumerate(PIECES)}
    digests = [hashlib.sha256(content).hexdigest() for content in PIECES]
    parts = tuple(
        FilePart(address=f"{host.root}/part{number}", sha256=None if number == 2 else digest)
        for number, digest in enumerate(digests)
    )
    whole = {"size": None, "sha256": None, "md5": hashlib.md5(b"".join(PIECES)).hexdigest()}
    return release(**whole | {"parts": parts} | facts)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "_PATIENCE_S", 30)  # a busy machine is no failure
    monkeypatch.setattr(resuming, "_PAUSE_S", 0.02)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For servers that never answer as they should."""
    monkeypatch.setattr(resuming, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(resuming, "_RECOVERY_S", 0.1)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between attempts; nobody waits."""
    waited: list[float] = []
    monkeypatch.setattr(resuming.time, "sleep", waited.append)
    return waited


@pytest.fixture
def host() -> Iterator[Host]:
    with serving.serving(file=CONTENT) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder/published.hdf5"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_release_is_announced_and_put_in_place(
    host: Host, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(release(f"{host.root}/file", "http://second.example/file"), path)
    assert path.read_bytes() == CONTENT
    assert left_in(path.parent) == [path.name]
    text = capsys.readouterr().out
    for part in (
        "published.hdf5: features of something",
        "256,000 bytes from 127.0.0.1:",
        ", then second.example",
        f"to {path}, on a disk with",
        "GB free",
        "terms: ask first",
    ):
        assert part in text


def test_progress_is_told_in_bytes_with_rate_and_time_left(
    host: Host, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resuming, "LARGEST", 1000)  # so that it is told where no terminal is
    monkeypatch.setattr(resuming, "_TELLS_EVERY_S", 0.01)
    host.answers = [serving.slow(0.5)]
    fetch(release(f"{host.root}/file"), path)
    text = capsys.readouterr().err
    assert "published.hdf5" in text
    assert "/256k [00:00<" in text
    assert "B/s]" in text


@pytest.mark.usefixtures("impatient")
def test_of_attempts_by_which_nothing_comes_no_progress_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resuming, "LARGEST", 1000)
    with pytest.raises(UserError, match="cannot be reached"):
        fetch(release(DEAD), path)
    assert capsys.readouterr().err == ""


def test_a_log_is_not_told_of_what_takes_no_time(
    host: Host, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(release(f"{host.root}/file"), path)
    assert capsys.readouterr().err == ""


FAULTS: dict[str, list[Answer]] = {
    "hangs up": [serving.cut(100_000), serving.cut(16_384 * 2)],
    "hangs up at once": [serving.cut(0)],
    "knows no ranges": [serving.cut(100_000), serving.whole],
    "is busy": [serving.status(503), serving.status(500), serving.status(502)],
    "is asked too often": [serving.status(429)],
    "claims more than it has": [serving.claiming(len(CONTENT) + 5)],
    "claims less than it has": [serving.claiming(len(CONTENT) - 5)],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_may_have_its_moods(fault: str, host: Host, path: Path) -> None:
    host.answers = list(FAULTS[fault])
    fetch(release(f"{host.root}/file"), path)
    assert path.read_bytes() == CONTENT
    assert left_in(path.parent) == [path.name]
    assert host.answers == []


def test_a_server_that_stalls_is_asked_again(
    host: Host, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_TIMEOUT_S", (3, 0.5))
    host.answers = [serving.stalling(100_000, 60)]
    fetch(release(f"{host.root}/file"), path)
    assert path.read_bytes() == CONTENT
    assert len(host.begins) > 1


def test_the_rest_is_asked_for_from_where_it_was_cut_off(host: Host, path: Path) -> None:
    host.answers = [serving.cut(16_384 * 3)]
    fetch(release(f"{host.root}/file"), path)
    assert host.begins == [("/file", 0), ("/file", 16_384 * 3)]


WRONG: dict[str, Answer] = {
    "404": serving.status(404),
    "403": serving.status(403),
    "answers with a web page": serving.saying(PAGE),
    "web page": serving.saying(b"\xef\xbb\xbf\n" + PAGE, "application/octet-stream"),
    "a web page": serving.saying(b"<p>Log in", "text/html; charset=utf-8"),
    "came has SHA-256 ": serving.saying(CONTENT[::-1]),
    "another scheme, https://127.0.0.1/file": serving.redirect("https://127.0.0.1/file"),
    "another scheme, file:///etc/passwd": serving.redirect("file:///etc/passwd"),
    "another scheme, ftp://127.0.0.1/file": serving.redirect("ftp://127.0.0.1/file"),
}


@pytest.mark.parametrize("message", WRONG)
def test_where_one_address_fails_the_next_is_asked(message: str, host: Host, path: Path) -> None:
    host.files["/copy"] = CONTENT
    host.answers = [WRONG[message]] * 2
    with pytest.raises(UserError) as caught:
        fetch(release(f"{host.root}/file"), path)
    assert message in str(caught.value)
    assert left_in(path.parent) == []
    host.answers, host.begins = [WRONG[message]], []
    fetch(release(f"{host.root}/file", f"{host.root}/copy"), path)
    assert path.read_bytes() == CONTENT
    assert [name for name, _ in host.begins] == ["/file", "/copy"]


def test_the_beginning_of_something_else_is_not_held_against_the_file(
    host: Host, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = serving.saying(b'{"error": "later"}')
    host.answers = [other] * 1000
    with monkeypatch.context() as patch:
        patch.setattr(resuming, "_PATIENCE_S", 0.1)
        patch.setattr(resuming, "_RECOVERY_S", 0.1)
        with pytest.raises(UserError, match="ended after 18 of 256,000"):
            fetch(release(f"{host.root}/file"), path)
    assert not path.exists()
    host.answers = [other]
    fetch(release(f"{host.root}/file"), path)
    assert path.read_bytes() == CONTENT


@pytest.mark.usefixtures("impatient")
def test_a_dead_host_is_passed_over(host: Host, path: Path) -> None:
    fetch(release(DEAD, f"{host.root}/file"), path)
    assert path.read_bytes() == CONTENT


def test_what_one_host_sent_another_goes_on_with(host: Host, path: Path) -> None:
    host.files["/copy"] = CONTENT
    host.answers = [serving.cut(16_384), serving.status(404)]
    fetch(release(f"{host.root}/file", f"{host.root}/copy"), path)
    assert path.read_bytes() == CONTENT
    assert host.begins[-1] == ("/copy", 16_384)


def test_a_redirect_to_another_host_is_followed(host: Host, path: Path) -> None:
    with serving.serving(elsewhere=CONTENT) as other:
        address = other.root.replace("127.0.0.1", "localhost")
        host.answers = [serving.redirect(f"{address}/elsewhere")]
        fetch(release(f"{host.root}/file"), path)
        assert other.begins == [("/elsewhere", 0)]
    assert path.read_bytes() == CONTENT


def test_the_next_piece_of_a_range_that_was_not_asked_for_is_refused(
    host: Host, path: Path
) -> None:
    def elsewhere(handler: serving.Handler, content: bytes, begin: int) -> None:
        handler.head(206, {"Content-Length": "5", "Content-Range": "bytes 7-11/256000"})
        handler.wfile.write(content[7:12])

    host.answers = [serving.cut(16_384), elsewhere]
    fetch(release(f"{host.root}/file"), path)
    assert [begin for _, begin in host.begins] == [0, 16_384, 16_384]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_is_given_the_time_that_it_asks_for(
    code: int, host: Host, path: Path, pauses: list[float]
) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    host.answers = [
        serving.status(code, Retry_After="7"),
        serving.status(code, Retry_After=moment),
        serving.status(code, Retry_After="soon"),
    ]
    fetch(release(f"{host.root}/file"), path)
    assert path.read_bytes() == CONTENT
    assert pauses[0] == 7
    assert 30 < pauses[1] <= 60
    assert pauses[2] < 1


def test_a_server_that_asks_for_too_much_time_is_left(
    host: Host, path: Path, pauses: list[float]
) -> None:
    host.answers = [serving.status(429, Retry_After="86400")]
    with pytest.raises(UserError, match=r"429 .*; it asks to come back in 86,400 s"):
        fetch(release(f"{host.root}/file"), path)
    host.answers = [serving.status(429, Retry_After="50")] * 9
    with pytest.raises(UserError, match="come back in 50 s"):
        fetch(release(f"{host.root}/file"), path)
    assert pauses == [50, 50]  # of 120 in all


@pytest.mark.usefixtures("impatient")
def test_where_nobody_has_it_a_person_is_told_what_to_do(host: Host, path: Path) -> None:
    wanted = release(f"{host.root}/none", DEAD)
    with pytest.raises(UserError) as caught:
        fetch(wanted, path)
    for part in (
        "published.hdf5 could not be fetched",
        f"{host.root}/none: 404",
        f"{DEAD}: cannot be reached",
        "256,000 bytes",
        f"SHA-256 {wanted.sha256}",
        "https://example.org/page",
        "ask first",
        str(path),
        "run the same command again",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"size": None, "sha256": None}, "(size not published, no digest published)"),
        ({"size": None, "about": 24_800_000_000, "sha256": None, "md5": "0" * 32},
         f"(about 24.8 GB, MD5 {'0' * 32})"),
    ],
)  # fmt: skip
def test_what_only_a_person_can_fetch_is_described(
    facts: dict[str, object], words: str, path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        fetch(release(**facts), path)
    assert words in str(caught.value)
    assert left_in(path.parent) == []


def test_what_a_person_placed_is_verified_and_not_fetched(host: Host, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    fetch(release(f"{host.root}/file"), path)
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(UserError, match=r"is not published\.hdf5 as published: it has SHA-256 "):
        fetch(release(f"{host.root}/file"), path)
    assert host.begins == []
    assert path.read_bytes() == CONTENT[:-1] + b"x"


def test_parts_are_joined_in_order(host: Host, path: Path) -> None:
    fetch(in_parts(host), path)
    assert path.read_bytes() == b"".join(PIECES)
    assert [name for name, _ in host.begins] == [f"/part{number}" for number in range(4)]
    assert left_in(path.parent) == [path.name]


def test_parts_that_came_whole_are_not_fetched_again(host: Host, path: Path) -> None:
    wanted = in_parts(host)
    host.answers = [*[serving.honest] * 2, serving.cut(16_384), serving.status(404)]
    with pytest.raises(UserError, match=r"part2: 404[\s\S]*What came \(116,385 bytes\) is kept"):
        fetch(wanted, path)
    assert not path.exists()
    host.begins.clear()
    fetch(wanted, path)
    assert host.begins == [("/part2", 16_384), ("/part3", 0)]
    assert path.read_bytes() == b"".join(PIECES)


def test_a_damaged_part_is_named_and_those_before_it_are_kept(host: Host, path: Path) -> None:
    wanted = in_parts(host)
    host.files["/part1"] = PIECES[1][::-1]
    with pytest.raises(UserError, match="part1: what came has SHA-256"):
        fetch(wanted, path)
    host.files["/part1"] = PIECES[1]
    host.begins.clear()
    fetch(wanted, path)
    assert [name for name, _ in host.begins] == ["/part1", "/part2", "/part3"]
    assert path.read_bytes() == b"".join(PIECES)


def test_parts_that_joined_are_something_else_are_forgotten(host: Host, path: Path) -> None:
    wanted = in_parts(host)
    host.files["/part2"] = b"of this one no digest is known"
    with pytest.raises(UserError, match="of all parts, joined: it has MD5"):
        fetch(wanted, path)
    assert left_in(path.parent) == []


@pytest.mark.parametrize("journal", [b"", b"[1", b"{}", b"[3, 2]", b'["x"]', b"[999999999]", b"[]"])
def test_a_spoilt_journal_of_parts_is_no_harm(journal: bytes, host: Host, path: Path) -> None:
    path.parent.mkdir()
    Path(f"{path}.part").write_bytes(PIECES[0] + PIECES[1][:100])
    Path(f"{path}.part.json").write_bytes(journal)
    fetch(in_parts(host), path)
    assert path.read_bytes() == b"".join(PIECES)
    assert left_in(path.parent) == [path.name]


def test_a_whole_file_left_by_an_interruption_is_taken(host: Host, path: Path) -> None:
    path.parent.mkdir()
    Path(f"{path}.part").write_bytes(CONTENT)
    fetch(release(f"{host.root}/file", size=None), path)
    assert host.begins == []
    assert path.read_bytes() == CONTENT


def test_a_disk_too_small_is_noticed_before_anything_comes(
    host: Host, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = fetching.shutil.disk_usage("/")
    monkeypatch.setattr(
        fetching.shutil, "disk_usage", lambda folder: usage._replace(free=len(CONTENT) - 1)
    )
    for facts in ({}, {"size": None}, {"size": None, "about": len(CONTENT)}):
        with pytest.raises(UserError, match=r"needs 0\.00 GB more, and the disk of .* free: free "):
            fetch(release(f"{host.root}/file", **facts), path)
    assert host.begins == []
    assert left_in(path.parent) == []
    Path(f"{path}.part").write_bytes(CONTENT[:16_384])  # what is there already needs no room
    fetch(release(f"{host.root}/file"), path)
    assert path.read_bytes() == CONTENT


def test_a_file_of_unknown_size_that_does_not_end_is_left(
    host: Host, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.answers = [serving.endless]
    with pytest.raises(UserError, match="what came does not end"):
        fetch(release(f"{host.root}/file", size=None, about=100_000, sha256=None), path)
    assert left_in(path.parent) == []


def test_a_file_of_which_nothing_is_known_is_taken_as_it_comes(host: Host, path: Path) -> None:
    host.answers = [serving.cut(50_000)]
    fetch(release(f"{host.root}/file", size=None, sha256=None), path)
    assert path.read_bytes() == CONTENT


SCRIPT = """
import sys
from pathlib import Path
from mgsl.data.fetching import fetch
from mgsl.data.releases import Release
fetch(Release.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
"""


def start(wanted: Release, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, wanted.model_dump_json(), str(path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_of_two_processes_the_second_waits_and_fetches_nothing(host: Host, path: Path) -> None:
    wanted, waits = release(f"{host.root}/file"), threading.Event()
    host.answers = [serving.dripping_until(waits)]
    first = start(wanted, path)
    while not host.begins:
        assert first.poll() is None
        time.sleep(0.02)
    second = start(wanted, path)
    assert first.stdout is not None
    assert second.stdout is not None
    with first, second:
        assert "another process is fetching" in second.stdout.readline()
        waits.set()
        first.stdout.read(), second.stdout.read()
    assert (first.returncode, second.returncode) == (0, 0)
    assert host.begins == [("/file", 0)]
    assert path.read_bytes() == CONTENT
    assert left_in(path.parent) == [path.name]


def test_one_that_is_killed_among_its_parts_goes_on_where_it_was(host: Host, path: Path) -> None:
    wanted = in_parts(host)
    host.answers = [serving.honest, serving.stalling(16_384, 60)]
    with start(wanted, path) as process:
        part = Path(f"{path}.part")
        while not part.exists() or part.stat().st_size < 50_000 + 16_384:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not path.exists()
    host.begins.clear()
    fetch(wanted, path)
    assert host.begins[0] == ("/part1", 16_384)
    assert path.read_bytes() == b"".join(PIECES)
