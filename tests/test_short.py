"""What `.ci/run` runs in place of the whole pipeline: every stage and method, few epochs."""

import subprocess
from pathlib import Path

import pandas as pd

from mgsl import params, paths
from mgsl.documents import read_yaml
from mgsl.files import write_json, write_text
from mgsl.models import MODELS
from mgsl.parsing import parse
from mgsl.resolving import resolve
from mgsl.tools import lock
from tests import canaries, short


def test_the_short_pipeline_trains_all_that_the_long_one_does_in_few_epochs() -> None:
    document = short.shorten(read_yaml(paths.PARAMS))
    few = parse(params.Params, document, where="short")
    whole = params.load(paths.PARAMS)
    assert few.names() == whole.names()
    assert few.exhibits == whole.exhibits
    assert len(few.seeds) == 1
    parts = resolve(few, "embedded", {name: kind.Config for name, kind in MODELS.items()})
    assert set(parts.runs) == set(whole.names())
    assert max(run.epochs or 0 for run in parts.runs.values()) == short.EPOCHS


def test_canaries_are_methods_whose_numbers_are_committed() -> None:
    trainings = pd.read_csv(paths.trainings(canaries.DATASET))
    assert set(canaries.METHODS) <= set(trainings["name"])
    assert set(trainings["trainings"]) == {len(params.load(paths.PARAMS).seeds)}


def test_a_number_of_a_canary_that_is_not_the_committed_one_is_named(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for root, mean in ((here, "0.5"), (there, "0.6")):
        write_json(root / lock.LOCK, {"stages": {}})
        write_text(root / paths.trainings("embedded"), f"name,mean\nctrl,{mean}\n")
    assert canaries.differences(here, here) == []
    assert canaries.differences(here, there) == ["ctrl,0.6"]


def test_one_step_of_ci_that_fails_fails_it_and_the_rest_runs(tmp_path: Path) -> None:
    lines = Path(".ci/run").read_text().splitlines()
    steps = lines[lines.index("failed=()") :]
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "make $1"\n[ "$1" != "$FAILS" ]\n')
    make.chmod(0o755)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to("/bin/echo")
    for fails in ("", "lint", "test"):
        variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "FAILS": fails}
        script = "set -euo pipefail\n" + "\n".join(steps)
        done = subprocess.run(
            ["bash", "-c", script],
            env=variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.split("\n")[:4] == [
            "make lint", "-m tests.short", "-m tests.canaries", "make test"
        ]  # fmt: skip
        assert done.returncode == bool(fails)
        assert done.stderr == (f"failed: make {fails}\n" if fails else "")
