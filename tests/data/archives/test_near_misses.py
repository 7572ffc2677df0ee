"""Whoever has the features under another name is told so, with the command that mends it."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from mgsl.data import feature_files
from mgsl.data.feature_files import locate
from mgsl.errors import UserError


def message(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MGSL_FEATURES", str(folder))
    with pytest.raises(UserError) as caught:
        locate("tacos_c3d", "C3D of TACoS")
    return str(caught.value)


@pytest.mark.parametrize("name", ["tall_c3d_features.hdf5", "TACOS_C3D.HDF5", "tacos-c3d.h5"])
def test_an_hdf5_file_of_another_name_is_named_with_the_way_to_rename_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with h5py.File(tmp_path / name, "w"):
        pass
    told = message(tmp_path, monkeypatch)
    assert f"{name}, an HDF5 file. If it is the one: mv {tmp_path / name} {tmp_path}" in told
    assert f"{tmp_path / 'tacos_c3d.hdf5'}\n" in told


def test_everything_else_that_lies_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tacos").mkdir()
    (tmp_path / "tacos_c3d.hdf5_aa").write_bytes(b"x")
    (tmp_path / "tacos.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "tacos_c3d.html").write_text("<html>")
    (tmp_path / "tacos_c3d").symlink_to("nowhere")
    (tmp_path / "charades_i3d.hdf5").write_bytes(b"of another dataset")
    told = message(tmp_path, monkeypatch)
    assert (
        f"tacos/, a folder. If it is the one: mv {tmp_path / 'tacos'} {tmp_path}/tacos_c3d" in told
    )
    assert "tacos_c3d.hdf5_aa, a piece of a file: join all pieces" in told
    folder = tmp_path / "tacos_c3d"
    assert (
        f"tacos.zip, a zip archive that is not unpacked: unpack it into the folder {folder}/"
        in told
    )
    assert "tacos_c3d.html, a web page" in told
    assert "tacos_c3d, a link to nothing" in told
    assert "charades_i3d" not in told


def test_an_empty_file_is_called_empty_and_can_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tall_c3d_features.hdf5").touch()
    told = message(tmp_path, monkeypatch)
    assert "tall_c3d_features.hdf5, by its content empty: fetch it again" in told
    assert f"mv {tmp_path / 'tall_c3d_features.hdf5'} {tmp_path / 'tacos_c3d.hdf5'}" in told


def test_a_file_of_arrays_is_sent_into_the_folder_and_others_are_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "tacos_c3d.npz", **{"s1-d1": np.ones((1, 2))})
    np.save(tmp_path / "tacos_c3d.npy", np.ones((1, 2)))
    told = message(tmp_path, monkeypatch)
    place = tmp_path / "tacos_c3d"
    assert f"If it has all videos: mkdir -p {place} && mv {place}.npz {place}/" in told
    assert "tacos_c3d.npy, which is neither an HDF5 file nor in a folder of its own. If " in told
    (tmp_path / "tacos_c3d.npy").write_text("<html>")
    assert "tacos_c3d.npy, a web page saved in place of" in message(tmp_path, monkeypatch)


def test_the_folder_of_the_features_itself_is_told_from_the_one_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tacos_c3d"
    folder.mkdir()
    np.save(folder / "s1-d1.npy", np.ones((1, 2)))
    assert f"set MGSL_FEATURES to {tmp_path}, in which it stands" in message(folder, monkeypatch)


def test_arrays_one_level_too_high_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        np.save(tmp_path / f"s1-d{number}.npy", np.ones((1, 2)))
    assert "holds 3 arrays itself, such as s1-d0.npy. If they" in message(tmp_path, monkeypatch)


def test_a_folder_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MGSL_FEATURES is" in message(tmp_path / "nowhere", monkeypatch)
    file = tmp_path / "tall.hdf5"
    file.write_bytes(b"x")
    assert f"MGSL_FEATURES is {file}, a file: set it to the folder" in message(file, monkeypatch)


def test_nothing_is_said_of_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "holds" not in message(tmp_path, monkeypatch)


def test_the_other_ending_of_hdf5_is_as_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSL_FEATURES", str(tmp_path))
    (tmp_path / "tacos_c3d.h5").touch()
    assert locate("tacos_c3d", "") == tmp_path / "tacos_c3d.h5"
    with pytest.raises(UserError, match=r"tacos_c3d\.h5 is empty: fetch it again"):
        feature_files.record(tmp_path / "tacos_c3d.h5", tmp_path / "placed")
