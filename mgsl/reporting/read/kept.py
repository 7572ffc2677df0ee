"""The files of a study, reports/studies/STUDY/DATASET, joined over datasets."""

import functools
import json
from pathlib import Path
from typing import Any

import pandas as pd

from mgsl import paths
from mgsl.data import datasets as known


def table(study: str, part: str) -> pd.DataFrame:
    """The rows of all datasets, in the order of the datasets; nobody may change what comes back.

    Args:
        study: by its name in studies/params.yaml.
        part: the file, without its ending.

    Returns:
        No rows and no columns where nothing was studied.
    """
    states = [(path.resolve(), path.stat()) for path in _files(study, f"{part}.csv")]
    return _joined(tuple((path, state.st_mtime_ns, state.st_size) for path, state in states))


def records(study: str) -> dict[str, dict[str, Any]]:
    """How the runs of a study were made, by dataset; empty where it was not made."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in _files(study, "about.json")
    }


def outdated(study: str) -> dict[str, list[str]]:
    """The runs of a study that would be trained otherwise today, by dataset.

    All runs of a study that does not tell how it was made.
    """
    old = {
        path.parent.name: list(pd.read_csv(path)["name"].unique())
        for path in _files(study, "rows.csv")
        if not (path.parent / "about.json").is_file()
    }
    if paths.AGES.is_file():
        ages: dict[str, dict[str, list[str]]] = json.loads(paths.AGES.read_text(encoding="utf-8"))
        old |= ages.get(study, {})
    return old


def _files(study: str, file: str) -> list[Path]:
    paths_of = (paths.study(study, dataset) / file for dataset in known.DATASETS)
    return [path for path in paths_of if path.is_file()]


@functools.lru_cache(maxsize=64)
def _joined(files: tuple[tuple[Path, int, int], ...]) -> pd.DataFrame:
    """Read again only where a file was written since: every name that is printed asks for some."""
    tables = [pd.read_csv(path) for path, _, _ in files]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
