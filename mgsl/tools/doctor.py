"""Whether the pipeline can run here, checked point by point: `python -m mgsl doctor`."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import requests

from mgsl import params, paths
from mgsl.data import feature_files, sources
from mgsl.data.datasets import DATASETS
from mgsl.data.embedded import generate
from mgsl.errors import UserError
from mgsl.tools import lock, promise
from mgsl.tools.promise import REQUIREMENTS, read_lock
from mgsl.tools.promise import installed as _installed

OLDEST_PYTHON, TESTED_PYTHONS = (3, 11), ((3, 11),)
SCARCE_GB, COMFORTABLE_GB = 1.0, 5.0  # free disk space: less fails soon; less may fail later
_LISTED = 5  # how many packages a line names
_AT_HAND = ("cached", "mirrored", "missing")


@dataclass(frozen=True)
class Check:
    """One point of the checklist; `advice` says what to do where it is not ok."""

    state: Literal["ok", "note", "problem"]
    what: str
    advice: str = ""


def examine() -> bool:
    """Print the checklist, in the repository's root; whether it has no problem."""
    counts = Counter[str]()
    for check in CHECKS:
        for finding in check():
            counts[finding.state] += 1
            print(f"{finding.state:<8} {finding.what}", flush=True)
            for line in finding.advice.splitlines():
                print(f"{'':<8}   {line}")
    print(f"\nproblems: {counts['problem']}, notes: {counts['note']}, ok: {counts['ok']}")
    return not counts["problem"]


def python() -> Iterator[Check]:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield Check("problem", f"Python {version}", f"install Python {oldest} or newer")
    elif sys.version_info[:2] not in TESTED_PYTHONS:
        tested = ".".join(map(str, TESTED_PYTHONS[-1]))
        advice = f"it may work; tested is Python {tested}: `make PYTHON=python{tested} repro`"
        yield Check("note", f"Python {version} is not tested", advice)
    else:
        yield Check("ok", f"Python {version} at {sys.executable}")


def packages() -> Iterator[Check]:
    """Installed versions against the locked ones."""
    try:
        locked = read_lock(REQUIREMENTS)
    except FileNotFoundError:
        advice = "run the doctor from the repository's root"
        yield Check("problem", f"{REQUIREMENTS} is missing", advice)
        return
    installed = {name: _installed(name) for name in locked}
    absent = [name for name, version in installed.items() if version is None]
    others = [
        f"{name} {version} (locked: {locked[name]})"
        for name, version in installed.items()
        if version not in (None, locked[name])
    ]
    install = f"pip install -r {REQUIREMENTS}"
    if absent:
        yield Check("problem", f"not installed: {_listing(absent)}", install)
    if others:
        advice = f"results may differ in the last digits; for the locked versions: {install}"
        yield Check("note", f"other versions: {_listing(others)}", advice)
    if not absent and not others:
        yield Check("ok", f"all {len(locked)} packages as locked in {REQUIREMENTS}")


def device() -> Iterator[Check]:
    """Where torch would compute."""
    try:
        import torch
    except (ImportError, OSError) as error:
        advice = f"pip install -r {REQUIREMENTS}"
        yield Check("problem", f"torch cannot be imported: {error}", advice)
        return
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Check("ok", f"torch {torch.__version__} computes on {', '.join(cards)}; {threads}")
    else:
        yield Check("ok", f"torch {torch.__version__} computes on the CPU, {threads}; no CUDA")


def same_bytes() -> Iterator[Check]:
    """Whether results will be the same bytes as elsewhere."""
    try:
        reasons = promise.broken()
    except (ImportError, OSError):
        return  # `device` has told
    for reason in reasons:
        yield Check("note", f"results may be other bytes here: {reason.what}", reason.advice)
    if not reasons:
        took = ", ".join(f"{name} {kernels}" for name, kernels in promise.kernels().items())
        yield Check("ok", f"results are the same bytes here as on other machines: {took}")


def committed_lock() -> Iterator[Check]:
    """Whether dvc.lock is of this tree, and so the reports beside it."""
    try:
        lines = lock.misfits()
    except (UserError, OSError) as error:
        yield Check("note", f"{lock.LOCK} was not compared with the tree", str(error))
        return
    if lines:
        advice = "\n".join(["`dvc repro` brings it up to date:", *lines])
        yield Check("note", f"{lock.LOCK} does not fit the tree", advice)
    else:
        yield Check("ok", f"{lock.LOCK} fits the tree: reports are of this code")


def tools() -> Iterator[Check]:
    """Git and DVC, without which there is no `dvc repro`."""
    if _succeeds("git", "rev-parse", "--git-dir"):
        yield Check("ok", "this folder is a git repository")
    elif shutil.which("git"):
        advice = "`dvc repro` works after `dvc config --local core.no_scm true`; `dvc exp` does not"
        yield Check("note", "this folder is no git repository", advice)
    else:
        yield Check("problem", "git is not installed", "install it with your package manager")
    if not _succeeds(sys.executable, "-m", "dvc", "--version"):
        advice = f"pip install -r {REQUIREMENTS}"
        yield Check("problem", "dvc does not start with this Python", advice)
    elif shutil.which("dvc"):
        yield Check("ok", f"dvc {_installed('dvc')} at {shutil.which('dvc')}")
    else:
        advice = "activate the environment, as in `. .venv/bin/activate`, or type `python -m dvc`"
        yield Check("note", "the command dvc is not on the PATH", advice)


def disk() -> Iterator[Check]:
    """Room for artefacts, and the right to write them."""
    folder = paths.ARTIFACTS
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            yield Check("ok", f"{paths.ARTIFACTS}/ can be written")
    except OSError as error:
        advice = f"give yourself the right to write in {folder.resolve()}"
        yield Check("problem", f"{paths.ARTIFACTS}/ cannot be written: {error}", advice)
    free_gb = shutil.disk_usage(folder).free / 1e9
    what = f"{free_gb:.1f} GB of disk space are free"
    if free_gb < COMFORTABLE_GB:
        advice = "`dvc gc --workspace` removes the results of earlier parameters"
        yield Check("problem" if free_gb < SCARCE_GB else "note", what, advice)
    else:
        yield Check("ok", what)


def parameters() -> Iterator[Check]:
    """The file params.yaml, by itself; `python -m mgsl configure` checks each method's block."""
    try:
        document = params.load(paths.PARAMS)
    except UserError as error:
        yield Check("problem", f"{paths.PARAMS} is not usable", str(error))
        return
    runs = len(document.datasets) * len(document.names()) * len(document.seeds)
    what = f"{paths.PARAMS} is valid: {', '.join(document.datasets)}; {runs} trainings"
    yield Check("ok", what)


def places() -> Iterator[Check]:
    """The mirror and the cache."""
    try:
        mirror = sources.mirror_folder()
    except UserError as error:
        yield Check("problem", "MGSL_MIRROR is set to what is no folder", str(error))
    else:
        yield Check("ok", f"mirror: {mirror or 'none, MGSL_MIRROR is not set'}")
    cache = sources.cache_folder()
    sizes = [path.stat().st_size for path in cache.rglob("*") if path.is_file()]
    yield Check("ok", f"cache: {cache}, {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")


def published_files() -> Iterator[Check]:
    """What each dataset needs, and whether it is at hand; the network is not asked."""
    try:
        sources.mirror_folder()
    except UserError:
        return  # `places` has told
    for name in DATASETS:
        wanted = sources.catalogue(name)
        states = {source: sources.status(source) for source in wanted}
        counts = Counter(states.values())
        summary = ", ".join(f"{counts[state]} {state}" for state in _AT_HAND if counts[state])
        damaged = [state for state in states.values() if state not in _AT_HAND]
        missing = [str(source.place) for source, state in states.items() if state == "missing"]
        if not wanted:
            yield _embedded(name)
        elif damaged:
            yield Check(
                "problem",
                f"{name}: of {len(wanted)} files {len(damaged)} damaged",
                "\n".join(damaged),
            )
        elif missing:
            advice = [
                "`dvc repro` downloads them; without a network, set MGSL_MIRROR to a folder with:",
                *missing,
            ]
            yield Check("note", f"{name}: of {len(wanted)} files {summary}", "\n".join(advice))
        else:
            yield Check("ok", f"{name}: of {len(wanted)} files {summary}")


def features_by_hand() -> Iterator[Check]:
    """Features that a person must place; what they hold is checked by the stages."""
    for name, dataset in DATASETS.items():
        if dataset.archive is None:
            continue
        try:
            path = feature_files.locate(name, dataset.archive)
        except UserError as error:
            yield Check("note", f"{name}: no features", str(error))
        else:
            problem = feature_files.problem(path)
            yield Check("problem" if problem else "ok", f"{name}: features in {path}", problem)


def list_sources() -> bool:
    """Print every published file with where it is to be had; whether all of them are somewhere.

    A file that is neither cached nor mirrored is asked for on the network, until that fails once.
    """
    offline = ""
    counts = Counter[str]()
    for source in sources.catalogue():
        state = sources.status(source)
        if state == "missing" and not offline:
            try:
                state = "reachable" if sources.reachable(source) else "missing"
            except requests.RequestException:
                offline = ", the network cannot be reached"
        known = state if state in (*_AT_HAND, "reachable") else "damaged"
        counts[known] += 1
        size = "?" if source.size is None else f"{source.size:,}"
        print(f"{known:<9} {size:>11}  {source.place}  ({', '.join(source.datasets)})", flush=True)
        if known == "damaged":
            print(f"{'':<9}   {state}")
    print("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()) + offline)
    for finding in features_by_hand():
        print(f"{finding.state:<9} {finding.what}")
    return not counts["missing"] and not counts["damaged"]


CHECKS: tuple[Callable[[], Iterator[Check]], ...] = (
    python,
    packages,
    device,
    same_bytes,
    tools,
    committed_lock,
    disk,
    parameters,
    places,
    published_files,
    features_by_hand,
)


def _embedded(name: str) -> Check:
    if (paths.EMBEDDED / generate.FILE).is_file():
        return Check("ok", f"{name}: generated, in {paths.EMBEDDED}/")
    return Check("ok", f"{name}: generated, comes with the package; `dvc repro` imports it")


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _listing(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
