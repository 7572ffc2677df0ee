"""Features come to their place: as a person put them there, or fetched by the name of a release."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from mgsl import paths, stages
from mgsl.data import datasets, feature_files, placing, releases
from mgsl.data.feature_files import read_stretched
from mgsl.data.placing import bring, release_of
from mgsl.errors import UserError
from mgsl.files import write_json
from tests import serving
from tests.data.test_unpacking import as_tar, as_zip
from tests.serving import Host

DATASET = "tacos_c3d"
FACTS = "page: https://example.org/page, terms: ask first, layout: one data set a video"


def hdf5(value: float) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["s1-d1"] = np.full((3, 2), value, dtype=np.float32)
    return buffer.getvalue()


def npy(value: float) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.full((3, 2), value, dtype=np.float32))
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MGSL_FEATURES", str(tmp_path / "features"))
    (tmp_path / "features").mkdir()
    return tmp_path / "features"


@pytest.fixture
def host(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Has all releases but `gone`; of `box` and `drive` only a person can fetch."""
    made = {"two": "", "zip": "zip", "tar": "tar", "both": "zip", "one": "", "gone": ""}
    in_tar = {"data/notes.txt": b"x", "data/i3d/s1-d1.npy": npy(4), "data/i3d/s2-d2.npy": npy(4)}
    in_zip = {"inner/sub.hdf5": hdf5(3), "readme.txt": b"x"}
    files = {
        "one": hdf5(1),
        "two": hdf5(2),
        "zip": as_zip(tmp_path / "made.zip", in_zip).read_bytes(),
        "tar": as_tar(tmp_path / "made.tar.gz", in_tar).read_bytes(),
        "both": as_zip(tmp_path / "made.zip", {"a.hdf5": b"", "b.hdf5": b""}).read_bytes(),
    }
    with serving.serving(**files) as running:
        lines = [f"{DATASET}:"]
        for name, unpack in made.items():
            content = files.get(name, b"none")
            facts = f"size: {len(content)}, sha256: {hashlib.sha256(content).hexdigest()}"
            facts += f", unpack: {unpack}" if unpack else ""
            lines.append(
                f"  {name}: {{title: release {name} of features, {FACTS}, file: {name}.file, "
                f"addresses: ['{running.root}/{name}'], {facts}}}"
            )
        digest = hashlib.md5(files["tar"]).hexdigest()
        lines += [
            f"  box: {{title: a folder in a box somewhere, {FACTS}}}",
            f"  drive: {{title: an archive on a drive, {FACTS}, file: d.tgz, unpack: tar, "
            f"md5: {digest}}}",
        ]
        (tmp_path / "releases.yaml").write_text("\n".join(lines))
        monkeypatch.setattr(releases, "CATALOGUE", tmp_path / "releases.yaml")
        releases.catalogue.cache_clear()
        yield running
    releases.catalogue.cache_clear()


def value(place: Path) -> float:
    """What stands in the features at a place."""
    (clips,) = read_stretched(place, ["s1-d1.avi"], num_clips=1, video_dim=2)
    return float(clips[0, 0])


def test_a_release_is_fetched_once_and_found_where_features_stand(host: Host, folder: Path) -> None:
    place = bring(DATASET, "hint", "one")
    assert place == folder / "tacos_c3d.hdf5" == feature_files.locate(DATASET, "")
    assert value(place) == 1
    assert release_of(DATASET, place) == "one"
    assert (folder / "releases/tacos_c3d/one/one.file").is_file()
    assert bring(DATASET, "hint", "one") == bring(DATASET, "hint", None) == place
    assert len(host.begins) == 1


def test_what_a_person_placed_is_left_alone(
    host: Host, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tacos_c3d.hdf5").write_bytes(hdf5(9))
    place = bring(DATASET, "hint", "one")
    assert value(place) == 9
    assert release_of(DATASET, place) is None
    assert "was placed by hand: release one is not fetched" in capsys.readouterr().out
    assert host.begins == []


def test_a_persons_own_link_is_left_alone(host: Host, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.hdf5").write_bytes(hdf5(9))
    (folder / "tacos_c3d.hdf5").symlink_to(tmp_path / "elsewhere.hdf5")
    assert value(bring(DATASET, "hint", "one")) == 9
    assert host.begins == []


def test_a_persons_link_that_leads_nowhere_is_named(host: Host, folder: Path) -> None:
    (folder / "tacos_c3d.hdf5").symlink_to("unplugged/disk.hdf5")
    with pytest.raises(UserError, match=r"is a link to unplugged/disk\.hdf5, which is not"):
        bring(DATASET, "hint", "one")
    assert host.begins == []


def test_another_release_takes_the_place_and_both_are_kept(host: Host, folder: Path) -> None:
    values = [value(bring(DATASET, "hint", name)) for name in ("one", "two", "tar", "one", "tar")]
    assert values == [1, 2, 4, 1, 4]
    assert [name for name, _ in host.begins] == ["/one", "/two", "/tar"]
    assert sorted(path.name for path in folder.iterdir()) == ["releases", "tacos_c3d"]


def test_a_release_whose_file_is_gone_is_fetched_again(host: Host, folder: Path) -> None:
    (bring(DATASET, "hint", "one")).resolve().unlink()
    assert value(bring(DATASET, "hint", "one")) == 1
    assert len(host.begins) == 2


@pytest.mark.parametrize(
    ("name", "place", "expected"), [("zip", "tacos_c3d.hdf5", 3), ("tar", "tacos_c3d", 4)]
)
def test_an_archive_is_unpacked_and_the_features_in_it_found(
    name: str, place: str, expected: float, host: Host, folder: Path
) -> None:
    assert bring(DATASET, "hint", name) == folder / place
    assert value(folder / place) == expected
    assert not list(folder.rglob("*.file"))  # of the archive nothing is left
    (folder / place).unlink()
    assert value(bring(DATASET, "hint", name)) == expected
    assert len(host.begins) == 1


def test_an_archive_that_a_person_placed_is_verified_unpacked_and_kept(
    host: Host, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        bring(DATASET, "hint", "drive")
    archive = folder / "releases/tacos_c3d/drive/d.tgz"
    assert f"place it as {archive}" in str(caught.value)
    archive.write_bytes(b"something else")
    with pytest.raises(UserError, match=r"not d\.tgz as published: it has MD5"):
        bring(DATASET, "hint", "drive")
    archive.write_bytes((tmp_path / "made.tar.gz").read_bytes())
    assert value(bring(DATASET, "hint", "drive")) == 4
    assert archive.exists()
    assert host.begins == []


def test_an_archive_with_two_files_of_features_is_refused(host: Host) -> None:
    with pytest.raises(UserError, match=r"one HDF5 file or one folder.*it has: a\.hdf5, b\.hdf5"):
        bring(DATASET, "hint", "both")


@pytest.mark.parametrize("name", ["gone", "box", "drive"])
def test_what_cannot_be_fetched_is_described_with_all_ways_out(
    name: str, host: Host, folder: Path
) -> None:
    with pytest.raises(UserError) as caught:
        bring(DATASET, "hint", name)
    for part in (
        "https://example.org/page",
        "ask first",
        str(folder / "tacos_c3d"),
        str(folder / "tacos_c3d.hdf5"),
        "python -m mgsl download --dataset tacos_c3d",
        "data.tacos_c3d.release",
        "one: release one of features",
        "MGSL_FEATURES",
    ):
        assert part in str(caught.value)
    if name == "gone":
        assert f"{host.root}/gone: 404" in str(caught.value)
    assert not (folder / "tacos_c3d.hdf5").is_symlink()


def test_without_a_release_nothing_is_fetched(host: Host, folder: Path) -> None:
    with pytest.raises(UserError, match="hint of what to place"):
        bring(DATASET, "hint of what to place", None)
    assert host.begins == []


def test_an_unknown_release_is_named(host: Host) -> None:
    with pytest.raises(UserError, match=r"no release 'on'; did you mean 'one'\?"):
        bring(DATASET, "hint", "on")


def test_the_stages_fetch_and_record_what_the_configuration_names(
    host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    published = replace(datasets.find(DATASET), download=lambda raw: None)
    monkeypatch.setitem(datasets.DATASETS, DATASET, published)
    with pytest.raises(UserError, match=r"download\.json is missing: .* configure"):
        stages.download(dataset=DATASET)
    for name, content in {"one": hdf5(1), "two": hdf5(2)}.items():
        write_json(
            paths.config(DATASET, "download"), {"dataset": DATASET, "release": name, "glove": None}
        )
        stages.download(dataset=DATASET)
        stages.identify(dataset=DATASET)
        record = json.loads((paths.placed(DATASET) / "features.json").read_text())
        assert record["sha256"] == hashlib.sha256(content).hexdigest()


def test_only_links_that_were_made_here_name_a_release(folder: Path, tmp_path: Path) -> None:
    for target in ("releases/other_c3d/one/file", "releases/tacos_c3d", "/releases/tacos_c3d/x/y"):
        link = tmp_path / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert release_of(DATASET, link) is None
    assert placing.release_of(DATASET, tmp_path / "nothing") is None


def test_what_lies_there_under_another_name_is_told_before_and_after_a_fetch(
    host: Host, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tall_c3d_features.hdf5").write_bytes(hdf5(9))
    rename = f"If it is the one: mv {folder / 'tall_c3d_features.hdf5'} {folder / DATASET}.hdf5"
    with pytest.raises(UserError) as caught:
        bring(DATASET, "hint", "gone")
    assert rename in str(caught.value)
    assert rename in capsys.readouterr().out


def test_a_file_in_place_of_the_folder_is_named(
    host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "tall.hdf5").write_bytes(hdf5(9))
    monkeypatch.setenv("MGSL_FEATURES", str(folder / "tall.hdf5"))
    with pytest.raises(UserError, match="a file: set it to the folder in which the file is"):
        bring(DATASET, "hint", "one")
