"""An archive is known by its content, and digested again whenever something wrote to it."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from mgsl.data.archives import identity
from mgsl.data.archives.identity import identify
from mgsl.errors import UserError


@pytest.fixture(autouse=True)
def digested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The archives that are digested, one by one."""
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    archives: list[Path] = []
    digest = identity._digest
    monkeypatch.setattr(
        identity, "_digest", lambda path, files: archives.append(path) or digest(path, files)
    )
    return archives


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tacos_c3d.hdf5"
    path.write_bytes(bytes(1_000_000))
    return path


def test_a_file_has_the_digests_that_others_compute(file: Path) -> None:
    content = file.read_bytes()
    now = identify(file)
    assert now.sha256 == hashlib.sha256(content).hexdigest()
    assert now.md5 == hashlib.md5(content).hexdigest()
    assert (now.file, now.files, now.bytes) == ("tacos_c3d.hdf5", 1, 1_000_000)


def test_a_folder_has_the_digest_of_its_list(tmp_path: Path) -> None:
    for name in ("b/v_b.npy", "v_a.npy"):
        (tmp_path / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / "f" / name, np.ones(3))
    one = hashlib.sha256((tmp_path / "f/v_a.npy").read_bytes()).hexdigest()
    lines = f"{one}  b/v_b.npy\n{one}  v_a.npy\n"
    before = identify(tmp_path / "f")
    assert before.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    (tmp_path / "f/v_a.npy").rename(tmp_path / "f/v_c.npy")
    assert identify(tmp_path / "f").sha256 != before.sha256


def test_what_did_not_change_is_digested_once_unless_it_is_asked_for(
    file: Path, digested: list[Path]
) -> None:
    first = identify(file)
    assert identify(file) == first
    assert digested == [file]
    assert identify(file, anew=True) == first
    assert digested == [file, file]


@pytest.mark.parametrize("place", [0, 300_001, 999_999])
def test_another_content_of_the_same_size_and_time_is_noticed(file: Path, place: int) -> None:
    before, times = identify(file), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    content = bytearray(file.read_bytes())
    content[place] = 1
    file.write_bytes(content)
    os.utime(file, ns=times)
    assert identify(file).sha256 != before.sha256
    other = file.with_name("other")
    other.write_bytes(bytes(1_000_000))
    os.utime(other, ns=times)
    other.replace(file)
    assert identify(file).sha256 == before.sha256


def test_a_new_time_alone_changes_no_identity(file: Path) -> None:
    before = identify(file)
    os.utime(file, (0, 0))
    assert identify(file) == before


def test_a_damaged_cache_is_no_hindrance(file: Path, tmp_path: Path) -> None:
    before = identify(file)
    for text in ("", "[]", "{}", '{"x": 1}'):
        (tmp_path / "cache/identities.json").write_text(text)
        assert identify(file) == before


def test_what_changes_while_it_is_digested_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = identity._digests

    def slow(path: Path) -> tuple[str, str]:
        result = digests(path)
        file.write_bytes(b"other")
        return result

    monkeypatch.setattr(identity, "_digests", slow)
    with pytest.raises(UserError, match="changed while it was read"):
        identify(file)
