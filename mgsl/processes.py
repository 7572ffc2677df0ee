"""Processes that end together, and that do not write the same files at once.

SIGTERM does what Ctrl-C does: `finally` blocks run, so nothing half-written is left. A process that
is killed runs none; what it has started sees that it is gone, and stops by itself.
"""

import fcntl
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NoReturn, ParamSpec, TypeVar

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import room_for

P = ParamSpec("P")
Result = TypeVar("Result")

INTERRUPTED = 130  # the exit code into which typer turns Ctrl-C, without a word
BY_DVC = "DVC_STAGE"  # which DVC sets for the command of a stage
_GRACE_S = 5  # how long a process that is stopped may tidy up
_LOOK_S = 0.5  # how often a stage looks whether DVC still runs


class Workers(ProcessPoolExecutor):
    """Processes that end with the block, however it ends, and with the process that began it.

    An error or Ctrl-C ends the block at once: what runs is stopped, what waits is not begun.
    """

    def __init__(self, count: int, begin: Callable[[], object] | None = None) -> None:
        """Start nothing yet.

        Args:
            count: how many, at least 1.
            begin: picklable; each process calls it before any work.
        """
        spawn = multiprocessing.get_context("spawn")  # the same on every system, safe with threads
        super().__init__(count, spawn, _begin, (begin,))

    def submit(
        self, work: Callable[P, Result], /, *arguments: P.args, **named: P.kwargs
    ) -> "Future[Result]":
        """Have a picklable function called by one of the processes."""
        return super().submit(_call, work, *arguments, **named)  # type: ignore[arg-type]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            for worker in multiprocessing.active_children():
                worker.terminate()
        self.shutdown(cancel_futures=True)


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def num_workers(jobs: int) -> int:
    """Processes that run at once: one a core, and no idle ones."""
    return max(1, min(jobs, cores()))


def heed_signals() -> None:
    """Have SIGTERM stop this process in order, and so does the end of DVC if that started it."""
    signal.signal(signal.SIGTERM, _stop)
    if BY_DVC in os.environ:
        _stop_after(_wait_for_end_of, os.getppid())


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Keep other processes from an output for the duration of the block.

    The lock is the operating system's, so that it ends with this process, however that ends. Of the
    processes that `torchrun` starts for one training, the first holds it for all.

    Args:
        output: a file or folder, relative to the repository's root; it need not exist.

    Raises:
        UserError: another process is at work on it, or there is no space left on the disk.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    path = paths.lock(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read().decode("ascii")
            raise UserError(
                f"process {pid} is at work on {output}: wait until it has ended, or stop it with "
                f"`kill {pid}`"
            ) from None
        file.truncate(0)
        with room_for(path):
            file.write(str(os.getpid()).encode("ascii"))
        try:
            yield
        finally:
            file.truncate(0)


def _begin(begin: Callable[[], object] | None) -> None:
    """Make a process of a pool ready: it stops when it is told to, or its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which stops us
    signal.signal(signal.SIGTERM, _stop)
    parent = multiprocessing.parent_process()
    assert parent is not None
    _stop_after(parent.join)
    if begin is not None:
        begin()


def _call(work: Callable[P, Result], *arguments: P.args, **named: P.kwargs) -> Result:
    try:
        return work(*arguments, **named)
    except SystemExit:  # the pool would take it for an error of this work, and begin the next
        os._exit(1)


def _stop(number: int, frame: object) -> NoReturn:
    """What SIGTERM does: leave through every `finally`; if that takes too long, without."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not break into these
    signal.alarm(_GRACE_S)
    sys.exit(INTERRUPTED)


def _stop_after(wait: Callable[..., object], *arguments: object) -> None:
    """Stop this process, as SIGTERM does, once a call returns; called by its main thread."""
    main = threading.get_ident()

    def watch() -> None:
        wait(*arguments)
        signal.pthread_kill(main, signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _wait_for_end_of(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
