"""A prepared dataset is what `prepare` wrote, or is refused with what to do."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from mgsl import paths, prepared
from mgsl.errors import UserError
from tests import ROOT

VIDEOS = "video,duration_s\nv1,2.0\nNA,3.0\n"
TEXTS = {"videos.csv": VIDEOS, "vocabulary.json": '["", "door", "é"]'}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of text and an array."""
    folder = tmp_path / "kitchen/prepared"
    folder.mkdir(parents=True)
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    (folder / "features.npy").write_bytes(bytes(10))
    prepared.write_summary(folder, {"dataset": "kitchen", "shares": [0.1, 1 / 3]})
    return folder


def test_the_summary_tells_what_the_dataset_is_and_what_each_file_is(folder: Path) -> None:
    summary = prepared.read_summary(folder)
    digest = hashlib.sha256(VIDEOS.encode()).hexdigest()
    assert summary["shares"] == [0.1, 1 / 3]
    assert list(summary["files"]) == ["features.npy", *TEXTS]
    assert summary["files"]["videos.csv"] == {"bytes": len(VIDEOS), "sha256": digest}
    assert prepared.digests(folder)["videos.csv"] == digest
    assert prepared.digests(folder).keys() == {"features.npy", "summary.json", *TEXTS}


def test_the_summary_is_written_to_the_same_bytes_again(folder: Path) -> None:
    first = (folder / "summary.json").read_bytes()
    prepared.write_summary(folder, prepared.read_summary(folder))
    assert (folder / "summary.json").read_bytes() == first


def test_files_are_read_as_they_were_written(folder: Path) -> None:
    assert prepared.read_text(folder / "videos.csv") == VIDEOS
    assert prepared.read_videos(folder) == ["v1", "NA"]
    assert prepared.read_vocabulary(folder) == ["", "door", "é"]
    prepared.check_array(folder / "features.npy")


def test_a_file_cut_at_the_end_of_a_line_is_refused_with_what_to_do(folder: Path) -> None:
    (folder / "videos.csv").write_text("".join(VIDEOS.splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match=r"videos\.csv is not what `prepare` wrote") as caught:
        prepared.read_videos(folder)
    assert "it has 24 bytes, not the 31 that summary.json tells" in str(caught.value)
    assert "`dvc repro prepare@kitchen`" in str(caught.value)
    assert "`python -m mgsl prepare --dataset kitchen`" in str(caught.value)


def test_a_file_of_the_same_size_and_other_text_is_refused(folder: Path) -> None:
    (folder / "videos.csv").write_text(VIDEOS.replace("v1", "v2"))
    with pytest.raises(UserError, match=r"videos\.csv .* has another SHA-256"):
        prepared.read_videos(folder)


def test_an_array_of_another_size_is_refused(folder: Path) -> None:
    (folder / "features.npy").write_bytes(bytes(9))
    with pytest.raises(UserError, match=r"features\.npy .* has 9 bytes, not the 10"):
        prepared.check_array(folder / "features.npy")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"null", b"[1, 2]", b'{"files": 1}', b"[" * 200_000]
)
def test_broken_files_are_named(folder: Path, content: bytes) -> None:
    for name in TEXTS:
        (folder / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name} is not what `prepare` wrote"):
            prepared.read_text(folder / name)
    (folder / "summary.json").write_bytes(content)
    with pytest.raises(UserError, match=r"summary\.json is not what `prepare` wrote"):
        prepared.read_summary(folder)


def test_a_summary_changed_by_hand_or_of_an_earlier_version_is_refused(folder: Path) -> None:
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    for other in (summary | {"dataset": 7}, {"dataset": "kitchen"}):
        path.write_text(json.dumps(other))
        with pytest.raises(UserError, match=r"summary\.json .* or an earlier version wrote it"):
            prepared.read_summary(folder)


def test_a_file_that_the_summary_does_not_know_is_refused(folder: Path) -> None:
    (folder / "queries.jsonl").write_text("{}")
    with pytest.raises(UserError, match=r"queries\.jsonl .* is not listed in summary\.json"):
        prepared.read_text(folder / "queries.jsonl")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("embedded", "prepare the dataset, with `dvc repro prepare@embedded`"),
        (
            "tacos_planted",
            "python -m mgsl configure && python -m mgsl download --dataset tacos_planted && "
            "python -m mgsl identify --dataset tacos_planted && "
            "python -m mgsl prepare --dataset tacos_planted",
        ),
        ("embeded", "no dataset 'embeded'; did you mean 'embedded'?; there is: embedded, char"),
    ],
)
def test_what_is_not_prepared_is_named_with_the_very_command(
    dataset: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / paths.PARAMS, tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        prepared.read_summary(paths.prepared(dataset))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", [*TEXTS, "features.npy"])
def test_a_missing_file_says_what_to_run(folder: Path, name: str) -> None:
    (folder / name).unlink()
    read = prepared.check_array if name == "features.npy" else prepared.read_text
    for read_it in (lambda: read(folder / name), lambda: prepared.digests(folder)):
        with pytest.raises(UserError, match=rf"{name} is missing: prepare the dataset"):
            read_it()
