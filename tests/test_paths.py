"""A notebook works in the repository's root, wherever it was opened."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mgsl import paths
from mgsl.errors import UserError


def test_the_root_is_entered_from_a_folder_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / paths.PARAMS).touch()
    below = tmp_path / paths.NOTEBOOKS
    below.mkdir()
    monkeypatch.chdir(below)
    paths.enter_root()
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize("name", ["../embedded/ctrl", "a/b", "..", "", "A", "a\n", "ctrl.json"])
@pytest.mark.parametrize(
    "path_of",
    [
        lambda name: paths.config("embedded", name),
        lambda name: paths.config(name, "ctrl"),
        paths.raw,
        paths.prepared,
        lambda name: paths.run("embedded", name, 0),
        paths.runs,
        paths.inspections,
        lambda name: paths.inspected("embedded", name, 0),
        lambda name: paths.traced("embedded", name),
        lambda name: paths.unfinished("embedded", name, 0, "0"),
        lambda name: paths.tried("embedded", name, 0, "0"),
        lambda name: paths.trial("embedded", name, 0, "0"),
        paths.metrics,
        paths.headline,
        paths.trainings,
        paths.notebook,
    ],
)
def test_what_is_no_name_leads_nowhere(path_of: Callable[[str], Path], name: str) -> None:
    with pytest.raises(UserError, match="is no name"):
        path_of(name)


def test_the_configurations_of_runs_have_a_folder_of_their_own() -> None:
    folder = Path("artifacts/configs/embedded")
    assert paths.config("embedded", "prepare") == folder / "prepare.json"
    assert paths.config("embedded", "ctrl") == folder / "runs/ctrl.json"


def test_a_command_in_a_folder_below_is_refused_with_the_way_to_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "my clone"
    (root / "notebooks").mkdir(parents=True)
    (root / paths.PARAMS).touch()
    monkeypatch.chdir(root)
    paths.refuse_other_folders()
    monkeypatch.chdir(root / "notebooks")
    with pytest.raises(UserError, match=rf"repository's root: `cd '{root}'`"):
        paths.refuse_other_folders()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="root, the folder that has it"):
        paths.refuse_other_folders()


def test_a_variable_may_name_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("MGSL_CACHE", "~/cache")
    monkeypatch.delenv("MGSL_MIRROR", raising=False)
    assert paths.named_by("MGSL_CACHE") == Path("/somewhere/cache")
    assert paths.named_by("MGSL_MIRROR") is None


def test_outside_the_repository_there_is_no_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is not inside the repository"):
        paths.enter_root()
