"""The whole report: every exhibit's notebook, as many at once as there are cores."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from pathlib import Path

from mgsl import paths
from mgsl.errors import UserError
from mgsl.processes import Workers, num_workers
from mgsl.reporting.site import contents, pages, query_pages, readme


def build(
    exhibits: Mapping[str, Sequence[str]],
    datasets: Sequence[str],
    say: Callable[[str], None] = print,
) -> None:
    """Run the notebook of every exhibit, remove what no exhibit owns, write the front page.

    Args:
        exhibits: names by section, in the order of the front page.
        datasets: what they show.
        say: tells the person who waits what is done.

    Raises:
        UserError: notebooks failed; the message names each, with its error. All others have run.
    """
    names = [name for section in exhibits.values() for name in section]
    for name in names:
        contents.outline(name)  # a misspelt name stops before any work
    failures = _run(exhibits, datasets, say)
    if failures:
        count = f"{len(failures)} of {len(names)} exhibits failed"
        raise UserError("\n".join([f"{count}:", *failures]))
    for path in stale(names):
        path.unlink()
        say(f"removed {path}: params.yaml lists no such exhibit")
    for dataset in datasets:
        query_pages.build(dataset, exhibits)
    write_front(exhibits, datasets, say)


def write_front(
    exhibits: Mapping[str, Sequence[str]],
    datasets: Sequence[str],
    say: Callable[[str], None] = print,
) -> None:
    """Write the front page of the reports, then the numbers of README.md.

    Args:
        exhibits: names by section, in the order of the front page; their pages must stand.
        datasets: what they show.
        say: tells the person who waits what is done.
    """
    pages.build_index(exhibits, datasets)
    readme.update(say)


def stale(exhibits: Sequence[str]) -> list[Path]:
    """Files of `paths.EXHIBITS` that belong to no exhibit: a name, a dot, anything."""
    files = sorted(path for path in paths.EXHIBITS.glob("*") if path.is_file())
    return [path for path in files if path.name.partition(".")[0] not in exhibits]


def _run(
    exhibits: Mapping[str, Sequence[str]], datasets: Sequence[str], say: Callable[[str], None]
) -> list[str]:
    """Run all notebooks; return the errors, in the order of the exhibits."""
    names = [name for section in exhibits.values() for name in section]
    with Workers(num_workers(len(names))) as pool:
        jobs = {pool.submit(_timed, name, list(datasets), exhibits): name for name in names}
        for done, job in enumerate(as_completed(jobs), start=1):
            say(f"[{done}/{len(jobs)}] {jobs[job]}  {_outcome(job)}")
        return [_message(jobs[job], job) for job in jobs if job.exception()]


def _timed(name: str, datasets: list[str], exhibits: Mapping[str, Sequence[str]]) -> float:
    """Run one notebook; the seconds it took."""
    from mgsl.reporting.site.notebooks import run_exhibit  # slow to import, for workers alone

    start = time.perf_counter()
    run_exhibit(name, datasets, exhibits)
    return time.perf_counter() - start


def _message(name: str, job: "Future[float]") -> str:
    """The error of a job; one that is no UserError does not name its notebook by itself."""
    error = job.exception()
    return str(error) if isinstance(error, UserError) else f"{name}: {error!r}"


def _outcome(job: "Future[float]") -> str:
    return "failed" if job.exception() else f"{job.result():.1f} s"
