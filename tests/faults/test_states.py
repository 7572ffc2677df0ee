"""A training that is killed goes on where it was, or starts anew; no other state becomes its own.

What nothing interrupts is trained within this process, where torch is at hand.
Real processes, real signals, real disks: `python -m mgsl train` on a small prepared dataset.
"""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mgsl import params, paths
from mgsl.files import write_json
from mgsl.models import MODELS
from mgsl.resolving import resolve
from tests import ROOT, tiny
from tests.faults.test_inputs import call, refused

EPOCHS = 20  # so many that it is killed before the last
NAME = "ctrl"
COMMAND = ("train", "--dataset", "embedded", "--name", NAME, "--seed", "0", "--device", "cpu")
FEATURES = Path("artifacts/embedded/prepared/features.npy")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a prepared dataset, its configuration and the code."""
    folder = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(ROOT / paths.PARAMS, folder)
        shutil.copytree(ROOT / "mgsl", folder / "mgsl")
        kinds = {name: kind.Config for name, kind in MODELS.items()}
        told = resolve(params.load(paths.PARAMS), "embedded", kinds).evaluate
        write_json(paths.config("embedded", "evaluate"), told.model_dump(mode="json"))
        run = tiny.run_config(NAME, epochs=EPOCHS)
        write_json(paths.config("embedded", NAME), run.model_dump(mode="json"))
        tiny.prepare(paths.prepared("embedded"))
    return folder


@pytest.fixture(scope="module")
def killed_original(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it in which a training was killed after an epoch."""
    folder = shutil.copytree(original, tmp_path_factory.mktemp("killed") / "workspace")
    kill_after_an_epoch(folder)
    return folder


@pytest.fixture
def workspace(original: Path, tmp_path: Path) -> Path:
    """A copy in which nothing is trained."""
    return shutil.copytree(original, tmp_path / "workspace")


@pytest.fixture
def killed(killed_original: Path, tmp_path: Path) -> Path:
    """A copy in which a training was killed."""
    return shutil.copytree(killed_original, tmp_path / "killed")


@pytest.fixture(scope="module")
def whole(original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a training leaves that nothing interrupts."""
    folder = shutil.copytree(original, tmp_path_factory.mktemp("whole") / "workspace")
    return train_here(folder)


def start(folder: Path, limit: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """A training in a workspace, with the code there."""
    return subprocess.Popen(
        [sys.executable, "-m", "mgsl", *COMMAND],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=limit,
    )


def train(folder: Path, limit: Callable[[], None] | None = None, *, code: int = 0) -> str:
    """Train to the end; what was printed."""
    with start(folder, limit) as process:
        printed, _ = process.communicate()
    assert process.returncode == code, printed
    assert "Traceback" not in printed
    return printed


def train_here(folder: Path) -> dict[str, bytes]:
    """Train in this process, with the code of the repository; what that leaves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = call(*COMMAND)
    assert done.returncode == 0, done.stderr
    assert f"epoch {EPOCHS}/{EPOCHS}" in done.stdout
    return results(folder)


def kill_after_an_epoch(folder: Path) -> None:
    with start(folder) as process:
        assert process.stdout
        line = next(line for line in process.stdout if "epoch 1/" in line)
        process.kill()
    assert "loss" in line
    assert len(list((folder / paths.UNFINISHED).glob("*.pt"))) == 1
    assert not (folder / paths.run("embedded", NAME, 0)).exists()


def results(folder: Path) -> dict[str, bytes]:
    """What a training left, by the names of the files; no state, and nothing half-written."""
    assert not list((folder / paths.UNFINISHED).iterdir())
    runs = folder / paths.run("embedded", NAME, 0)
    files = {path.name: path.read_bytes() for path in runs.iterdir()}
    names = {"checkpoint.safetensors", "curve.csv", "predictions.jsonl", "receipt.json"}
    assert files.keys() == names
    return files


def change_features(folder: Path) -> None:
    features = np.load(folder / FEATURES)
    np.save(folder / FEATURES, features[:, ::-1])


def test_a_killed_training_goes_on_to_the_bytes_of_one_that_was_not(
    killed: Path, whole: dict[str, bytes]
) -> None:
    printed = train(killed)
    assert "resuming after epoch" in printed
    assert "starting anew" not in printed
    assert results(killed) == whole


def test_a_killed_training_starts_anew_with_other_features(
    killed: Path, workspace: Path, whole: dict[str, bytes]
) -> None:
    change_features(workspace)
    anew = train_here(workspace)
    change_features(killed)
    printed = train(killed)
    assert printed.startswith(
        f"{NAME}, seed 0: an unfinished training belongs to other data, other code or "
        "another configuration; starting anew\n"
    )
    assert "resuming" not in printed
    assert results(killed) == anew
    assert results(killed)["checkpoint.safetensors"] != whole["checkpoint.safetensors"]


@pytest.mark.parametrize(
    ("module", "resumes"),
    [("training/loop.py", False), ("models/drn.py", True)],
    ids=["its code", "code of another method"],
)
def test_a_killed_training_starts_anew_with_other_code_of_its_own(
    module: str, resumes: bool, killed: Path, whole: dict[str, bytes]
) -> None:
    with (killed / "mgsl" / module).open("a") as file:
        file.write("# edited\n")
    printed = train(killed)
    assert ("resuming after epoch" in printed) == resumes
    assert ("other code or another configuration; starting anew" in printed) != resumes
    after, before = results(killed), dict(whole)
    assert (after.pop("receipt.json") == before.pop("receipt.json")) == resumes
    assert after == before


def test_a_state_that_cannot_be_written_is_told_and_the_training_can_be_repeated(
    workspace: Path, whole: dict[str, bytes]
) -> None:
    def few_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    printed = train(workspace, few_bytes, code=2)
    assert "error: " in printed
    assert "cannot be written" in printed
    assert "epoch 1/" not in printed  # it is not told before it is saved
    assert not list((workspace / paths.UNFINISHED).iterdir())
    assert train_here(workspace) == whole


@pytest.fixture
def small_disk(workspace: Path) -> Iterator[Path]:
    """A file system of 64 kB in the place of the states."""
    place = workspace / paths.UNFINISHED
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_and_nothing_half_written_is_left(
    workspace: Path, small_disk: Path
) -> None:
    (small_disk / "of a person").write_bytes(bytes(60_000))
    printed = train(workspace, code=2)
    assert "no space left on the disk while writing artifacts/unfinished/" in printed
    assert [path.name for path in small_disk.iterdir()] == ["of a person"]


def test_queries_cut_at_the_end_of_a_line_are_not_trained_on(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    path = paths.prepared("embedded") / "queries.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))
    done = call(*COMMAND)
    refused(done, "queries.jsonl is not what `prepare` wrote")
    assert "`dvc repro prepare@embedded`" in done.stderr
    assert not paths.run("embedded", NAME, 0).exists()
