"""Several trainings at once, where one alone would leave processors idle.

Each computes with one thread, since two threads sum in another order than one: what comes out does
not depend on how many processors there are.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

import torch

from mgsl import numerics
from mgsl.errors import UserError
from mgsl.processes import Workers, cores, num_workers
from mgsl.training.allocator import keep_freed_memory

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_parallel(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    device: str,
    tell: Callable[[Job], object] = lambda job: None,
) -> list[Result]:
    """Call `work` for each job, as many at once as there are processors, in their order.

    Args:
        work: a picklable function.
        jobs: what it is called for.
        device: as of the command line; on CUDA one follows the other, and so they do where
            `torchrun` gives several processes to each training.
        tell: called with each job when it has ended.

    Returns:
        What each call returned, in the order of the jobs.

    Raises:
        UserError: one of the calls raised it, or a process was killed; the others are stopped.
    """
    on_cuda = device != "cpu" and torch.cuda.is_available()
    in_turn = on_cuda or "WORLD_SIZE" in os.environ
    at_once = 1 if in_turn else num_workers(len(jobs))
    threads = threads_each(cores(), at_once)
    if at_once == 1:
        _begin(threads)
        results = []
        for job in jobs:
            results.append(work(job))
            tell(job)
        return results
    with Workers(at_once, partial(_begin, threads)) as pool:
        running = {pool.submit(work, job): job for job in jobs}
        try:
            for future in as_completed(running):
                future.result()  # the first error ends all
                tell(running[future])
        except BrokenProcessPool:
            raise UserError(
                f"one of {len(jobs)} trainings was killed, perhaps for want of memory; "
                "run it again: those that are done, and each epoch that is, are kept"
            ) from None
    return [future.result() for future in running]


def _begin(threads: int) -> None:
    """Make a process ready to train."""
    torch.set_num_threads(threads)
    keep_freed_memory()


def threads_each(processors: int, jobs: int) -> int:
    """Threads of each training: one, unless a machine's own numbers are asked for."""
    return max(1, processors // jobs) if numerics.native() else 1
