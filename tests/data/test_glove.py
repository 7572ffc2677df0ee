"""Which file of word vectors is read: a release by name, fetched, or one's own; and no other."""

import json
import zipfile
from pathlib import Path

import pytest

from mgsl.data import fetching, glove
from mgsl.data.preparing import prepare
from mgsl.data.releases import Release
from mgsl.errors import UserError
from mgsl.files import sha256
from tests.published import prepare_config, write_charades

RELEASES = {"6B": "glove.6B.zip", "42B": "glove.42B.300d.zip", "840B": "glove.840B.300d.zip"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_zip(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for dim in (2, 4):
            archive.writestr(f"glove.6B.{dim}d.txt", text.replace("VECTOR", dim * " 1"))


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_stands_in_the_cache_and_a_file_where_it_is(name: str, cache: Path) -> None:
    assert glove.place(name) == cache / "glove" / RELEASES[name]
    assert glove.place("own/vectors.txt") == Path("own/vectors.txt")


def test_a_release_is_fetched_recorded_and_read_from_its_zip(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def fetch(release: Release, path: Path) -> None:
        fetched.append((release.file, path))
        write_zip(path, "personVECTOR\ndoorVECTOR\n")

    monkeypatch.setattr(fetching, "fetch", fetch)
    raw, path = write_charades(tmp_path / "raw"), cache / "glove/glove.6B.zip"
    assert glove.is_awaited("6B")
    glove.bring("6B")
    assert not glove.is_awaited("6B")
    assert fetched == [("glove.6B.zip", path)]
    base = prepare_config()
    preparation = base.preparation.model_copy(update={"glove": "6B"})
    config = base.model_copy(update={"preparation": preparation})
    with pytest.raises(UserError, match=r"glove\.json is missing: run .*identify"):
        prepare(config, raw, tmp_path / "prepared")
    glove.record("6B", tmp_path / "placed")
    prepare(config, raw, tmp_path / "prepared", placed=tmp_path / "placed")
    summary = json.loads((tmp_path / "prepared/summary.json").read_text())
    assert {"file": "glove.6B.zip", "sha256": sha256(path)} in summary["sources"]
    assert 0 < summary["vector_coverage"]["words"] < 1


def test_another_file_of_the_same_size_at_the_same_place_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("person 1 2 3 4\n")
    glove.record(str(own), tmp_path)
    assert glove.check_recorded(str(own), tmp_path, "tacos_c3d").sha256 == sha256(own)
    own.write_text("person 1 2 3 5\n")
    with pytest.raises(UserError, match=r"own\.txt is not what the stage `identify` recorded"):
        glove.check_recorded(str(own), tmp_path, "tacos_c3d")
    glove.record(str(own), tmp_path)
    glove.check_recorded(str(own), tmp_path, "tacos_c3d")


def test_where_the_file_is_gone_what_was_recorded_stays(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    with pytest.raises(UserError, match=r"own\.txt is missing: place the file there"):
        glove.record(str(own), tmp_path)
    with pytest.raises(UserError, match=r"own\.txt is missing: place the file there"):
        glove.bring(str(own))
    own.write_text("person 1 2 3 4\n")
    glove.record(str(own), tmp_path)
    own.unlink()
    glove.record(str(own), tmp_path)
    with pytest.raises(UserError, match=r"own\.txt is missing: run .*identify"):
        glove.check_recorded(str(own), tmp_path, "tacos_c3d")
    glove.record(None, tmp_path)
    assert not (tmp_path / glove.RECORD).exists()
