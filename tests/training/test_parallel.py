"""Several trainings at once: results in order, errors told, a killed one told."""

import os
import signal

import pytest

from mgsl import numerics
from mgsl.errors import UserError
from mgsl.training.parallel import in_parallel, threads_each


def shout(name: str) -> str:
    return name.upper()


def fail(name: str) -> str:
    raise UserError(f"{name} cannot be trained")


def die(name: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return name


def test_results_come_in_the_order_of_the_names() -> None:
    assert in_parallel(shout, ["a", "b", "c"], "cpu") == ["A", "B", "C"]


@pytest.mark.parametrize("processors", [1, 2])
def test_the_end_of_each_is_told(processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(processors))
    ended: list[str] = []
    in_parallel(shout, ["a", "b", "c"], "cpu", ended.append)
    assert sorted(ended) == ["a", "b", "c"]


def threads(name: str) -> int:
    import torch

    return torch.get_num_threads()


def test_each_computes_with_one_thread_however_many_processors_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4))
    assert in_parallel(threads, ["a", "b"], "cpu") == [1, 1]
    assert threads_each(32, 3) == 1
    monkeypatch.setenv(numerics.SWITCH, numerics.NATIVE)
    assert (threads_each(32, 3), threads_each(2, 3)) == (10, 1)


def test_an_error_is_told_as_it_was_raised() -> None:
    with pytest.raises(UserError, match="cannot be trained"):
        in_parallel(fail, ["a", "b"], "cpu")


def test_a_killed_process_is_told_and_says_how_to_go_on() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor: nothing runs in a process of its own")
    with pytest.raises(UserError, match=r"was killed[\s\S]*run it again"):
        in_parallel(die, ["a", "b"], "cpu")
