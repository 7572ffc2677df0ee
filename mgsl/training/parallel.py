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

Job = TypeVar("Job")
Result = TypeVar("Result")


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
        UserError: one of the calls raised it, or a process was killed; the others are stopped.
    """
    on_cuda = device != "cpu" and torch.cuda.is_available()
    in_turn = on_cuda or "WORLD_SIZE" in os.environ
    at_once = 1 if in_turn else num_workers(len(jobs))
    threads = threads_each(cores(), at_once)
    if at_once == 1:
        torch.set_num_threads(threads)
        return [work(job) for job in jobs]
    with Workers(at_once, partial(torch.set_num_threads, threads)) as pool:
        running = [pool.submit(work, job) for job in jobs]
        try:
            for job in as_completed(running):
                job.result()  # the first error ends all
        except BrokenProcessPool:
            raise UserError(
                f"one of {len(jobs)} trainings was killed, perhaps for want of memory; "
                "run it again: those that are done, and each epoch that is, are kept"
            ) from None
    return [job.result() for job in running]


def threads_each(processors: int, jobs: int) -> int:
    """Threads of each training: one, unless a machine's own numbers are asked for."""
    return max(1, processors // jobs) if numerics.native() else 1
