"""The last file of a finished training: what decided it, and what it wrote.

A training whose receipt still holds need not be repeated: it would give the same bytes.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

from mgsl import paths
from mgsl.documents import read_json
from mgsl.errors import UserError
from mgsl.files import sha256, write_json
from mgsl.processes import alone
from mgsl.training.jobs import Job

RECEIPT = "receipt.json"


def write(folder: Path, digest: str) -> None:
    """Seal a finished training.

    Args:
        folder: of the training, with all its files.
        digest: of what decided it (`fingerprint.digest`).
    """
    write_json(folder / RECEIPT, _document(folder, digest))


def holds(folder: Path, digest: str) -> bool:
    """Whether a training is finished, was decided by the same, and has the files that it wrote."""
    try:
        return bool(read_json(folder / RECEIPT) == _document(folder, digest))
    except (OSError, UserError):
        return False


def take_over(job: Job) -> bool:
    """Copy a training from the main pipeline to a study's artifacts, if it is finished and holds.

    Returns:
        Whether there was one.
    """
    made = paths.in_pipeline(job.folder)
    if made == job.folder or not holds(made, job.digest):
        return False
    with alone(job.folder):
        shutil.rmtree(job.folder, ignore_errors=True)
        shutil.copytree(made, job.folder)
    return True


def remove_unlisted(runs: Path, trainings: Collection[Path]) -> None:
    """Remove what a folder of trainings holds besides these.

    Args:
        runs: holds NAME/SEED.
        trainings: folders within it, which stay.

    Raises:
        UserError: another process is at work on one of those to be removed.
    """
    stay = {path for folder in trainings for path in (folder, folder.parent)}
    for path in [*runs.glob("*/*"), *runs.glob("*")]:  # what lies deeper first, each with its lock
        if path in stay:
            continue
        with alone(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _document(folder: Path, digest: str) -> dict[str, object]:
    files = sorted(path for path in folder.iterdir() if path.name != RECEIPT)
    return {"digest": digest, "files": {path.name: sha256(path) for path in files}}
