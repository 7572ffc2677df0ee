"""Where the word vectors of `preparation.glove` stand: a release by its name, or a file of yours.

The stage `download` fetches a release and records the file's digest; `prepare` reads vectors from
no other file than the one recorded. The file stays where it is, packed as it came.
"""

import json
from pathlib import Path

from mgsl.data import fetching, releases, sources
from mgsl.errors import UserError, missing
from mgsl.files import sha256, write_json

RECORD = Path("glove.json")


def place(glove: str) -> Path:
    """Where a file stands, or will once it is fetched.

    Args:
        glove: as params.yaml has it: a release of the catalogue, or a path.
    """
    if glove in releases.catalogue()["glove"]:
        return sources.cache_folder() / "glove" / releases.find("glove", glove).file
    return Path(glove)


def is_awaited(glove: str) -> bool:
    """Whether it is a release that is not fetched yet."""
    return glove in releases.catalogue()["glove"] and not place(glove).is_file()


def bring(glove: str) -> Path:
    """The file, fetched and verified if it is a release.

    Raises:
        UserError: it is nowhere to be had, or not what was published.
    """
    path = place(glove)
    if glove in releases.catalogue()["glove"]:
        fetching.fetch(releases.find("glove", glove), path)
    elif not path.is_file():
        raise missing(path, "correct preparation.glove in params.yaml, or place the file there")
    return path


def record(glove: str, raw: Path) -> None:
    """Write which file stands there, so that another one in its place is noticed.

    Args:
        glove: as params.yaml has it.
        raw: the folder of the published files; `glove.json` is written there.

    Raises:
        UserError: as `bring`.
    """
    path = bring(glove)
    about = {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}
    write_json(raw / RECORD, about)


def check_recorded(glove: str, raw: Path, dataset: str) -> str:
    """See that the file is the one that `record` told of, to the byte; its SHA-256.

    Raises:
        UserError: it is another one, or none is recorded, or it is gone.
    """
    path = place(glove)
    again = f"run `python -m mgsl download --dataset {dataset}`, then prepare it again"
    try:
        recorded = json.loads((raw / RECORD).read_text(encoding="utf-8"))
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise missing(Path(error.filename), again) from None
    if size != recorded["bytes"] or (digest := sha256(path)) != recorded["sha256"]:
        met = f"{size:,} bytes" if size != recorded["bytes"] else f"SHA-256 {digest}"
        raise UserError(
            f"{path} is not the file of word vectors that the stage `download` recorded "
            f"({recorded['bytes']:,} bytes, SHA-256 {recorded['sha256']}): it has {met}; {again}"
        )
    return digest
