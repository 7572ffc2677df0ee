"""Signals to real processes: all that belongs together ends together, and no two write the same."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mgsl import paths, processes, stages, study_stages
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.processes import alone
from mgsl.tools import verify
from mgsl.training.checkpoint import load_state
from tests import ROOT
from tests.faults.test_inputs import call
from tests.reporting import report_workspace
from tests.reporting.site import test_build
from tests.test_pipeline import GROUP, few_videos

PATIENCE_S = 30  # of a busy machine; what must end would last longer by itself
LONG_S = 90
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
POOL = f"""
import os, time
from pathlib import Path
from mgsl.files import atomic_path
from mgsl.processes import Workers, heed_signals

def write_slowly(name):
    with atomic_path(Path(name)):
        os.write(1, str(os.getpid()).encode() + b"\\n")  # at once: two write to one pipe
        time.sleep({LONG_S})

if __name__ == "__main__":
    heed_signals()
    with Workers(2) as pool:
        for job in [pool.submit(write_slowly, name) for name in "abc"]:
            job.result()
"""
WAIT = f"""
import os, time
from pathlib import Path
from mgsl.processes import alone, heed_signals

heed_signals()
with alone(Path("artifacts/x")):
    print(os.getpid(), flush=True)
    time.sleep({LONG_S})
"""
COUNT = f"""
import time
from pathlib import Path
Path(output).parent.mkdir(parents=True, exist_ok=True)
for second in range({LONG_S} * 10):
    Path(f"{{output}}.csv").write_text(str(second))
    time.sleep(0.1)
"""
PIPELINE = f"import pathlib, time; time.sleep({PATIENCE_S}); pathlib.Path('ended').touch()"


def start(*command: str, **environment: str) -> "subprocess.Popen[str]":
    """A Python process in the working folder, but with the code of the repository."""
    return subprocess.Popen(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process: "subprocess.Popen[str]", *texts: str) -> None:
    """Read what a process says until each of these was part of a line."""
    assert process.stdout
    missing, said = set(texts), ""
    while missing:
        line = process.stdout.readline()
        assert line, f"{missing} not in {said}; {process.communicate()}"
        said += line
        missing -= {text for text in missing if text in line}


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that is done but not yet collected does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def all_end(started: list[psutil.Process]) -> bool:
    return wait_for(lambda: not any(alive(process) for process in started))


def below(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """All that a process has started, and what that has."""
    return psutil.Process(process.pid).children(recursive=True)


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a folder of its own, and nothing that a failed test has started stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(processes.BY_DVC, raising=False)
    before = set(psutil.Process().children())
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # which children inherit
    yield
    signal.signal(signal.SIGINT, handler)
    for child in set(psutil.Process().children()) - before:
        for process in [*child.children(recursive=True), child]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which trainings of a few videos would take many epochs."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        few_videos(folder / "data")
        told = read_yaml(ROOT / paths.PARAMS)
        told["settings"]["embedded"]["embedded"] |= {
            "epochs": 5000, "dim": 8, "video_slots": 80, "query_slots": 80
        }  # fmt: skip
        told["seeds"], told["methods"], told["ablations"] = [0], ["mgsl_net"], ["table_5"]
        told["groups"]["table_5"] = list(GROUP)
        write_json(paths.PARAMS, told)
        shutil.copytree(ROOT / paths.NOTEBOOKS, paths.NOTEBOOKS)
        stages.configure()
        stages.download(dataset="embedded")
        stages.prepare(dataset="embedded")
    return folder


@pytest.fixture
def road(prepared: Path, tmp_path: Path) -> None:
    """A copy of that workspace, as the working folder."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)


def test_there_are_no_more_processes_than_jobs_or_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
    assert [processes.num_workers(jobs) for jobs in (0, 1, 3, 25)] == [1, 1, 3, 4]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_pool_ends_with_its_parent_alone_and_leaves_nothing_half_written(
    number: signal.Signals, tmp_path: Path
) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    parent = start(str(script))
    assert parent.stdout
    at_work = {int(parent.stdout.readline()) for _ in range(2)}
    started = below(parent)
    assert at_work <= {process.pid for process in started}
    parent.send_signal(number)
    said, errors = parent.communicate()
    assert all_end(started)
    assert not said  # the third job is not begun
    assert list(tmp_path.iterdir()) == [script]
    assert parent.returncode == {signal.SIGTERM: processes.INTERRUPTED}.get(number, -number)
    assert errors.count("Traceback") == (number == signal.SIGINT)  # which the command line catches


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_report_that_is_killed_leaves_no_worker_and_no_kernel(
    number: signal.Signals, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    report_workspace.build(tmp_path, ["embedded"])
    told = read_yaml(paths.PARAMS)
    write_json(paths.PARAMS, told | {"exhibits": {"paper": ["one", "two"]}})
    for name in ("one", "two"):
        test_build.write(name, COUNT)
    temporary = tmp_path_factory.mktemp("t")  # the name of a socket must be short
    report = start("-m", "mgsl", "report", TMPDIR=str(temporary))
    written = [paths.EXHIBITS / "one.csv", paths.EXHIBITS / "two.csv"][: processes.num_workers(2)]
    assert wait_for(lambda: all(path.exists() for path in written)), report.communicate()
    started = below(report)
    assert sum("ipykernel_launcher" in process.cmdline() for process in started) == len(written)
    report.send_signal(number)
    _, errors = report.communicate()
    assert all_end(started)
    assert {path.name for path in paths.EXHIBITS.iterdir()} == {path.name for path in written}
    assert not list(temporary.iterdir())
    assert "Traceback" not in errors
    if number == signal.SIGTERM:
        assert report.returncode == processes.INTERRUPTED
        assert "interrupted: nothing half-written is left" in errors


@pytest.mark.usefixtures("road")
def test_ctrl_c_for_the_parent_alone_ends_trainings_and_keeps_their_epochs() -> None:
    names = ("mgsl_net", *GROUP)
    at_once = names[: processes.num_workers(len(names))]
    train = start("-m", "mgsl", "train", "--dataset", "embedded")
    read_until(train, *(f"{name}: epoch 1/" for name in at_once))
    started = below(train)
    train.send_signal(signal.SIGINT)
    _, errors = train.communicate()
    assert train.returncode == processes.INTERRUPTED
    assert "interrupted: nothing half-written is left" in errors
    assert "Traceback" not in errors
    assert all_end(started)
    states = [load_state(path) for path in paths.UNFINISHED.iterdir()]
    assert len(states) == len(at_once)  # test_states.py goes on from one
    assert all(state and state["progress"]["rows"] for state in states)


@pytest.mark.usefixtures("road")
def test_the_second_of_two_trainings_says_who_is_at_work_and_the_first_goes_on() -> None:
    train = ("-m", "mgsl", "train", "--dataset", "embedded", "--name", "mgsl_net")
    first = start(*train)
    read_until(first, "epoch 1/")
    second = call(*train[2:])
    assert second.returncode == 2
    assert not second.stdout
    output = paths.run("embedded", "mgsl_net", 0)
    assert second.stderr.splitlines()[-1] == (
        f"error: process {first.pid} is at work on {output}: wait until it has ended, or stop it "
        f"with `kill {first.pid}`"
    )
    state = next(paths.UNFINISHED.glob("*.pt"))  # the next one may be being written beside it
    before = state.read_bytes()
    assert wait_for(lambda: state.read_bytes() != before)
    assert first.poll() is None


@pytest.mark.usefixtures("road")
@pytest.mark.parametrize(
    ("output", "stage"),
    [
        (paths.raw("embedded"), lambda: stages.download(dataset="embedded")),
        (paths.prepared("embedded"), lambda: stages.prepare(dataset="embedded")),
        (paths.metrics("embedded"), lambda: stages.evaluate(dataset="embedded")),
        (paths.inspections("embedded"), lambda: stages.inspect(dataset="embedded", device="cpu")),
        (paths.EXHIBITS, lambda: stages.report(exhibit="table_1")),
        (paths.EXHIBITS, stages.report),
        (paths.STUDIES, lambda: study_stages.annotations()),
    ],
)
def test_every_stage_that_may_take_long_keeps_others_from_its_output(
    output: Path, stage: Callable[[], None]
) -> None:
    with alone(output), pytest.raises(UserError, match=f"{os.getpid()} is at work on {output}:"):
        stage()


def test_a_lock_ends_with_its_process_and_is_held_once_for_torchrun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = Path("artifacts/x")
    holder = start("-c", WAIT)
    read_until(holder, str(holder.pid))
    with pytest.raises(UserError, match=f"process {holder.pid} is at work"), alone(output):
        pass
    with alone(Path("artifacts/y")), monkeypatch.context() as patch:
        patch.setenv("RANK", "1")
        with alone(output):
            pass
    holder.kill()
    holder.wait()
    with alone(output):
        pass


def test_a_stage_ends_with_the_dvc_that_started_it_and_not_with_a_shell() -> None:
    def orphan(**environment: str) -> psutil.Process:
        code = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
        parent = start("-c", code, WAIT, **environment)
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        return child

    assert all_end([orphan(**{processes.BY_DVC: "train"})])
    of_nohup = orphan()
    time.sleep(2 * processes._LOOK_S)
    assert alive(of_nohup)
    of_nohup.terminate()
    assert all_end([of_nohup])


def test_an_interrupted_verify_ends_the_pipeline_in_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "DVC", [sys.executable, "-c", PIPELINE])
    interrupt = threading.Timer(1, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        verify.reproduce(tmp_path)
    assert not (tmp_path / "ended").exists()
