"""Features placed by hand: found, checked, stretched, and every fault named before training."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.data import feature_files
from mgsl.data.feature_files import check_recorded, locate, read_stretched, record, stretch
from mgsl.errors import UserError

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


def read(path: Path, *videos: str, num_clips: int = 3, video_dim: int = 2) -> list[np.ndarray]:
    return list(read_stretched(path, videos, num_clips=num_clips, video_dim=video_dim))


@pytest.mark.parametrize("write", LAYOUTS)
def test_every_layout_gives_the_same_clips(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    second, first = read(write(tmp_path / "f"), "s1-d1.avi", "v_a")
    np.testing.assert_array_equal(first, [[1, 2], [5, 6], [9, 10]])  # means of two clips each
    np.testing.assert_array_equal(second, np.ones((3, 2)))


def test_a_long_video_is_averaged_and_a_short_one_repeats() -> None:
    clips = np.array([[0.0], [3.0], [9.0]], dtype=np.float32)
    np.testing.assert_array_equal(stretch(clips, 2), [[0], [6]])
    np.testing.assert_array_equal(stretch(clips, 3), clips)
    np.testing.assert_array_equal(stretch(clips, 6).ravel(), [0, 0, 3, 3, 9, 9])
    np.testing.assert_array_equal(stretch(clips, 1), [[4]])


@given(st.integers(1, 60), st.integers(1, 60))
def test_bins_hold_every_clip_in_order(published: int, num_clips: int) -> None:
    clips = np.arange(published, dtype=np.float32)[:, None]
    stretched = stretch(clips, num_clips)
    assert stretched.shape == (num_clips, 1)
    assert (np.diff(stretched.ravel()) >= 0).all()
    if published % num_clips == 0:
        assert stretched.mean() == pytest.approx(clips.mean())
    if num_clips % published == 0:
        np.testing.assert_array_equal(stretched, clips.repeat(num_clips // published, axis=0))


@pytest.mark.parametrize("write", LAYOUTS)
def test_missing_videos_are_named_before_any_is_read(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    path = write(tmp_path / "f")
    wanted = ["v_a", *(f"v_{i}" for i in range(9))]
    reading = read_stretched(path, wanted, num_clips=3, video_dim=2)
    with pytest.raises(
        UserError, match=r"lacks 9 of 10 videos: v_0, .*, v_4, \.\.\.; it has s1\S*, v_a"
    ):
        next(reading)


@pytest.mark.parametrize("write", LAYOUTS)
def test_another_width_is_named(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    with pytest.raises(UserError, match=r"video 'v_a' has features of shape .*2\), expected \[cl"):
        read(write(tmp_path / "f"), "v_a", video_dim=500)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[1.0, 2.0], [1.0, np.nan]]), "hold NaN or infinity, in clip 1"),
        (np.array([[1.0, np.inf]]), "hold NaN or infinity, in clip 0"),
        (np.array([[1, 2]]), "of type int64, expected floats"),
        (np.ones((0, 2)), "of shape"),
        (np.ones((4, 3, 2)), "of shape"),
        (np.ones(2), "of shape"),
    ],
)
def test_what_is_no_sequence_of_clips_is_named(
    tmp_path: Path, array: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "v_a.npy", array)
    with pytest.raises(UserError, match=rf"video 'v_a' has features.*{message}"):
        read(tmp_path, "v_a")


def test_a_truncated_hdf5_file_is_named(tmp_path: Path) -> None:
    path = as_groups(tmp_path / "f")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"f\.hdf5 is no whole HDF5 file .*truncated"):
        read(path, "v_a")


def test_a_truncated_array_is_named(tmp_path: Path) -> None:
    path = as_arrays(tmp_path / "f") / "v_a.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="video 'v_a' cannot be read"):
        read(path.parent, "v_a")


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "v_a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match="allow_pickle=False"):
        read(tmp_path, "v_a")


def test_a_group_of_several_unknown_datasets_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.hdf5", "w") as file:
        file["v_a/one"] = file["v_a/two"] = np.ones((1, 2))
    with pytest.raises(UserError, match=r"video 'v_a' cannot be read .*\['one', 'two'\]"):
        read(tmp_path / "f.hdf5", "v_a")


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
def test_an_archive_that_changes_after_the_download_is_noticed(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    path, raw = write(tmp_path / "f"), tmp_path / "raw"
    with pytest.raises(UserError, match=r"features\.json is missing"):
        check_recorded(path, raw, "tacos_c3d")
    record(path, raw)
    check_recorded(path, raw, "tacos_c3d")
    recorded = json.loads((raw / "features.json").read_text())
    assert set(recorded) == {"file", "files", "bytes", "sha256"}
    changed = path / "v_a.npy" if path.is_dir() else path
    changed.write_bytes(changed.read_bytes() + b"more")
    message = r"not what the stage .* recorded \(.*bytes \d+\), it has bytes \d+: run .*@tacos_c3d`"
    with pytest.raises(UserError, match=message):
        check_recorded(path, raw, "tacos_c3d")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no VIDEO\.npy"):
        record(tmp_path, tmp_path / "raw")
