"""One file, read by what it is: every kind gives the same array, every other is named."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from mgsl.data.archives.array_files import kind, read_array
from mgsl.errors import UserError

CLIPS = np.arange(12, dtype=np.float32).reshape(6, 2)


def hdf5(path: Path, **arrays: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def legacy(path: Path) -> None:
    torch.save(torch.from_numpy(CLIPS), path, _use_new_zipfile_serialization=False)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.npy": lambda path: np.save(path, CLIPS),
    "features.npz": lambda path: np.savez(path, features=CLIPS, length=6),
    "alone.npz": lambda path: np.savez_compressed(path, anything=CLIPS),
    "a.pt": lambda path: torch.save(torch.from_numpy(CLIPS), path),
    "old.pt": legacy,
    "dictionary.pth": lambda path: torch.save({"features": torch.from_numpy(CLIPS)}, path),
    "sparse.pt": lambda path: torch.save(torch.from_numpy(CLIPS).to_sparse(), path),
    "half.pt": lambda path: torch.save(torch.from_numpy(CLIPS).bfloat16(), path),
    "a.h5": lambda path: hdf5(path, feature=CLIPS),
    "with_frames.hdf5": lambda path: hdf5(path, i3d_rgb_features=CLIPS, frames=np.arange(6)),
    "torch_inside.npy": lambda path: path.write_bytes(tensor_file()),
}


def tensor_file() -> bytes:
    buffer = io.BytesIO()
    torch.save(torch.from_numpy(CLIPS), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_gives_the_array(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    np.testing.assert_array_equal(read_array(tmp_path / name), CLIPS)


PAGE = b"\n<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title>"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: fetch it again"),
        (PAGE, "is a web page saved in place of the file"),
        (b'<?xml version="1.0"?>\n<html>', "is a web page"),
        (pickle.dumps({"a": CLIPS}), "is a pickle, which is not opened"),
        (pickle.dumps({"a": CLIPS}, protocol=2), "is a pickle, which is not opened"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", r"MATLAB file: convert each.*loadmat"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12", "pointer of Git LFS"),
        (b"\x1f\x8b\x08\x00\x00", "is an archive that is not unpacked"),
        (b"x" * 257 + b"ustar\x0000", "is an archive that is not unpacked"),
        (b"\xef\xbb\xbf <?xml version='1.0'?><Error><Code>AccessDenied</Code>", "is a web page"),
        (b"<!-- quota --><title>Sorry</title>", "is a web page"),
        (pickle.dumps({"a": 1}, protocol=0), "is a pickle, which is not opened"),
        (pickle.dumps({"a": 1}, protocol=1), "is a pickle, which is not opened"),
        (pickle.dumps(CLIPS, protocol=0), "is a pickle, which is not opened"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64", r"version 7\.3: convert each.*h5py\.File"),
        (b"0.25 1.5 0.75\n", "is text: convert each video"),
        (b" -.25,1e-3\n", r"is a table of text: .*delimiter=','"),
        (b'{"error": "quota exceeded, 3"}', "is text and no numbers, .*fetch the file again"),
        (b"Information, 2 pages", "is text and no numbers"),
        (bytes(range(128, 256)), "is of no kind that is read"),
    ],
)
def test_what_is_no_array_is_named_with_what_to_do(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "v_a.npy"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"v_a\.npy .*{message}"):
        read_array(path)


@pytest.mark.parametrize("name", ["a.npy_aa", "a.tar.gz.ab", "a_v1-3.part-00", "a.zip.001"])
def test_a_piece_is_told_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n")
    assert kind(tmp_path / name) == "piece"


def test_a_table_with_a_line_of_names_is_told_by_its_ending(tmp_path: Path) -> None:
    (tmp_path / "v_a.csv").write_text("f0,f1\n0.5,1\n")
    with pytest.raises(UserError, match=r"is a table of text: .*`skiprows=1`"):
        read_array(tmp_path / "v_a.csv")


def test_a_zip_that_is_not_unpacked_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("features/README.txt", "")
    with pytest.raises(UserError, match="is a zip archive that is not unpacked"):
        read_array(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.pt"])
def test_objects_are_not_unpickled(tmp_path: Path, name: str) -> None:
    objects = np.array([Path("x")], dtype=object)
    path = tmp_path / name
    if name == "a.npy":
        np.save(path, objects, allow_pickle=True)
    elif name == "a.npz":
        np.savez(path, allow_pickle=True, features=objects)
    else:
        torch.save({"features": Path("x")}, path)
    with pytest.raises(UserError, match=r"a\.np\w holds Python objects|a\.pt holds Python objects"):
        read_array(path)


def test_a_pickle_that_is_called_a_tensor_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(pickle.dumps({"a": Path("x")}))
    with pytest.raises(UserError, match=r"a\.pt (holds Python objects|cannot be read)"):
        read_array(tmp_path / "a.pt")


@pytest.mark.parametrize("name", ["a.npy", "alone.npz", "a.pt", "a.h5"])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=rf"{name} cannot be read, it is cut off or damaged"):
        read_array(path)


def test_a_file_of_many_videos_is_no_array_and_names_a_few_of_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{f"v_{i:05}": CLIPS for i in range(1200)})
    with pytest.raises(UserError, match=r"'v_00004'\] and 1,195 more, where one is expected: save"):
        read_array(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [[torch.ones(3, 2)], {"a": [torch.ones(3, 2)]}, 3])
def test_a_tensor_within_something_else_is_asked_for_alone(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"a\.pt (holds a \w+ and no tensor: save|has no array)"):
        read_array(tmp_path / "a.pt")


def test_a_wrong_byte_in_packed_arrays_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, features=np.arange(4096.0).reshape(-1, 2))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npz cannot be read, it is cut off or damaged"):
        read_array(path)


def test_an_array_larger_than_any_machine_is_damaged(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 1 << 12)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UserError, match=r"a\.npy cannot be read"):
        read_array(tmp_path / "a.npy")


def test_two_arrays_that_may_be_meant_are_named_and_either_can_be_had(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", rgb=CLIPS, flow=2 * CLIPS)
    hdf5(tmp_path / "a.h5", rgb=CLIPS, flow=2 * CLIPS)
    for path in (tmp_path / "a.npz", tmp_path / "a.h5"):
        with pytest.raises(UserError, match=r"several arrays, \['flow', 'rgb'\], .*side: \[flow"):
            read_array(path)
        np.testing.assert_array_equal(read_array(path, "flow"), 2 * CLIPS)
