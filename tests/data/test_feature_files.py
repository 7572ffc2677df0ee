"""Features placed by hand: found, checked, stretched, and every fault named before training."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from mgsl import paths, stages
from mgsl.data import feature_files
from mgsl.data.feature_files import (
    Census,
    check_recorded,
    lacking,
    locate,
    read_stretched,
    record,
)
from mgsl.errors import UserError
from mgsl.files import write_json

VIDEOS = {"v_a": np.arange(12.0).reshape(6, 2), "s1-d1.avi": np.ones((3, 2))}


def as_datasets(path: Path) -> Path:
    with h5py.File(path.with_suffix(".hdf5"), "w") as file:
        for video, array in VIDEOS.items():
            file[video] = array
    return path.with_suffix(".hdf5")


def as_groups(path: Path) -> Path:
    with h5py.File(path.with_suffix(".hdf5"), "w") as file:
        for video, array in VIDEOS.items():
            file[f"{video}/c3d_features"] = array
        file["v_a/frames"] = [1, 2]
    return path.with_suffix(".hdf5")


def as_arrays(path: Path) -> Path:
    path.mkdir()
    for video, array in VIDEOS.items():
        np.save(path / f"{video.removesuffix('.avi')}.npy", array[:, None, None, :])
    return path


LAYOUTS = (as_datasets, as_groups, as_arrays)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))


def read(path: Path, *videos: str, num_clips: int = 3, video_dim: int = 2) -> list[np.ndarray]:
    return list(read_stretched(path, videos, num_clips=num_clips, video_dim=video_dim))


@pytest.mark.parametrize("write", LAYOUTS)
def test_every_layout_gives_the_same_clips(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    second, first = read(write(tmp_path / "f"), "s1-d1.avi", "v_a")
    np.testing.assert_array_equal(first, [[1, 2], [5, 6], [9, 10]])  # means of two clips each
    np.testing.assert_array_equal(second, np.ones((3, 2)))


@pytest.mark.parametrize("write", LAYOUTS)
def test_missing_videos_are_named_before_any_is_read(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    path = write(tmp_path / "f")
    wanted = ["v_a", *(f"v_{i}" for i in range(9))]
    reading = read_stretched(path, wanted, num_clips=3, video_dim=2)
    with pytest.raises(
        UserError,
        match=r"lacks 9 of 10 videos: v_0, .*, v_4, \.\.\.; it has s1\S*, v_a.*missing: drop",
    ):
        next(reading)


@pytest.mark.parametrize("write", LAYOUTS)
def test_another_width_is_named(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    with pytest.raises(
        UserError, match=r"video 'v_a' has features of shape .*2\), expected \[clips, 500\]: place"
    ):
        read(write(tmp_path / "f"), "v_a", video_dim=500)


def test_an_array_that_cannot_be_used_is_named_with_its_video(tmp_path: Path) -> None:
    np.save(tmp_path / "v_a.npy", np.array([[1.0, np.nan]]))
    with pytest.raises(UserError, match=r"video 'v_a' has features that hold NaN.*in clip 0"):
        read(tmp_path, "v_a")


def test_a_truncated_array_is_named(tmp_path: Path) -> None:
    path = as_arrays(tmp_path / "f") / "v_a.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"v_a\.npy cannot be read, it is cut off or damaged"):
        read(path.parent, "v_a")


def test_parts_are_read_side_by_side_in_the_order_of_the_parameters(tmp_path: Path) -> None:
    for name, value in (("slowfast", 1.0), ("clip", 2.0)):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "v_a.npz", features=np.full((4 + int(value), 1), value))
    reading = read_stretched(
        tmp_path, ["v_a"], num_clips=2, video_dim=2, parts=("clip", "slowfast")
    )
    np.testing.assert_array_equal(next(reading), [[2, 1], [2, 1]])


def test_what_is_read_is_counted(tmp_path: Path) -> None:
    census = Census()
    np.save(tmp_path / "v_a.npy", np.ones((5, 2), np.int16))
    np.save(tmp_path / "v_b.npy", np.ones((3, 2)))
    np.save(tmp_path / "v_c.npy", np.ones((9, 2)))
    list(read_stretched(tmp_path, ["v_a", "v_b"], num_clips=2, video_dim=2, census=census))
    assert census == Census(videos=3, rows=8, casts=Counter(int16=1))


def test_what_an_archive_lacks_can_be_asked_for(tmp_path: Path) -> None:
    path = as_datasets(tmp_path / "f")
    assert lacking(path, ["v_a", "v_b", "s1-d1.avi"]) == ["v_b"]
    with pytest.raises(UserError, match="lacks 1 of 1 videos: v_b"):
        lacking(path, ["v_b"])


def test_an_archive_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = as_arrays(tmp_path / "f")
    reading = read_stretched(path, ["v_a", "s1-d1.avi"], num_clips=3, video_dim=2)
    next(reading)
    np.save(path / "s1-d1.npy", np.zeros((3, 2)))
    with pytest.raises(UserError, match="changed while it was read"):
        list(reading)


def test_features_that_are_not_there_are_asked_for_with_place_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MGSL_FEATURES", raising=False)
    assert feature_files.folder() == tmp_path / "cache/features"
    monkeypatch.setenv("MGSL_FEATURES", str(tmp_path))
    with pytest.raises(UserError) as caught:
        locate("tacos_c3d", "C3D of TACoS")
    for part in (
        "C3D of TACoS",
        str(tmp_path / "tacos_c3d.hdf5"),
        str(tmp_path / "tacos_c3d") + "/",
        "python -m mgsl download --dataset tacos_c3d",
    ):
        assert part in str(caught.value)
    as_arrays(tmp_path / "tacos_c3d")
    assert locate("tacos_c3d", "") == tmp_path / "tacos_c3d"
    as_datasets(tmp_path / "tacos_c3d")
    assert locate("tacos_c3d", "") == tmp_path / "tacos_c3d.hdf5"


@pytest.mark.parametrize("write", LAYOUTS)
def test_an_archive_that_changes_after_it_was_recorded_is_noticed(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    path, place = write(tmp_path / "f"), tmp_path / "placed"
    with pytest.raises(UserError, match=r"features\.json is missing"):
        check_recorded(path, place, "tacos_c3d")
    record(path, place)
    check_recorded(path, place, "tacos_c3d")
    document = json.loads((place / "features.json").read_text())
    assert set(document) == {"file", "files", "bytes", "sha256", "md5"}
    changed = path / "v_a.npy" if path.is_dir() else path
    content = changed.read_bytes()
    times = (changed.stat().st_atime_ns, changed.stat().st_mtime_ns)
    changed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # of the same size
    os.utime(changed, ns=times)
    message = r"not what the stage `identify` recorded \(.*sha256 \w+\), it has .*identify --data"
    with pytest.raises(UserError, match=message):
        check_recorded(path, place, "tacos_c3d")
    changed.write_bytes(content)
    check_recorded(path, place, "tacos_c3d")


def test_the_same_content_at_another_place_is_the_one_recorded(tmp_path: Path) -> None:
    path = as_datasets(tmp_path / "f")
    record(path, tmp_path / "placed")
    (tmp_path / "elsewhere").mkdir()
    moved = path.rename(tmp_path / "elsewhere/g.h5")
    check_recorded(moved, tmp_path / "placed", "tacos_c3d")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no VIDEO\.npy"):
        record(tmp_path, tmp_path / "raw")


def configure(dataset: str) -> None:
    document = {"dataset": dataset, "release": None, "glove": None}
    write_json(paths.config(dataset, "download"), document)


def test_the_stage_records_what_stands_there_and_keeps_it_where_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MGSL_FEATURES", str(tmp_path / "features"))
    configure("tacos_c3d")
    place = paths.placed("tacos_c3d") / "features.json"
    with pytest.raises(UserError, match="the features of tacos_c3d are not at hand"):
        stages.identify(dataset="tacos_c3d")
    (tmp_path / "features").mkdir()
    path = as_datasets(tmp_path / "features/tacos_c3d")
    stages.identify(dataset="tacos_c3d")
    first = place.read_text()
    stages.identify(dataset="tacos_c3d", anew=True)
    assert place.read_text() == first
    with h5py.File(path, "a") as file:
        file["v_a"][0, 0] = 7
    stages.identify(dataset="tacos_c3d")
    second = place.read_text()
    assert second != first
    path.unlink()
    stages.identify(dataset="tacos_c3d")
    assert place.read_text() == second
    assert "are gone; those recorded before count" in capsys.readouterr().out


def test_the_stage_records_nothing_where_no_features_are_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configure("embedded")
    stages.identify(dataset="embedded")
    assert json.loads((paths.placed("embedded") / "features.json").read_text()) == {}
