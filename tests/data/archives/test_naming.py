"""Names of videos as releases write them, in folders and files as people have them."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from mgsl.data.archives.containers import open_archive
from mgsl.data.archives.naming import locate_videos
from mgsl.errors import UserError

ACTIVITYNET = ["v_QOlSCBRmfWY", "v_v_abcdefghi", "v_-a_b-c_d-e_"]
TACOS = ["s27-d50.avi", "s2-d5.avi"]
CHARADES = ["AO8RW", "3MSZA"]


def located(path: Path, videos: Sequence[str], *parts: str) -> list[list[str]]:
    """What each part has for the videos, in order."""
    with open_archive(path) as archive:
        return [
            [str(part.entries[video]) for video in videos if video in part.entries]
            for part in locate_videos(archive, videos, parts)
        ]


def folder(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / name, np.ones((1, 2)))
    return root


def hdf5(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name in names:
            file[name] = np.ones((1, 2))
    return path


@pytest.mark.parametrize(
    ("videos", "names"),
    [
        (ACTIVITYNET, ACTIVITYNET),
        (ACTIVITYNET, [name[2:] for name in ACTIVITYNET]),
        ([name[2:] for name in ACTIVITYNET], ACTIVITYNET),
        (ACTIVITYNET, [f"{name}_resnet" for name in ACTIVITYNET]),
        (ACTIVITYNET, [f"{name[2:]}.mp4" for name in ACTIVITYNET]),
        (TACOS, TACOS),
        (TACOS, ["s27-d50", "s2-d5"]),
        (TACOS, ["s27-d50-cam-002", "s2-d5-cam-002"]),
        (TACOS, ["s27-d50-cam-002.avi", "s2-d5-cam-005.avi"]),
        (TACOS, ["s27-d50_c3d", "s2-d5_c3d"]),
        (CHARADES, ["AO8RW_rgb", "3MSZA_rgb"]),
        (CHARADES, ["AO8RW.mp4", "3MSZA.mp4"]),
    ],
)
def test_a_name_is_known_however_a_release_writes_it(
    tmp_path: Path, videos: list[str], names: list[str]
) -> None:
    stored = hdf5(tmp_path / "f.hdf5", *names, "another", f"x{names[0]}")
    assert located(stored, videos) == [names]


@pytest.mark.parametrize(
    "places",
    [
        ["{}.npy"],
        ["charades/features/i3d_finetuned/{}.npy"],
        ["train/{}.npy", "test/{}.npy"],  # half of the videos in each
    ],
)
def test_folders_are_nested_as_they_were_unpacked(tmp_path: Path, places: list[str]) -> None:
    files = [places[i % len(places)].format(video) for i, video in enumerate(CHARADES)]
    stored = folder(tmp_path / "f", *files, "__MACOSX/AO8RW.npy", ".git/AO8RW.npy")
    (stored / "feature_shapes.json").write_text("{}")
    assert located(stored, CHARADES) == [files]


@pytest.mark.parametrize("name", ["f.hdf5", "f/tacos/features/tall_c3d_features.h5"])
@pytest.mark.parametrize("group", ["", "features/"])
def test_hdf5_files_may_be_nested_too_and_have_one_group_above(
    tmp_path: Path, name: str, group: str
) -> None:
    names = [f"{group}{video}" for video in TACOS]
    hdf5(tmp_path / name, *names)
    above = name.removeprefix("f/") + "/" if "/" in name else ""
    assert located(tmp_path / name.partition("/")[0], TACOS) == [[above + n for n in names]]


def test_several_hdf5_files_with_some_videos_each_are_one_archive(tmp_path: Path) -> None:
    for split, video in zip(("train", "test"), CHARADES, strict=True):
        hdf5(tmp_path / f"f/{split}.h5", video)
    assert located(tmp_path / "f", CHARADES) == [["train.h5/AO8RW", "test.h5/3MSZA"]]


def test_two_arrays_of_a_video_are_named_and_a_part_tells_which(tmp_path: Path) -> None:
    stored = folder(tmp_path, *(f"{kind}/{v}.npy" for kind in ("new", "org") for v in CHARADES))
    with pytest.raises(UserError, match=r"2 arrays for the video 'AO8RW': new/AO8RW.npy, org/.*pa"):
        located(stored, CHARADES)
    assert located(stored, CHARADES, "org") == [["org/AO8RW.npy", "org/3MSZA.npy"]]


def test_endings_of_names_tell_parts(tmp_path: Path) -> None:
    stored = folder(tmp_path, *(f"{v}_{kind}.npy" for kind in ("rgb", "flow") for v in CHARADES))
    with pytest.raises(UserError, match=r"2 arrays for the video 'AO8RW': AO8RW_"):
        located(stored, CHARADES)
    assert located(stored, CHARADES, "rgb", "flow") == [
        ["AO8RW_rgb.npy", "3MSZA_rgb.npy"],
        ["AO8RW_flow.npy", "3MSZA_flow.npy"],
    ]


def test_files_in_one_folder_may_be_parts(tmp_path: Path) -> None:
    for kind in ("clip", "slowfast"):
        hdf5(tmp_path / f"{kind}.hdf5", *CHARADES)
    assert located(tmp_path, CHARADES, "slowfast") == [
        ["slowfast.hdf5/AO8RW", "slowfast.hdf5/3MSZA"]
    ]


def test_cameras_of_one_video_are_not_chosen_from(tmp_path: Path) -> None:
    stored = hdf5(tmp_path / "f.hdf5", "s27-d50-cam-002", "s27-d50-cam-005", "s2-d5")
    with pytest.raises(UserError, match=r"has 2 arrays for the video 's27-d50\.avi'"):
        located(stored, TACOS)


def test_one_array_is_not_taken_for_two_videos(tmp_path: Path) -> None:
    stored = hdf5(tmp_path / "f.hdf5", "abc")
    with pytest.raises(UserError, match="abc may be of 'abc' and of 'v_abc'"):
        located(stored, ["abc", "v_abc"])


def test_sliding_windows_are_named(tmp_path: Path) -> None:
    stored = folder(tmp_path, "s27-d50.avi_1_65.npy", "s27-d50.avi_13_77.npy")
    with pytest.raises(UserError, match=r"sliding window, such as s27-d50\.avi_13_77, as TALL"):
        located(stored, TACOS)


def test_an_archive_of_other_videos_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lacks 2 of 2 videos: AO8RW, 3MSZA; it has s2-d5, s27-d5"):
        located(hdf5(tmp_path / "f.hdf5", "s2-d5", "s27-d50"), CHARADES)


def test_one_file_of_tensors_is_told_how_to_be_divided(tmp_path: Path) -> None:
    torch.save({video: torch.ones(1, 2) for video in CHARADES}, tmp_path / "all.pt")
    with pytest.raises(UserError, match=r"it has all\.pt\. A \.pt file is read as one video: of a"):
        located(tmp_path, CHARADES)
