from pathlib import Path

import numpy as np
import pytest

from mgsl.data.annotations.charades import action_timelines
from mgsl.data.features import open_features, store_features
from mgsl.errors import UserError
from tests.published import CHARADES, write_charades

SHAPE = (2, 3, 4)


def arrays() -> list[tuple[str, np.ndarray]]:
    return [("a", np.ones((3, 4))), ("b", np.zeros((3, 4)))]


def test_an_action_is_on_in_every_clip_it_overlaps(tmp_path: Path) -> None:
    durations = {"DDDDD": 4.0, "AAAAA": 10.0, "BBBBB": 8.0, "CCCCC": 10.0}
    test, first, nothing, beyond = action_timelines(
        write_charades(tmp_path), durations, num_clips=4
    )
    assert test.dtype == np.float16
    assert np.argwhere(test).tolist() == [[1, 2]]  # 1 s to 2 s of 4 s: the second clip exactly
    assert np.argwhere(first[:, 1]).ravel().tolist() == [0, 1]  # 0 s to 5 s, clips of 2.5 s
    assert np.argwhere(first[:, 156]).ravel().tolist() == [1, 2]  # 2.6 s to 7.4 s
    assert first.sum() == 4
    assert nothing.sum() == 0
    assert beyond[:, 0].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("actions", ["c157 0 1", "c001 0", "x 0 1", "c001 0 one", "c001 0 1;c 0 1"])
def test_actions_that_cannot_be_read_are_named(tmp_path: Path, actions: str) -> None:
    path = write_charades(tmp_path) / CHARADES / "Charades_v1_train.csv"
    path.write_text(f"id,actions,length\nAAAAA,{actions},10\n")
    with pytest.raises(UserError, match=r"Charades_v1_train\.csv, line 2: expected"):
        list(action_timelines(tmp_path, {"AAAAA": 10.0}, num_clips=4))


def test_a_video_without_a_row_of_actions_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'ZZZZZ' has no actions"):
        list(action_timelines(write_charades(tmp_path), {"ZZZZZ": 10.0}, num_clips=4))


def test_features_come_back_as_stored(tmp_path: Path) -> None:
    store_features(tmp_path / "f.npy", arrays(), shape=SHAPE, dtype=np.float16)
    features = open_features(tmp_path / "f.npy", SHAPE)
    assert isinstance(features, np.memmap)
    assert features.dtype == np.float16
    np.testing.assert_array_equal(features, np.stack([array for _, array in arrays()]))


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (arrays()[:1], "features of 1 videos, expected 2"),
        ([*arrays(), ("c", np.ones((3, 4)))], "features of 3 videos, expected 2"),
        ([("a", np.ones((3, 5))), ("b", np.ones((3, 5)))], r"video 'a': features are \(3, 5\)"),
        ([("a", np.ones((3, 4))), ("b", np.full((3, 4), np.nan))], "video 'b': .* NaN"),
    ],
)
def test_wrong_features_are_refused_and_nothing_is_left(
    tmp_path: Path, stored: list[tuple[str, np.ndarray]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        store_features(tmp_path / "f.npy", stored, shape=SHAPE, dtype=np.float32)
    assert not list(tmp_path.iterdir())


def test_features_of_another_shape_are_refused(tmp_path: Path) -> None:
    store_features(tmp_path / "f.npy", arrays(), shape=SHAPE, dtype=np.float32)
    with pytest.raises(UserError, match=r"float32 \(2, 3, 4\), expected floats \(2, 3, 5\)"):
        open_features(tmp_path / "f.npy", (2, 3, 5))


def test_truncated_pickled_or_missing_features_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.npy"
    with pytest.raises(UserError, match="is missing"):
        open_features(path, SHAPE)
    store_features(path, arrays(), shape=SHAPE, dtype=np.float32)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="cannot be read"):
        open_features(path, SHAPE)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read"):
        open_features(path, SHAPE)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read"):
        open_features(path, SHAPE)
