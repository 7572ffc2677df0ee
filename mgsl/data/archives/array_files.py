"""One file of arrays. What it is its first bytes say, whatever it is called."""

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mgsl.errors import UserError

ENDINGS = (".npy", ".npz", ".pt", ".pth", ".h5", ".hdf5")
KEYS = ("features", "feature", "c3d_features")  # of what is meant among several
DAMAGED = (  # what the libraries that read arrays raise where one cannot be read
    *(OSError, ValueError, TypeError, EOFError, KeyError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)

_LISTED = 5  # how many arrays of a file a message names
_BEGINNINGS = (  # the first bytes of a file, and its kind
    (rb"\x93NUMPY", "npy"),
    (rb"\x89HDF\r\n\x1a\n", "hdf5"),
    (rb"PK\x03\x04|PK\x05\x06", "zip"),
    (rb"MATLAB 7\.3", "mat73"),
    (rb"MATLAB", "mat"),
    (rb"\x80[\x02-\x05]|[}\]]q[\0\1]|\([dl]p\d+\n|c[\w.]+\n\w+\np\d", "pickle"),  # 0, 1: Python 2
    (rb"version https://git-lfs", "pointer"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|.{257}ustar", "packed"),
    (rb"(\xef\xbb\xbf)?\s*<[!?a-z]", "page"),
)
_NUMBER = re.compile(rb"\s*[-+]?(\d|\.\d|(nan|inf)\b)", re.IGNORECASE)
_PIECE = re.compile(r"([._]a[a-z]|part[-_.]?\d+|\.\d{3}|\.z\d\d)$")
REFUSED = {  # by kind: what is not read, and what to do about it
    "piece": "a piece of a file: join all pieces in order, `cat NAME* > WHOLE`, and unpack what "
    "comes out if it is an archive",
    "pickle": "a pickle, which is not opened, since it may run any code. Where you trust its "
    "origin, convert it: `for video, array in pickle.load(open(FILE, 'rb')).items(): "
    "numpy.save(f'{video}.npy', array)`",
    "mat": "a MATLAB file: convert each, as by "
    "`numpy.save('VIDEO.npy', scipy.io.loadmat('VIDEO.mat')['feature'])`",
    "mat73": "a MATLAB file of version 7.3: convert each, as by "
    "`numpy.save('VIDEO.npy', h5py.File('VIDEO.mat')['feature'][()].T)`",
    "zip": "a zip archive that is not unpacked: unpack it into the folder FOLDER/",
    "packed": "an archive that is not unpacked: unpack it into the folder FOLDER/",
    "page": "a web page saved in place of the file, as hosts send one about a virus scan, a quota "
    "or a login: fetch the file again, and look at its size",
    "npy": "a NumPy array of another ending: rename it to VIDEO.npy",
    "hdf5": "an HDF5 file of another ending: rename it to NAME.hdf5",
    "table": "a table of text: convert each video to one array, as by "
    "`numpy.save('VIDEO.npy', numpy.loadtxt('VIDEO.csv', delimiter=',', ndmin=2))`; `skiprows=1` "
    "leaves a line of names out",
    "pointer": "a pointer of Git LFS and not the file it stands for: `git lfs pull` brings that",
    "text": "text: convert each video to one array, as by `numpy.save('VIDEO.npy', "
    "numpy.stack([numpy.loadtxt(file) for file in sorted(glob.glob('VIDEO/*.txt'))]))`",
    "": "empty: fetch it again",
    "unknown": "of no kind that is read (.npy, .npz, .pt, .hdf5)",
    "note": "text and no numbers, a note or what a server answered in place of the file: read it, "
    "and fetch the file again",
}


def kind(path: Path) -> str:
    """What a file is by its first bytes, "" if it has none; "piece" if its name says so.

    Of text, "text" is numbers between spaces and "table" numbers between commas; the rest is a
    "note".
    """
    if _PIECE.search(path.name):
        return "piece"
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return ""
    for beginning, name in _BEGINNINGS:
        if re.match(beginning, head, re.DOTALL | re.IGNORECASE):
            return name
    if h5py.is_hdf5(path):  # behind a block of the user's own, as MATLAB 7.3 has it
        return "hdf5"
    if not all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return "unknown"
    if path.suffix.lower() == ".csv" or (_NUMBER.match(head) and b"," in head):
        return "table"
    return "text" if _NUMBER.match(head) else "note"


def refused(path: Path, folder: Path | None = None) -> UserError:
    """The error to raise for a file that is not read: what it is, and how it is converted.

    Args:
        path: of the file.
        folder: into which an archive is to be unpacked; None: beside it, without its ending.
    """
    reason = REFUSED.get(kind(path), REFUSED["unknown"])
    return UserError(f"{path} is {reason.replace('FOLDER', str(folder or path.with_suffix('')))}")


def read_array(path: Path, key: str | None = None) -> np.ndarray:
    """The one array of a file, as stored; bfloat16 becomes float32.

    Args:
        path: .npy, .npz, .pt or HDF5.
        key: which of several arrays; without, `KEYS` or what alone has two axes decides.

    Raises:
        FileNotFoundError: there is no file.
        UserError: it is damaged, is of no kind that is read, needs to be unpickled, or has several
            arrays of which none is meant.
    """
    match kind(path):
        case "npy":
            reader = _read_npy
        case "zip":
            reader = _read_zip
        case "hdf5":
            reader = _read_hdf5
        case "pickle" if path.suffix in (".pt", ".pth"):  # torch before 1.6
            reader = _read_torch
        case _:
            raise refused(path)
    try:
        return reader(path, key)
    except UserError:
        raise
    except DAMAGED as error:
        raise UserError(f"{path} cannot be read, it is cut off or damaged ({error})") from None


def choose_key(axes: Mapping[str, int], key: str | None, where: str) -> str:
    """Which of several arrays holds the features.

    Args:
        axes: the number of axes of each array, by its name.
        key: the one that params.yaml names, if any.
        where: what opens the message of an error.

    Raises:
        UserError: there is none of this name, or several may be meant.
    """
    if key is not None and key in axes:
        return key
    arrays = [name for name, count in axes.items() if count > 1] or list(axes)
    for name in (*KEYS, *(arrays if len(arrays) == 1 else ())):
        if name in axes:
            return name
    if not axes:
        raise UserError(f"{where} has no array")
    names = sorted(axes)
    many = f"{names[:_LISTED]} and {len(names) - _LISTED:,} more" if names[_LISTED:] else names
    raise UserError(
        f"{where} has several arrays, {many}, where one is expected: save the one that is meant "
        "in a file of its own. Of a dataset's features, data.DATASET.parts in params.yaml names "
        f"it, or several to be joined side by side: [{', '.join(names[:2])}]"
    )


def choose_array(entry: Any, key: str | None, where: str) -> Any:
    """The array that an entry is, of HDF5 or of .npz, or that its group has; to be read by `[()]`.

    Raises:
        UserError: as `choose_key`.
    """
    if isinstance(entry, h5py.Dataset | np.ndarray):
        return entry
    inside = {n: len(e.shape) for n, e in entry.items() if isinstance(e, h5py.Dataset) and e.shape}
    return entry[choose_key(inside, key, where)]


def _read_npy(path: Path, key: str | None) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except ValueError as error:
        if "Object arrays" in str(error):
            raise UserError(_objects(path)) from None
        raise


def _read_zip(path: Path, key: str | None) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("data.pkl") for name in names):
        return _read_torch(path, key)
    if not all(name.endswith(".npy") for name in names):
        raise refused(path)
    with np.load(path, allow_pickle=False) as arrays:
        try:
            if name := next((n for n in (key, *KEYS) if n in arrays), None):
                return np.asarray(arrays[name])
            loaded = {name: arrays[name] for name in arrays.files}
        except ValueError as error:
            if "Object arrays" in str(error):
                raise UserError(_objects(path)) from None
            raise
    return loaded[choose_key({n: a.ndim for n, a in loaded.items()}, key, str(path))]


def _read_hdf5(path: Path, key: str | None) -> np.ndarray:
    with h5py.File(path, "r") as file:
        return np.asarray(choose_array(file, key, str(path))[()])


def _read_torch(path: Path, key: str | None) -> np.ndarray:
    import torch  # slow to import, and no other layout needs it

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of the many kinds that a foreign pickle provokes
        if "weights_only" not in str(error) and "Unsupported" not in str(error):
            raise RuntimeError(error) from None
        raise UserError(_objects(path)) from None
    if isinstance(content, Mapping):
        tensors = {str(n): t for n, t in content.items() if isinstance(t, torch.Tensor)}
        content = tensors[choose_key({n: t.ndim for n, t in tensors.items()}, key, str(path))]
    if not isinstance(content, torch.Tensor):
        raise UserError(
            f"{path} holds a {type(content).__name__} and no tensor: save the tensor of each video "
            "alone, `torch.save(TENSOR, 'VIDEO.pt')`"
        )
    if content.dtype == torch.bfloat16:  # which NumPy does not have
        content = content.float()
    return content.detach().to_dense().numpy()


def _objects(path: Path) -> str:
    return (
        f"{path} holds Python objects, which are not unpickled, since they may run any code. Where "
        "you trust their origin, write their numbers alone: "
        "`numpy.save('VIDEO.npy', numpy.asarray(array, 'float32'))`"
    )
