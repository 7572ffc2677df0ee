from pathlib import Path

import pytest

from mgsl import params, paths
from mgsl.data import releases, sources
from mgsl.data.datasets import DATASETS, FeatureRequest, find
from mgsl.errors import UserError
from tests.published import prepare_config


def test_every_dataset_has_its_parameters() -> None:
    assert set(DATASETS) == set(params.load(paths.PARAMS).data)


def test_whatever_needs_features_of_others_names_a_release_of_them() -> None:
    data = params.load(paths.PARAMS).data
    named = {name: entry.release for name, entry in data.items() if entry.release}
    assert set(named) == {name for name, dataset in DATASETS.items() if dataset.archive}
    for name, release in named.items():
        assert releases.find(name, release).pieces


def test_every_source_belongs_to_a_dataset() -> None:
    named = {name for source in sources.catalogue() for name in source.datasets}
    assert named - {"reannotations"} == set(DATASETS) - {"embedded"}


def test_the_embedded_dataset_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"data/annotations\.jsonl is missing: run `dvc repro`"):
        find("embedded").download(Path("raw"))
    Path("data").mkdir()
    Path("data/annotations.jsonl").write_text("{}\n")
    find("embedded").download(Path("raw"))
    assert Path("raw/annotations.jsonl").read_text() == "{}\n"


def test_planted_features_need_their_parameters(tmp_path: Path) -> None:
    config = prepare_config("embedded", planted=None)
    with pytest.raises(UserError, match=r"data\.embedded\.planted is missing"):
        find("embedded").features_of(FeatureRequest(tmp_path, {}, config, [], {}))


@pytest.mark.mirror
def test_charades_is_fetched_from_the_mirror(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    DATASETS["charades_actions"].download(tmp_path / "raw")
    for source in sources.catalogue("charades_actions"):
        fetched = tmp_path / "raw" / source.place
        assert fetched.read_bytes() == (mirror / source.place).read_bytes()
