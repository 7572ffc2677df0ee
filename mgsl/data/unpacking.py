"""Archives that other people packed: unpacked with nothing outside of a folder, no link, whole."""

import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Literal

from mgsl.errors import UserError
from mgsl.files import atomic_folder

_PIECE = 1 << 20  # bytes
_DAMAGED = (  # or encrypted, or packed in a way that is not known, or one name for two things
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    RuntimeError,
    ValueError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
)


def unpack(archive: Path, kind: Literal["zip", "tar"], folder: Path) -> None:
    """Unpack an archive; all of its names are looked at before anything is written.

    Args:
        archive: a zip, or a tar, compressed or not.
        kind: which of the two.
        folder: what is made of it: it is there whole in the end, or as it was before.

    Raises:
        UserError: it is damaged or encrypted; it would write outside of the folder, or has a link
            or a device; or the disk is too small for what is in it.
    """
    unpack_members = _unpack_zip if kind == "zip" else _unpack_tar
    with atomic_folder(folder) as workplace:
        try:
            unpack_members(archive, workplace)
        except _DAMAGED as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
            raise UserError(
                f"{archive} is no whole {kind} archive ({reason}): delete it and fetch it again"
            ) from None


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = [member for member in packed.infolist() if not member.is_dir()]
        for member in members:
            kind = (member.external_attr >> 16) & 0o170000  # as Unix writes it; else 0
            _check(archive, member.filename, is_file=kind in (0, 0o100000))
        _check_room(archive, sum(member.file_size for member in members), folder)
        for member in members:
            with packed.open(member) as content, _new(folder / member.filename) as file:
                shutil.copyfileobj(content, file, _PIECE)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        members = [member for member in packed if not member.isdir()]
        for member in members:
            _check(archive, member.name, is_file=member.isreg())
        _check_room(archive, sum(member.size for member in members), folder)
        for member in members:
            content = packed.extractfile(member)
            assert content is not None  # of a regular file it never is
            with content, _new(folder / member.name) as file:
                shutil.copyfileobj(content, file, _PIECE)


def _new(path: Path) -> io.BufferedWriter:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")


def _check(archive: Path, name: str, *, is_file: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if not is_file:
        raise UserError(f"{archive}: {name!r} is a link or a device: not unpacked")
    if path.is_absolute() or ".." in path.parts or ":" in name or not path.parts:
        raise UserError(f"{archive}: {name!r} would be outside of the folder: not unpacked")


def _check_room(archive: Path, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(
            f"{archive} unpacked needs {size / 1e9:.2f} GB, and the disk has {free / 1e9:.2f} GB "
            "free: free some, or set MGSL_FEATURES to a folder of a larger disk"
        )
