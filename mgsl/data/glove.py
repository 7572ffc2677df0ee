"""Where the word vectors of `preparation.glove` stand: a release by its name, or a file of yours.

The stage `download` fetches a release, `identify` records the file by its content, and `prepare`
reads vectors from no other file. It stays where it is, packed as it came.
"""

from pathlib import Path

from mgsl.data import fetching, releases, sources
from mgsl.data.archives import identity
from mgsl.errors import missing

RECORD = Path("glove.json")
AGAIN = "place the file there, or correct preparation.glove in params.yaml"


def place(glove: str) -> Path:
    """Where a file stands, or will once it is fetched.

    Args:
        glove: as params.yaml has it: a release of the catalogue, or a path.
    """
    if glove in releases.catalogue()["glove"]:
        file = releases.find("glove", glove).file
        assert file is not None, glove
        return sources.cache_folder() / "glove" / file
    return Path(glove)


def is_awaited(glove: str) -> bool:
    """Whether it is a release that is not fetched yet."""
    return glove in releases.catalogue()["glove"] and not place(glove).is_file()


def bring(glove: str) -> None:
    """Fetch and verify a release; of one's own file, see that it is there.

    Raises:
        UserError: it is nowhere to be had, or not what was published.
    """
    path = place(glove)
    if glove in releases.catalogue()["glove"]:
        fetching.fetch(releases.find("glove", glove), path)
    elif not path.is_file():
        raise missing(path, AGAIN)


def record(glove: str | None, folder: Path, *, anew: bool = False) -> None:
    """Write which file stands there, by its content, so that another one in its place is noticed.

    Args:
        glove: as params.yaml has it; None: no file is read, and none recorded.
        folder: where `glove.json` is written. Where the file is gone, what stands there stays.
        anew: digest all of it, whatever the cache remembers.

    Raises:
        UserError: the file is not there, and was not before.
    """
    if glove is None:
        (folder / RECORD).unlink(missing_ok=True)
        return
    path = place(glove)
    if path.is_file():
        identity.record(path, folder / RECORD, anew=anew)
    elif not (folder / RECORD).exists():
        raise missing(path, AGAIN)


def check_recorded(glove: str, folder: Path, dataset: str) -> identity.Identity:
    """See that the file is the one that `record` met, by its content; what it is.

    Args:
        glove: as params.yaml has it.
        folder: of the record.
        dataset: its name, for the message.

    Raises:
        UserError: it is another one, or none is recorded, or it is gone.
    """
    again = f"run `dvc repro` or `python -m mgsl identify --dataset {dataset}`"
    return identity.check_recorded(place(glove), folder / RECORD, again)
