"""The environment is told without a folder or a machine, and the same way each time."""

import importlib.metadata
import platform
import shutil
from pathlib import Path

import pytest

from mgsl import numerics
from mgsl.reporting.exhibits import environment
from mgsl.tools import promise
from tests.reporting import report_workspace


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"])
    shutil.copy(report_workspace.ROOT / promise.REQUIREMENTS, promise.REQUIREMENTS)


def test_versions_and_parameters_are_told_twice_the_same() -> None:
    rows = environment.build(["embedded"]).rows
    assert rows == environment.build(["embedded"]).rows
    values = {(part, name): value for part, name, value in rows}
    assert values["Packages", "numpy"].startswith(importlib.metadata.version("numpy"))
    assert "Packages" in {part for part, *_ in rows}
    assert ("Packages", "pytest") not in values
    assert "model.dim 64" in values["Parameters of embedded", "mgsl_net"]
    assert "iou 0.3, 0.5, 0.7" in values["Parameters of embedded", "evaluation"]


def test_numerics_are_told_with_what_is_set_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows_of_numerics() -> dict[str, str]:
        rows = environment.build(["embedded"]).rows
        return {name: value for part, name, value in rows if part == "Numerics"}

    assert numerics.REASONS.keys() == numerics.ENVIRONMENT.keys()
    before = rows_of_numerics()
    assert before["Runs of embedded"] == before["This report"] == numerics.PROMISE
    for name, value in numerics.ENVIRONMENT.items():
        assert before[name].startswith(f"set to {value}: ")
    monkeypatch.setenv(numerics.SWITCH, numerics.NATIVE)
    numerics.current.cache_clear()
    try:
        assert "MGSL_NUMERICS=native" in rows_of_numerics()["This report"]
        assert "MKL_CBWR" not in rows_of_numerics()
    finally:
        numerics.current.cache_clear()


def test_no_folder_and_no_host_is_named(tmp_path: Path) -> None:
    text = "\n".join(" ".join(row) for row in environment.build(["embedded"]).rows)
    for secret in (str(tmp_path), str(Path.home()), platform.node()):
        assert secret not in text


def test_another_version_than_the_locked_one_is_told() -> None:
    promise.REQUIREMENTS.write_text("numpy==0.0.1\n")
    assert dict(environment.packages())["numpy"].endswith("(locked: 0.0.1)")


def test_nested_parameters_are_flattened() -> None:
    value = {"a": {"b": [1, 2], "c": None}, "d": True}
    assert dict(environment.flatten(value)) == {"a.b": "1, 2", "a.c": "none", "d": "True"}
