import json
import pickle
import zipfile
from pathlib import Path

import nltk
import pytest

from mgsl.data import tagger
from mgsl.data.tagger import load_tagger, tag_sentences
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


def test_tags_are_looked_up_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    write_tagger(tmp_path / "tagger.zip")
    sentences = ["The person.", "a door", "The person."]
    tagged = tag_sentences(sentences, tmp_path / "tagger.zip")
    assert tagged == {
        "The person.": (("the", "DT"), ("person", "NN"), (".", ".")),
        "a door": (("a", "DT"), ("door", "NN")),
    }
    monkeypatch.setattr(tagger, "load_tagger", None)  # not called again
    assert tag_sentences(sentences[::-1], tmp_path / "tagger.zip") == tagged
    for others, archive in ((["a"], "tagger.zip"), (sentences, "other.zip")):
        (tmp_path / "other.zip").write_bytes(b"another tagger")
        with pytest.raises(TypeError):
            tag_sentences(others, tmp_path / archive)
