"""Files and folders that cannot be opened: what they are, and what makes features of them."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from mgsl.data.archives.containers import StoredArray, open_archive
from mgsl.errors import UserError


def opened(path: Path) -> None:
    with open_archive(path):
        pass


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "f.hdf5", "w") as file:
        file["v_a/c3d_features"] = np.ones((3, 2))
        file["v_a/frames"] = [1, 2]
        file["v_b/rgb"] = np.ones((3, 2))
        file["v_b/flow"] = np.zeros((3, 2))
    return tmp_path / "f.hdf5"


def test_a_truncated_file_says_how_much_is_there_and_how_pieces_are_joined(stored: Path) -> None:
    size = stored.stat().st_size
    stored.write_bytes(stored.read_bytes()[:-100])
    message = rf"truncated, it has {size - 100:,} of {size:,} bytes\. If it came in pieces.*cat"
    with pytest.raises(UserError, match=message):
        opened(stored)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("README.md", b"features of videos", r"README\.md is text"),
        ("val_feat.pickle", pickle.dumps({}), r"val_feat\.pickle is a pickle"),
        ("a/b/charades.zip", b"PK\x03\x04", r"charades\.zip is a zip archive.*unpack"),
        ("anet.hdf5_aa", b"\x89HDF\r\n\x1a\n", r"anet\.hdf5_aa is a piece of a file: join"),
        ("AO8RW/000001.txt", b"0.1 0.2", r"000001\.txt is text: convert each video"),
        ("AO8RW.mat", b"MATLAB 5.0", r"AO8RW\.mat is a MATLAB file"),
        (".hidden.npy", b"", r"has no VIDEO\.npy, nor any other file of features"),
    ],
)
def test_a_folder_without_features_says_what_it_has(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / "f" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        opened(tmp_path / "f")


@pytest.mark.parametrize(
    ("place", "folder"), [("tacos_c3d.hdf5", "tacos_c3d"), ("tacos_c3d/all.zip", "tacos_c3d")]
)
def test_an_archive_that_is_not_unpacked_says_into_which_folder_it_goes(
    tmp_path: Path, place: str, folder: str
) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=f"unpack it into the folder {tmp_path / folder}/$"):
        opened(tmp_path / Path(place).parts[0])


def test_what_lies_beside_is_not_blamed_for_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "captions.json").write_text("{}")
    (tmp_path / "features.pkl").write_bytes(pickle.dumps({}))
    with pytest.raises(UserError, match=r"features\.pkl is a pickle"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.features",
            b"\x93NUMPY\x01\x00",
            r"a\.features is a NumPy array of another ending: ren",
        ),
        ("f.hdf", b"\x89HDF\r\n\x1a\n", r"f\.hdf is an HDF5 file of another ending: rename it"),
    ],
)
def test_features_of_another_ending_are_named_before_what_lies_beside(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / "README.txt").write_text("features")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        opened(tmp_path)


def test_groups_may_stand_in_groups_and_may_lead_back_or_nowhere(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.hdf5", "w") as file:
        file["data/test/features/v_a"] = np.ones((3, 2))
        file["data/back"] = file["/"]
        file["data/gone"] = h5py.SoftLink("/nowhere")
    with open_archive(tmp_path / "f.hdf5") as archive:
        levels = [[entry.inside for entry in level] for level in archive.levels()]
    assert levels[0] == ["data"]
    assert "data/test/features/v_a" in levels[-1]


def test_a_file_of_arrays_may_hold_many_videos(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", v_a=np.ones((3, 2)), v_b=np.zeros((2, 2)))
    with open_archive(tmp_path) as archive:
        *_, entries = (level for level in archive.levels() if level)
        assert [entry.name for entry in entries] == ["v_a", "v_b"]
        assert archive.read(entries[1]).shape == (2, 2)


@pytest.mark.parametrize("name", ["all.npz", "all.h5"])
def test_a_damaged_file_of_many_videos_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04" if name == "all.npz" else b"\x89HDF\r\n\x1a\nx")
    with pytest.raises(UserError, match=rf"{name} .*"), open_archive(tmp_path) as archive:
        list(archive.levels())


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "elsewhere/deeper").mkdir(parents=True)
    np.save(tmp_path / "elsewhere/deeper/v_a.npy", np.ones((3, 2)))
    (tmp_path / "f").mkdir()
    (tmp_path / "f/rgb").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "f")
    with open_archive(tmp_path / "f") as archive:
        (entry,) = next(archive.levels())
        assert str(entry) == "rgb/deeper/v_a.npy"
        assert archive.read(entry).shape == (3, 2)


def test_a_web_page_is_no_hdf5_file(tmp_path: Path) -> None:
    (tmp_path / "f.hdf5").write_text("<html><head><title>Quota exceeded</title></head></html>")
    with pytest.raises(UserError, match=r"f\.hdf5 is a web page"):
        opened(tmp_path / "f.hdf5")


def test_a_group_has_one_array_or_a_known_one_or_the_one_that_is_named(stored: Path) -> None:
    with open_archive(stored) as archive:
        assert archive.read(StoredArray("", "v_a")).shape == (3, 2)
        with pytest.raises(UserError, match=r"v_b has several arrays, \['flow', 'rgb'\]"):
            archive.read(StoredArray("", "v_b"))
        assert archive.read(StoredArray("", "v_b"), "flow").sum() == 0
