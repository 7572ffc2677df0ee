"""Published files: which they are, where they come from, whether they are what was published.

`catalogue.csv` lists them. A file is looked for in the cache (by digest), then in a mirror (at
`owner/name/path`), then on the network. Nothing is put in place before its digest is checked. Where
only git's own digest of a file is known, neither its size nor its SHA-256, it is asked for by that.
"""

import csv
import hashlib
import importlib.resources
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import requests

from mgsl import paths
from mgsl.data import transfer
from mgsl.data.resuming import cause, complete, finish, held, truncate
from mgsl.errors import UserError
from mgsl.files import atomic_path, open_folder, sha256

SERVER = "https://raw.githubusercontent.com"
BLOBS = "https://api.github.com/repos"


@dataclass(frozen=True)
class Source:
    """One published file, pinned by its SHA-256 or by its git blob id.

    `datasets` names those that need it, or what else it is for.
    """

    datasets: tuple[str, ...]
    repository: str
    commit: str
    path: str
    size: int | None
    sha256: str
    git_blob: str
    terms: str
    citation: str

    @property
    def place(self) -> Path:
        """Where the file stands in a mirror and among the raw files."""
        return Path(self.repository) / self.path

    @property
    def digest(self) -> str:
        """The digest that is known, in hexadecimal."""
        return self.sha256 or self.git_blob

    def url(self, server: str) -> str:
        """Where the network has it: a file known by its blob id at the blob's own address."""
        if not self.sha256:
            return f"{BLOBS}/{self.repository}/git/blobs/{self.git_blob}"
        return f"{server}/{self.repository}/{self.commit}/{self.path}"


def catalogue(dataset: str | None = None) -> list[Source]:
    """The sources of one dataset, or of all; those of `reannotations` are of five more people."""
    text = importlib.resources.files("mgsl.data").joinpath("catalogue.csv").read_text("utf-8")
    sources = [
        Source(datasets=tuple(names.split()), size=int(size) if size else None, **row)
        for row in csv.DictReader(text.splitlines())
        for names, size in [(row.pop("datasets"), row.pop("size"))]
    ]
    return [source for source in sources if dataset is None or dataset in source.datasets]


def fetch(sources: Iterable[Source], destination: Path, *, server: str = SERVER) -> None:
    """Put verified copies of published files at `destination/owner/name/path`.

    Args:
        sources: what is wanted.
        destination: a folder; made where it is missing.
        server: the root of the addresses that a file is downloaded from.

    Raises:
        UserError: a file in the cache, in the mirror or from the network is not the published one,
            or some are nowhere to be had; the message lists all of these.
    """
    missing: dict[Source, str] = {}
    offline = ""  # why the network is not asked again
    for source in sources:
        path = _find(source)
        if path is None and not offline:
            try:
                path = _download(source, server)
            except requests.HTTPError as error:
                missing[source] = str(error)
            except requests.RequestException as error:
                offline = f"{server} cannot be reached ({cause(error)})"
        if path is not None:
            with atomic_path(destination / source.place) as temporary:
                shutil.copyfile(path, temporary)
        elif source not in missing:
            missing[source] = offline
    if missing:
        raise UserError(_explain(missing))


def status(source: Source) -> str:
    """Where a file is at hand: "cached", "mirrored", "missing", or what is wrong with it."""
    try:
        path = _find(source)
    except UserError as error:
        return str(error)
    if path is None:
        return "missing"
    return "cached" if path == cached(source) else "mirrored"


def cached(source: Source) -> Path:
    """Where the cache keeps a file, by its digest, so that every clone finds it."""
    return cache_folder() / source.digest[:2] / source.digest


def cache_folder() -> Path:
    """`MGSL_CACHE`, or the platform's folder for caches."""
    return paths.named_by("MGSL_CACHE") or Path(platformdirs.user_cache_dir("mgsl", False))


def mirror_folder() -> Path | None:
    """`MGSL_MIRROR`, if set.

    Raises:
        UserError: it is no folder.
    """
    folder = paths.named_by("MGSL_MIRROR")
    if folder and not folder.is_dir():
        raise UserError(f"MGSL_MIRROR is '{folder}', which is no folder: correct it or unset it")
    return folder


def reachable(source: Source, *, server: str = SERVER) -> bool:
    """Whether the network has a file; no more than its header is asked for.

    Raises:
        requests.RequestException: the network or the server does not answer.
    """
    return transfer.reachable(source.url(server))


def git_blob(path: Path) -> str:
    """A file's digest as git names its content, in hexadecimal."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(transfer.PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _find(source: Source) -> Path | None:
    """The file in the cache or in the mirror, verified."""
    mirror = mirror_folder()
    for path in [cached(source), *([mirror / source.place] if mirror else [])]:
        if path.is_file():
            _verify(path, source)
            return path
    return None


def _verify(path: Path, source: Source) -> None:
    size = path.stat().st_size
    if source.size is not None and size != source.size:
        problem = f"has {size} bytes, expected {source.size}"
    elif source.sha256 and (digest := sha256(path)) != source.sha256:
        problem = f"has SHA-256 {digest}, expected {source.sha256}"
    elif source.git_blob and (digest := git_blob(path)) != source.git_blob:
        problem = f"has git blob id {digest}, expected {source.git_blob}"
    else:
        return
    raise UserError(
        f"{path} is not {source.place} as published: it {problem}. "
        f"Delete or replace it; the original is {source.url(SERVER)}"
    )


def _download(source: Source, server: str) -> Path:
    """Bring a file into the cache, going on where an earlier attempt was cut off.

    Raises:
        UserError: what came is not what was published, the cache cannot be written, or there is no
            space left on the disk.
        requests.RequestException: the last of several attempts failed.
    """
    place = cached(source)
    open_folder(place.parent, "set MGSL_CACHE to a folder of yours, such as ~/mgsl-cache")
    part = place.with_suffix(".part")
    with held(part):
        for last in (False, True):
            if place.is_file():
                break  # another process has brought it meanwhile
            url, title = source.url(server), Path(source.path).name
            at_once = complete(part, url, title=title, size=source.size, total=source.size)
            try:
                _verify(part, source)
                finish(part, place)
            except UserError:
                truncate(part)
                if at_once or last:
                    raise  # else what an earlier attempt left was something else, perhaps
    return place


def _explain(missing: dict[Source, str]) -> str:
    mirror = mirror_folder()
    lines = [f"{len(missing)} published files are neither in the cache nor in a mirror:"]
    lines += [f"  {reason}" for reason in dict.fromkeys(missing.values())]
    for source in missing:
        lines += [
            f"  {source.place}" + (f" ({source.size:,} bytes)" if source.size else ""),
            f"    original: {source.url(SERVER)}",
            f"    in the cache it would be: {cached(source)}",
            *([f"    in the mirror it would be: {mirror / source.place}"] if mirror else []),
        ]
    return "\n".join(
        [
            *lines,
            "Provide them in one of two ways, then run the same command again:",
            "  set MGSL_MIRROR to a folder that has them at owner/name/path, as listed; or",
            "  place each in the cache, under the name listed (MGSL_CACHE moves the cache).",
        ]
    )
