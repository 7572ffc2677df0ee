"""Several trainings at once, where one alone would leave processors idle.

Each computes with one thread, since two threads sum in another order than one: what comes out does
not depend on how many processors there are.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import torch

from mgsl import numerics
from mgsl.errors import UserError

Job = TypeVar("Job")
Result = TypeVar("Result")

_LOOK_S = 1.0  # how often a process looks whether it is still wanted


def in_parallel(work: Callable[[Job], Result], jobs: Sequence[Job], device: str) -> list[Result]:
    """Call `work` for each job, as many at once as there are processors.

    Args:
        work: a picklable function.
        jobs: what it is called for.
        device: as of the command line; on CUDA one follows the other, and so they do where
            `torchrun` gives several processes to each training.

    Returns:
        What each call returned, in the order of the jobs.

    Raises:
        UserError: one of the calls raised it, or a process was killed.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    on_cuda = device != "cpu" and torch.cuda.is_available()
    alone = on_cuda or "WORLD_SIZE" in os.environ
    workers = 1 if alone else min(len(jobs), processors)
    if workers == 1:
        torch.set_num_threads(threads_each(processors, workers))
        return [work(job) for job in jobs]
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(threads_each(processors, workers), os.getpid()),
    ) as pool:
        try:
            return list(pool.map(work, jobs))
        except BrokenProcessPool:
            raise UserError(
                f"one of {len(jobs)} trainings was killed, perhaps for want of memory; "
                "run it again: those that are done, and each epoch that is, are kept"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def threads_each(processors: int, jobs: int) -> int:
    """Threads of each training: one, unless a machine's own numbers are asked for."""
    return max(1, processors // jobs) if numerics.native() else 1


def _begin(threads: int, parent: int) -> None:
    """Take so many threads, and leave when whoever asked for the work is gone."""
    torch.set_num_threads(threads)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)
