"""Whether the committed dvc.lock fits the tree: the same stages, and the same files.

Reports that are older than the code show in no result; here they do, without running anything.
Dependencies that git does not track, such as artifacts, are left to `dvc status`.
"""

import hashlib
import itertools
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgsl import paths
from mgsl.documents import read_yaml
from mgsl.errors import UserError, missing
from mgsl.files import write_text

PIPELINE, LOCK = Path("dvc.yaml"), Path("dvc.lock")
PRUNE = "python -c 'from mgsl.tools import lock; lock.prune()'"
_HIDDEN = (".pyc", "__pycache__")  # what .dvcignore keeps out of folders


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml: what it runs, and which paths it depends on."""

    command: str
    dependencies: frozenset[str]


def misfits() -> list[str]:
    """What does not fit, a line each; none where `dvc repro` was run before the last commit.

    Raises:
        UserError: this is no git repository, or it has no dvc.lock.
    """
    locked = read()
    return [*_stages(locked), *_files(locked)]


def read() -> dict[str, dict[str, Any]]:
    """The stages of dvc.lock.

    Raises:
        UserError: there is none, or it is no YAML.
    """
    if not LOCK.is_file():
        raise missing(LOCK, "run `dvc repro`")
    document = read_yaml(LOCK) or {}
    stages: dict[str, dict[str, Any]] = document.get("stages", {})
    return stages


def expanded() -> dict[str, Stage]:
    """Every stage of dvc.yaml by its name, matrices opened with params.yaml."""
    values = _values()
    pipeline = read_yaml(PIPELINE)
    return {
        name: stage
        for title, entry in pipeline["stages"].items()
        for name, stage in _cells(title, entry, values)
    }


def prune() -> None:
    """Remove from dvc.lock the stages that dvc.yaml does not have; `dvc repro` leaves them."""
    stages = expanded()
    header, *blocks = _blocks(LOCK.read_text(encoding="utf-8"))
    names = {f"  {name}:" for name in stages}
    write_text(LOCK, header + "".join(b for b in blocks if b.partition("\n")[0] in names))


def digest(path: str, tracked: Mapping[str, str]) -> str | None:
    """The digest that DVC gives a tracked file or folder; None where git tracks nothing of it.

    Args:
        path: as in dvc.lock.
        tracked: what `tracked_digests` returned.
    """
    if path in tracked:
        return tracked[path]
    inside = sorted(name for name in tracked if name.startswith(f"{path}/"))
    if not inside:
        return None
    listing = [{"md5": tracked[name], "relpath": name.removeprefix(f"{path}/")} for name in inside]
    listing.sort(key=lambda entry: entry["relpath"])
    return f"{hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest()}.dir"


def tracked_digests() -> dict[str, str]:
    """The MD5 of every file of the working tree that git tracks.

    Raises:
        UserError: this is no git repository.
    """
    names = _git("ls-files", "-z").split("\0")
    files = [Path(name) for name in names if name and not name.endswith(_HIDDEN)]
    return {p.as_posix(): hashlib.md5(p.read_bytes()).hexdigest() for p in files if p.is_file()}


def _stages(locked: Mapping[str, Any]) -> Iterator[str]:
    """Stages that one of the two files lacks, and commands that differ."""
    stages = expanded()
    if left := [name for name in locked if name not in stages]:
        yield f"{LOCK}: {', '.join(left)}: no stages of {PIPELINE}; to remove them: {PRUNE}"
    if lacking := [name for name in stages if name not in locked]:
        yield f"{LOCK}: not run yet: {', '.join(lacking)}"
    for name in (name for name in stages if name in locked):
        ran, now = locked[name], stages[name]
        if ran["cmd"] != now.command:
            yield f"{LOCK}: {name} ran `{ran['cmd']}`, now `{now.command}`"
        paths_then = {dependency["path"] for dependency in ran.get("deps", [])}
        if differing := sorted(paths_then ^ now.dependencies):
            yield f"{LOCK}: {name} did not have the same dependencies: {', '.join(differing)}"


def _files(locked: Mapping[str, Any]) -> Iterator[str]:
    """Tracked dependencies and parameters that are not what the stages were run with."""
    tracked = tracked_digests()
    commands = expanded()
    stages_of: dict[tuple[str, str], list[str]] = {}
    stale: dict[str, list[str]] = {}
    for name, stage in locked.items():
        for dependency in stage.get("deps", []) if name in commands else []:
            stages_of.setdefault((dependency["path"], dependency["md5"]), []).append(name)
    for (path, known), stages in stages_of.items():
        now = digest(path, tracked) or _imported(path, tracked)
        if now is None and Path(path).parts[0] != paths.ARTIFACTS.name:
            yield f"{path}, with which {_listing(stages)} ran, is not tracked by git"
        elif now not in (known, None):
            for file in _changed(path) or [path]:
                stale.setdefault(file, []).extend(stages)
    for file, stages in stale.items():
        yield f"{file} is not what {_listing(stages)} ran with"
    yield from _parameters({name: locked[name] for name in locked if name in commands})


def _parameters(locked: Mapping[str, Any]) -> Iterator[str]:
    values = _values()
    stale: dict[str, list[str]] = {}
    for name, stage in locked.items():
        for key, value in stage.get("params", {}).get(str(paths.PARAMS), {}).items():
            if _value(values, key) != value:
                stale.setdefault(key, []).append(name)
    for key, stages in stale.items():
        yield f"{paths.PARAMS}: {key} is not what {_listing(stages)} ran with"


def _values() -> dict[str, Any]:
    values: dict[str, Any] = read_yaml(paths.PARAMS) if paths.PARAMS.is_file() else {}
    return values


def _value(values: Any, key: str) -> Any:
    """What stands at a key with dots; None where nothing does."""
    for name in key.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _imported(path: str, tracked: Mapping[str, str]) -> str | None:
    """The digest of what a .dvc file brings in."""
    if f"{path}.dvc" not in tracked:
        return None
    document = read_yaml(Path(f"{path}.dvc"))
    known: str = document["outs"][0]["md5"]
    sources = [(entry["path"], entry["md5"]) for entry in document.get("deps", [])]
    stale = any(digest(source, tracked) != md5 for source, md5 in sources)
    return f"{known}, and {path}.dvc is older than its source" if stale else known


def _changed(folder: str) -> list[str]:
    """The files of a folder that were changed since dvc.lock was committed, as far as git knows."""
    try:
        commit = _git("log", "-1", "--format=%H", "--", str(LOCK)).strip()
        names = _git("diff", "--name-only", "-z", commit, "--", folder).split("\0")
    except UserError:
        return []
    return [name for name in names if name]


def _cells(
    title: str, entry: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[tuple[str, Stage]]:
    """A stage, or each of its matrix: its name, and what it is."""
    matrix = {
        key: values[listed[2:-1]] if isinstance(listed, str) else listed
        for key, listed in entry.get("matrix", {}).items()
    }
    lines = [entry["cmd"], *map(str, entry.get("deps", []))]
    for cell in itertools.product(*matrix.values()):
        command, *deps = lines
        for key, value in zip(matrix, cell, strict=True):
            command, *deps = (
                line.replace(f"${{item.{key}}}", str(value)) for line in (command, *deps)
            )
        name = f"{title}@{'-'.join(map(str, cell))}" if matrix else title
        yield name, Stage(command, frozenset(deps))


def _blocks(text: str) -> Iterator[str]:
    """The head of a dvc.lock, then each stage, as they are written."""
    block: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("  ") and not line.startswith("   "):
            yield "".join(block)
            block = []
        block.append(line)
    yield "".join(block)


def _listing(stages: Sequence[str]) -> str:
    more = f" and {len(stages) - 1} more" if len(stages) > 1 else ""
    return f"{stages[0]}{more}"


def _git(*command: str) -> str:
    try:
        process = subprocess.run(["git", *command], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise UserError(f"{Path.cwd()} is no git repository: its files are not known") from None
    return process.stdout
