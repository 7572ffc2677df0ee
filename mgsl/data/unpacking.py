"""Archives that other people packed: unpacked with nothing outside of a folder, no link, whole."""

import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Literal

from mgsl.errors import UserError
from mgsl.files import atomic_folder

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, ValueError)


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
        except (*_DAMAGED, NotImplementedError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the disk, not of the archive
            raise UserError(
                f"{archive} is no whole {kind} archive ({error}): delete it and fetch it again"
            ) from None


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = [member for member in packed.infolist() if not member.is_dir()]
        for member in members:
            kind = (member.external_attr >> 16) & 0o170000  # what Unix packs there; else 0
            _check(archive, member.filename, is_file=kind in (0, 0o100000))
        _check_room(archive, sum(member.file_size for member in members), folder)
        for member in members:
            packed.extract(member, folder)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        members = [member for member in packed if not member.isdir()]
        for member in members:
            _check(archive, member.name, is_file=member.isreg())
        _check_room(archive, sum(member.size for member in members), folder)
        for member in members:
            packed.extract(member, folder, set_attrs=False, filter="data")


def _check(archive: Path, name: str, *, is_file: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if not is_file:
        raise UserError(f"{archive}: {name!r} is a link or a device: not unpacked")
    if path.is_absolute() or ".." in path.parts or path.parts[0].endswith(":"):
        raise UserError(f"{archive}: {name!r} would be outside of the folder: not unpacked")


def _check_room(archive: Path, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(
            f"{archive} unpacked needs {size / 1e9:.2f} GB, and the disk has {free / 1e9:.2f} GB "
            "free: free some, or set MGSL_FEATURES to a folder of a larger disk"
        )
