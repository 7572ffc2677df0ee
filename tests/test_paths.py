"""A notebook works in the repository's root, wherever it was opened."""

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


def test_outside_the_repository_there_is_no_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is not inside the repository"):
        paths.enter_root()
