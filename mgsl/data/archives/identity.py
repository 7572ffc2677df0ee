"""What an archive is, by its content: its digest, computed once and then kept in the cache.

Digesting 25 GB takes minutes. So the cache keeps a digest beside what the file system says of the
files (size, time of change, inode) and beside a sample of their blocks. While all of that is the
same, the digest is; whoever writes to a file, or puts another one in its place, changes it.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mgsl.data import sources
from mgsl.data.archives.containers import files_of
from mgsl.errors import UserError, missing
from mgsl.files import write_json

_BLOCKS, _BLOCK = 64, 1 << 16  # so many blocks of so many bytes are the sample
_PIECE = 1 << 22  # bytes digested at a time


@dataclass(frozen=True)
class Identity:
    """An archive's content. A folder has no MD5: nobody publishes one of a folder.

    `sha256` is that of the file, or of the list of digests and names of a folder's files, as
    `sha256sum` writes it.
    """

    file: str
    files: int
    bytes: int
    sha256: str
    md5: str | None


def identify(path: Path, *, anew: bool = False) -> Identity:
    """What an archive is.

    Args:
        path: a file, or a folder with at least one file of features.
        anew: digest it, even if the cache has its digest and it seems to be the same.

    Raises:
        UserError: a folder has no file of features, or the archive changes meanwhile.
    """
    files = files_of(path)
    now = {"state": state(path), "sample": _sample(files)}
    index = _read_index()
    key = str(path.resolve())
    with suppress(TypeError, KeyError):  # it has none, or an earlier version wrote it
        entry = index[key]
        if not anew and {name: entry[name] for name in now} == now:
            return Identity(**entry["identity"])
    identity = _digest(path, files)
    if state(path) != now["state"]:
        raise UserError(f"{path} changed while it was read: see that nothing writes to it")
    others = {place: e for place, e in _read_index().items() if Path(place).exists()}
    with suppress(OSError):  # then it is digested again
        write_json(_index(), others | {key: now | {"identity": asdict(identity)}})
    return identity


def record(path: Path, file: Path, *, anew: bool = False) -> None:
    """Write what stands at a path into a file, so that another archive there is noticed."""
    write_json(file, asdict(identify(path, anew=anew)))


def recorded(file: Path, again: str) -> Identity:
    """What `record` met.

    Args:
        file: the record.
        again: what to run where there is none.

    Raises:
        UserError: there is none.
    """
    try:
        return Identity(**json.loads(file.read_text(encoding="utf-8")))
    except (FileNotFoundError, TypeError):
        raise missing(file, again) from None


def check_recorded(path: Path, file: Path, again: str) -> Identity:
    """Make sure that what stands at a path is what was recorded, by its content; what it is.

    Args:
        path: of the archive.
        file: the record.
        again: what to run where it is another one.

    Raises:
        UserError: it is another one, or gone, or none is recorded.
    """
    before = recorded(file, again)
    try:
        now = identify(path)
    except FileNotFoundError as error:
        raise missing(Path(error.filename), again) from None
    if before.sha256 != now.sha256:
        facts = [
            ", ".join(f"{key} {value}" for key, value in asdict(one).items() if key != "md5")
            for one in (before, now)
        ]
        raise UserError(
            f"{path} is not what the stage `identify` recorded ({facts[0]}), it has {facts[1]}: "
            f"{again}"
        )
    return now


def state(path: Path) -> str:
    """What the file system says of an archive's files; another string whenever one is written to.

    Args:
        path: a file or a folder.
    """
    lines = []
    for file in files_of(path):
        info = file.stat()
        numbers = (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
        lines.append(f"{numbers} {file.relative_to(path)}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _digest(path: Path, files: Sequence[Path]) -> Identity:
    size = sum(file.stat().st_size for file in files)
    if path.is_file():
        sha256, md5 = _digests(path)
        return Identity(path.name, 1, size, sha256, md5)
    lines = [f"{_digests(file)[0]}  {file.relative_to(path).as_posix()}\n" for file in files]
    whole = hashlib.sha256("".join(lines).encode()).hexdigest()
    return Identity(path.name, len(files), size, whole, None)


def _digests(path: Path) -> tuple[str, str]:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            sha256.update(piece)
            md5.update(piece)
    return sha256.hexdigest(), md5.hexdigest()


def _sample(files: Sequence[Path]) -> str:
    """The digest of blocks spread evenly over all the files, the first and last included."""
    sizes = [file.stat().st_size for file in files]
    last = max(sum(sizes) - _BLOCK, 0)
    places = sorted({last * number // (_BLOCKS - 1) for number in range(_BLOCKS)})
    digest, begin = hashlib.sha256(), 0
    for path, size in zip(files, sizes, strict=True):
        inside = [place - begin for place in places if begin <= place < begin + size]
        if inside:
            with path.open("rb") as file:
                for place in inside:
                    file.seek(place)
                    digest.update(file.read(_BLOCK))
        begin += size
    return digest.hexdigest()


def _index() -> Path:
    return sources.cache_folder() / "identities.json"


def _read_index() -> dict[str, Any]:
    try:
        index = json.loads(_index().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) else {}
