"""Hostile files, names and terminals: one message says what is wrong, nothing is written.

Most commands run within this process, where torch is at hand; of each kind, one is a real one.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mgsl import cli, params, paths
from mgsl.data.preparing import prepare
from mgsl.files import write_json
from mgsl.models import MODELS, build
from mgsl.resolving import resolve
from mgsl.training.checkpoint import save_checkpoint
from tests import ROOT, tiny
from tests.faults.test_disks import files
from tests.published import prepare_config, write_charades

DATASET = "charades_actions"
SCORE = ("score", "--dataset", DATASET, "--predictions", "predictions.jsonl")
GROUND = ("ground", "--checkpoint", "ctrl.safetensors", "--features", "clips.npy", "--duration",
          "20", "--query", "A person opens the door.")  # fmt: skip
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a prepared dataset, configurations and a checkpoint."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(ROOT / paths.PARAMS, folder)
        told = prepare_config(num_clips=tiny.CLIPS)
        prepare(told, write_charades(folder / "raw"), paths.prepared(DATASET))
        configs = {name: kind.Config for name, kind in MODELS.items()}
        for name, part in resolve(params.load(paths.PARAMS), DATASET, configs).files().items():
            write_json(paths.config(DATASET, name), part.model_dump(mode="json"))
        config = tiny.run_config("ctrl")
        sizes = {"video_dim": told.video_dim, "word_dim": told.preparation.word_dim}
        config = config.model_copy(update={"dataset": DATASET, "model": config.model | sizes})
        torch.manual_seed(0)
        save_checkpoint(Path("ctrl.safetensors"), build(config), config)
        np.save("clips.npy", np.ones((30, told.video_dim), np.float32))
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(template, tmp_path / "project"))
    monkeypatch.chdir(folder)
    return folder


Done = subprocess.CompletedProcess[str]


def run(*arguments: str, **environment: str) -> Done:
    """A command in a process of its own."""
    told = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, "-m", "mgsl", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=told,
    )


def call(*arguments: str, encoding: str = "utf-8") -> Done:
    """A command in this process; `encoding` is what its terminal can show."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), code) for code in (encoding, "utf-8"))
    code, handler = 0, signal.getsignal(signal.SIGTERM)  # which the command line replaces
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mgsl", *arguments])
        patch.setattr(sys, "stdout", output)
        patch.setattr(sys, "stderr", errors)
        try:
            cli.main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        finally:
            signal.signal(signal.SIGTERM, handler)
    texts = []
    for stream in (output, errors):
        stream.seek(0)
        texts.append(stream.read())
    return Done(arguments, code, *texts)


def refused(done: Done, message: str) -> None:
    """The command stopped with one message, without a traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert message in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seeds: [0]\nseeds: [1]\n", "params.yaml, line 2, is not valid YAML: found duplicate"),
        (b"\x89PNG\r\n\x1a\n\xff", "params.yaml is not valid YAML"),
        (b"&a [*a]", "params.yaml is not usable: an alias"),
    ],
)
def test_a_hostile_params_file_is_refused(content: bytes, message: str, project: Path) -> None:
    paths.PARAMS.write_bytes(content)
    refused(call(*SCORE), message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"dataset": "charades_act', "evaluate.json is no JSON, or is cut off"),
        (bytes(range(256)), "evaluate.json is no JSON, or is cut off"),
        (b'{"names": ["../../../x"]}', "names.0: String should match pattern"),
    ],
)
def test_a_damaged_configuration_is_refused(content: bytes, message: str, project: Path) -> None:
    paths.config(DATASET, "evaluate").write_bytes(content)
    done = call("evaluate", "--dataset", DATASET)
    refused(done, message)
    assert "python -m mgsl configure" in done.stderr


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (paths.PARAMS, b"{a: " * 100_000, "params.yaml is not valid YAML: it is nested too deeply"),
        (Path("predictions.jsonl"), b"[" * 200_000, "predictions.jsonl is nested too deeply"),
    ],
    ids=["params", "predictions"],
)
def test_a_file_of_brackets_is_refused_by_the_real_command(
    file: Path, content: bytes, message: str, project: Path
) -> None:
    file.write_bytes(content)
    refused(run(*SCORE), message)


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--dataset", DATASET, "--name", "../charades_actions/ctrl", "--seed", "0"),
        ("train", "--dataset", f"../artifacts/{DATASET}", "--name", "ctrl", "--seed", "0"),
        ("train", "--dataset", DATASET, "--name", "../ctrl"),
        ("predict", "--dataset", DATASET, "--name", "../x", "--seed", "0", "--output", "y.jsonl"),
        ("download", "--dataset", "../x"),
        ("prepare", "--dataset", "../x"),
        ("evaluate", "--dataset", "../x"),
        ("inspect", "--dataset", "../x"),
        ("score", "--dataset", "../x", "--predictions", "clips.npy"),
        ("describe", "../x"),
        ("report", "--exhibit", "../x"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written(
    arguments: tuple[str, ...], project: Path
) -> None:
    before = files(project.parent)
    done = call(*arguments)
    refused(done, "is no name" if "no dataset" not in done.stderr else "no dataset '../x'")
    assert files(project.parent) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("download", "--dataset", "x"), "no dataset 'x'"),
        (("prepare", "--dataset", "x"), "no dataset 'x'; there is: embedded"),
        (("evaluate", "--dataset", "x"), "no dataset 'x'"),
        (("evaluate", "--dataset", DATASET), "prepared/summary.json is missing"),
        (("inspect", "--dataset", "x"), "no dataset 'x'"),
        (("inspect", "--dataset", DATASET), "prepared/summary.json is missing"),
        (("train", "--dataset", DATASET, "--name", "x", "--seed", "0"), "x.json is missing"),
        (("report", "--exhibit", "x"), "notebooks/x.ipynb is missing"),
    ],
    ids=lambda value: "-".join(value[::2]) if isinstance(value, tuple) else "",
)
def test_a_stage_that_lacks_what_it_needs_writes_nothing(
    arguments: tuple[str, ...], message: str, project: Path
) -> None:
    shutil.rmtree(paths.prepared(DATASET))
    before = files(project)
    refused(call(*arguments), message)
    assert files(project) == before


@pytest.mark.parametrize("arguments", [("describe", DATASET), GROUND, (*GROUND, "--json")])
def test_a_terminal_without_other_signs_gets_question_marks(
    arguments: tuple[str, ...], project: Path
) -> None:
    done = call(*arguments, encoding="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    if "--json" in arguments:
        assert json.loads(done.stdout)["query"] == GROUND[-1]
    else:
        assert "?" in done.stdout


def test_a_real_terminal_without_other_signs_gets_them_too(project: Path) -> None:
    done = run("describe", DATASET, **ASCII)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "?" in done.stdout
