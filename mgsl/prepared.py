"""The folder of a prepared dataset: its summary tells what every file must be, and readers check.

Text is compared by its digest, so that a file cut off at a line's end is refused too. Arrays may
have many GB: they are compared by their size, and their readers look at shape and numbers.
"""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

from mgsl import params, paths
from mgsl.errors import UserError, missing
from mgsl.files import sha256, write_json

SUMMARY = "summary.json"


def write_summary(prepared: Path, summary: dict[str, Any]) -> None:
    """Write summary.json: what a dataset is, then size and digest of every other file, and its own.

    Args:
        prepared: the folder, in which all other files stand.
        summary: what is known of the dataset.
    """
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(prepared.iterdir())
        if path.is_file() and path.name != SUMMARY
    }
    whole = summary | {"files": files}
    write_json(prepared / SUMMARY, whole | {"sha256": _digest(whole)})


def read_summary(prepared: Path) -> dict[str, Any]:
    """What the stage `prepare` says of a dataset.

    Raises:
        UserError: the dataset is not prepared, or its summary is not what `prepare` wrote.
    """
    path = prepared / SUMMARY
    try:
        summary: dict[str, Any] = json.loads(_read(path))
        intact = summary.pop("sha256") == _digest(summary)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise _unlike(path, "was changed, or an earlier version wrote it")
    return summary


def read_text(path: Path) -> str:
    """The text of a file of a prepared dataset.

    Raises:
        UserError: it is missing, or not what `prepare` wrote.
    """
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != _entry(path, len(content))["sha256"]:
        raise _unlike(path, "has another SHA-256 than summary.json tells")
    return content.decode("utf-8")


def read_vocabulary(prepared: Path) -> list[str]:
    """The words of a prepared dataset, in the order of their vectors; the first is "", the padding.

    Raises:
        UserError: the file is missing, or not what `prepare` wrote.
    """
    words: list[str] = json.loads(read_text(prepared / "vocabulary.json"))
    return words


def read_videos(prepared: Path) -> list[str]:
    """The videos of a prepared dataset, in the order of their features.

    Raises:
        UserError: the file is missing, or not what `prepare` wrote.
    """
    rows = csv.DictReader(read_text(prepared / "videos.csv").splitlines())
    return [row["video"] for row in rows]


def check_array(path: Path) -> None:
    """See that an array of a prepared dataset has the size that it was written with.

    Raises:
        UserError: it has not, or is missing.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise _missing(path) from None
    _entry(path, size)


def digests(prepared: Path) -> dict[str, str]:
    """The SHA-256 of every file of a prepared dataset as it is now, by its name.

    Raises:
        UserError: a file is missing, or the summary is not what `prepare` wrote.
    """
    names = [SUMMARY, *read_summary(prepared)["files"]]
    try:
        return {name: sha256(prepared / name) for name in names}
    except FileNotFoundError as error:
        raise _missing(Path(error.filename)) from None


def again(prepared: Path) -> str:
    """What to do about a dataset that is not what `prepare` wrote."""
    dataset = prepared.parent.name
    return (
        f"prepare it again, with `dvc repro prepare@{dataset}` "
        f"or `python -m mgsl prepare --dataset {dataset}`"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None


def _entry(path: Path, size: int) -> dict[str, Any]:
    """What the summary tells of a file that has so many bytes; they must be those it tells."""
    entry: dict[str, Any] | None = read_summary(path.parent)["files"].get(path.name)
    if entry is None:
        raise _unlike(path, "is not listed in summary.json")
    if size != (expected := entry["bytes"]):
        raise _unlike(path, f"has {size:,} bytes, not the {expected:,} that summary.json tells")
    return entry


def _digest(summary: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(summary, sort_keys=True).encode()).hexdigest()


def _unlike(path: Path, what: str) -> UserError:
    return UserError(f"{path} is not what `prepare` wrote: it {what}; {again(path.parent)}")


def _missing(path: Path) -> UserError:
    """Which command brings a file that is not there; or that there is no such dataset."""
    dataset, listed = path.parent.parent.name, False
    if path.parent == paths.ARTIFACTS / dataset / "prepared" and paths.PARAMS.is_file():
        parameters = params.load(paths.PARAMS)
        parameters.refuse_unknown(dataset)
        listed = dataset in parameters.datasets
    stages = (
        "configure",
        *(f"{stage} --dataset {dataset}" for stage in ("download", "identify", "prepare")),
    )
    by_hand = " && ".join(f"python -m mgsl {stage}" for stage in stages)
    command = f"dvc repro prepare@{dataset}" if listed else by_hand
    return missing(path, f"prepare the dataset, with `{command}`")
