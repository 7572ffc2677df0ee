"""Hostile files, names and terminals: one message says what is wrong, nothing is written."""

import json
import os
import shutil
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


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The real command in a process of its own."""
    told = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, "-m", "mgsl", *arguments], capture_output=True, check=False, env=told
    )


def refused(done: subprocess.CompletedProcess[bytes], message: str) -> None:
    """The command stopped with one message, without a traceback."""
    errors = done.stderr.decode()
    assert done.returncode == 2, errors
    assert "Traceback" not in errors
    assert message in errors
    assert not done.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seeds: [0]\nseeds: [1]\n", "params.yaml, line 2, is not valid YAML: found duplicate"),
        (b"\x89PNG\r\n\x1a\n\xff", "params.yaml is not valid YAML"),
        (b"{a: " * 100_000, "params.yaml is not valid YAML: it is nested too deeply"),
        (b"&a [*a]", "params.yaml is not usable: an alias"),
    ],
)
def test_a_hostile_params_file_is_refused(content: bytes, message: str, project: Path) -> None:
    paths.PARAMS.write_bytes(content)
    refused(run(*SCORE), message)


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
    done = run("evaluate", "--dataset", DATASET)
    refused(done, message)
    assert b"python -m mgsl configure" in done.stderr


def test_a_prediction_file_of_brackets_is_refused(project: Path) -> None:
    Path("predictions.jsonl").write_bytes(b"[" * 200_000)
    refused(run(*SCORE), "predictions.jsonl is nested too deeply")


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
    arguments: tuple[str, ...],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = files(project.parent)
    monkeypatch.setattr(sys, "argv", ["mgsl", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert "is no name" in (told := capsys.readouterr().err) or "no dataset '../x'" in told
    assert files(project.parent) == before


@pytest.mark.parametrize("arguments", [("describe", DATASET), GROUND, (*GROUND, "--json")])
def test_a_terminal_without_other_signs_gets_question_marks(
    arguments: tuple[str, ...], project: Path
) -> None:
    done = run(*arguments, **ASCII)
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode("ascii")
    if "--json" in arguments:
        assert json.loads(text)["query"] == GROUND[-1]
    else:
        assert "?" in text
