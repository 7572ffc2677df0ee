"""Archives: what is in them comes out whole, and nothing that would reach beyond the folder."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from mgsl.data import unpacking
from mgsl.data.unpacking import unpack
from mgsl.errors import UserError

FILES = {"top.txt": b"top", "inner/v_a.npy": b"a" * 5000, "inner/deep/v_b.npy": b"b"}


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("empty")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def as_tar(path: Path, files: dict[str, bytes], *special: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in special:
            archive.addfile(member)
    return path


Pack = Callable[[Path, dict[str, bytes]], Path]
KINDS: list[tuple[Literal["zip", "tar"], Pack]] = [("zip", as_zip), ("tar", as_tar)]


def files_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(("kind", "pack"), KINDS)
def test_all_files_come_out(kind: Literal["zip", "tar"], pack: Pack, tmp_path: Path) -> None:
    unpack(pack(tmp_path / "archive", FILES), kind, tmp_path / "folder")
    assert files_in(tmp_path / "folder") == FILES


@pytest.mark.parametrize(
    "name", ["../out", "inner/../../out", "/tmp/out", "..\\out", "C:/out", "."]
)
@pytest.mark.parametrize(("kind", "pack"), KINDS)
def test_a_name_outside_of_the_folder_is_refused_and_nothing_is_written(
    kind: Literal["zip", "tar"], pack: Pack, name: str, tmp_path: Path
) -> None:
    archive = pack(tmp_path / "archive", FILES | {name: b"x"})
    before = files_in(tmp_path)
    with pytest.raises(UserError, match="would be outside of the folder: not unpacked"):
        unpack(archive, kind, tmp_path / "folder")
    assert files_in(tmp_path) == before
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    member = tarfile.TarInfo("inner/v_c.npy")
    member.type, member.linkname = kind, "top.txt"
    archive = as_tar(tmp_path / "archive", FILES, member)
    with pytest.raises(UserError, match=r"'inner/v_c\.npy' is a link or a device"):
        unpack(archive, "tar", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    archive = as_zip(tmp_path / "archive", FILES)
    link = zipfile.ZipInfo("v_c.npy")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match=r"'v_c\.npy' is a link or a device"):
        unpack(archive, "zip", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("damage", [lambda content: content[:-200], lambda content: b"x" * 900])
@pytest.mark.parametrize(("kind", "pack"), KINDS)
def test_a_damaged_archive_is_named_and_leaves_nothing(
    kind: Literal["zip", "tar"], pack: Pack, damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    noise = {"noise.bin": Path(__file__).read_bytes() * 3}
    archive = pack(tmp_path / "archive", FILES | noise)
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(UserError, match=rf"archive is no whole {kind} archive .* fetch it again"):
        unpack(archive, kind, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_a_wrong_byte_in_a_zip_is_noticed(tmp_path: Path) -> None:
    archive = as_zip(tmp_path / "archive", {"a.npy": b"same old content" * 10})
    content = bytearray(archive.read_bytes())
    content[content.index(b"a.npy") + 8] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(UserError, match="no whole zip archive"):
        unpack(archive, "zip", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(("kind", "pack"), KINDS)
def test_one_name_for_a_file_and_a_folder_is_refused(
    kind: Literal["zip", "tar"], pack: Pack, tmp_path: Path
) -> None:
    archive = pack(tmp_path / "archive", {"a": b"file", "a/b": b"in a folder"})
    with pytest.raises(UserError, match="no whole"):
        unpack(archive, kind, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(("kind", "pack"), KINDS)
def test_a_disk_too_small_is_noticed_before_anything_is_written(
    kind: Literal["zip", "tar"], pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(tmp_path / "archive", FILES)
    usage = unpacking.shutil.disk_usage("/")._replace(free=5003)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match=r"unpacked needs 0\.00 GB, and the disk has 0\.00 GB free"):
        unpack(archive, kind, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_what_was_unpacked_before_stays_if_it_cannot_be_unpacked_again(tmp_path: Path) -> None:
    unpack(as_zip(tmp_path / "archive", FILES), "zip", tmp_path / "folder")
    (tmp_path / "archive").write_bytes(b"no archive")
    with pytest.raises(UserError, match="no whole zip archive"):
        unpack(tmp_path / "archive", "zip", tmp_path / "folder")
    assert files_in(tmp_path / "folder") == FILES
