import json
import pickle
import zipfile
from pathlib import Path

import nltk
import pytest

from mgsl.data.tagger import load_tagger
from mgsl.errors import UserError
from tests.published import TAGGER, write_tagger

PICKLE = "averaged_perceptron_tagger/averaged_perceptron_tagger.pickle"


def test_the_old_release_is_converted(tmp_path: Path) -> None:
    write_tagger(tmp_path / "tagger.zip")
    tagger = load_tagger(tmp_path / "tagger.zip")
    assert tagger.tag(["the", "person"]) == [("the", "DT"), ("person", "NN")]


def test_a_pickle_that_calls_something_is_refused(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "owned"),))

    with zipfile.ZipFile(tmp_path / "tagger.zip", "w") as release:
        release.writestr(PICKLE, pickle.dumps(Malicious()))
    with pytest.raises(UserError, match="no table"):
        load_tagger(tmp_path / "tagger.zip")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_an_archive_without_a_tagger_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tagger.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"tagger\.zip is not NLTK's"):
        load_tagger(tmp_path / "tagger.zip")


def test_without_the_archive_nltks_own_paths_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    with pytest.raises(UserError, match="no part-of-speech tagger"):
        load_tagger(tmp_path / "tagger.zip")
    folder = tmp_path / "taggers/averaged_perceptron_tagger_eng"
    folder.mkdir(parents=True)
    for part, value in (("weights", {}), ("tagdict", {"the": "DT"}), ("classes", ["DT"])):
        (folder / f"averaged_perceptron_tagger_eng.{part}.json").write_text(json.dumps(value))
    assert load_tagger(tmp_path / "tagger.zip").tag(["the"]) == [("the", "DT")]


@pytest.mark.mirror
def test_the_published_tagger_tags(mirror: Path) -> None:
    tagged = load_tagger(mirror / TAGGER).tag(
        ["a", "person", "quickly", "opens", "a", "red", "door"]
    )
    assert [tag for _, tag in tagged] == ["DT", "NN", "RB", "VBZ", "DT", "JJ", "NN"]
