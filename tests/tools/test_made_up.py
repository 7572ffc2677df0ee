"""A sample of a dataset whose features are not at hand, prepared by the code of the real ones."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgsl.data import sources
from mgsl.data.annotations import Annotation
from mgsl.data.datasets import DATASETS
from mgsl.data.features import read_features
from mgsl.errors import UserError
from mgsl.prepared import read_videos
from mgsl.queries import read_queries
from mgsl.tools import made_up
from tests.published import prepare_config, write_captions, write_charades

ALL = {"train": 99, "val": 99, "test": 99}


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Of all datasets, some published files are listed, and none is at hand."""
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MGSL_MIRROR", raising=False)

    def lists(*files: str) -> None:
        listed = [
            sources.Source(("x",), "owner/name", "0" * 40, file, 1, "0" * 64, "", "", "")
            for file in files
        ]
        monkeypatch.setattr(sources, "catalogue", lambda dataset=None: listed)

    return lists


def test_features_of_the_published_width_and_length_are_prepared(
    tmp_path: Path, listing: Callable[..., None]
) -> None:
    listing("data/save/word2id.json")
    write_captions(tmp_path / "raw")
    config = prepare_config("activitynet_c3d")
    sample = made_up.prepare_sample(config, tmp_path, least=ALL)
    assert sample.pairs == {"train": 2, "val": 1, "test": 1}
    assert (sample.videos, sample.sampled) == (2, 2)
    assert sample.missing == ["owner/name/data/save/word2id.json"]
    assert sample.features == "made up: 500 numbers a row, 3.5 rows a second"
    prepared = tmp_path / "prepared"
    words = {token for query in read_queries(prepared / "queries.jsonl") for token in query.tokens}
    assert sample.vocabulary == len(words) + 1
    features = read_features(prepared, read_videos(prepared))
    assert features.shape == (2, 4, 500)
    assert features.std() == pytest.approx(8**-0.5, rel=0.2)  # means of some 8 of 28 to 33 rows


def test_a_width_that_is_not_the_published_one_stops_as_the_stage_would(
    tmp_path: Path, listing: Callable[..., None]
) -> None:
    listing("data/save/word2id.json")
    write_captions(tmp_path / "raw")
    config = prepare_config("activitynet_c3d", video_dim=512)
    with pytest.raises(UserError, match=r"\(33, 500\), expected \[clips, 512\]"):
        made_up.prepare_sample(config, tmp_path, least=ALL)


def test_annotations_that_are_not_at_hand_are_named(
    tmp_path: Path, listing: Callable[..., None]
) -> None:
    listing("raw_data/train.json")
    with pytest.raises(UserError, match=r"not at hand: owner/name/raw_data/train\.json\. `python"):
        made_up.prepare_sample(prepare_config("activitynet_c3d"), tmp_path, least=ALL)


def test_features_that_need_no_person_are_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listing: Callable[..., None]
) -> None:
    listing()
    dataset = replace(DATASETS["charades_actions"], download=lambda raw: None)
    monkeypatch.setitem(DATASETS, "charades_actions", dataset)
    write_charades(tmp_path / "raw")
    sample = made_up.prepare_sample(prepare_config(), tmp_path, least=ALL)
    assert sample.features == dataset.features
    assert not sample.missing
    features = np.load(tmp_path / "prepared/features.npy")
    assert set(np.unique(features)) <= {0, 1}


def test_videos_with_the_longest_sentences_come_first_until_there_are_enough_pairs() -> None:
    def pair(split: str, video: str, words: int) -> Annotation:
        tagged = tuple(("a", "DT") for _ in range(words))
        return Annotation(f"{split}-{video}-{words}", video, "a", split, 0.0, 1.0, 2.0, tagged)

    pairs = [
        pair("train", "short", 2), pair("train", "long", 9), pair("train", "long", 1),
        pair("train", "medium", 5), pair("val", "both", 3), pair("val", "other", 4),
        pair("test", "both", 3), pair("test", "other", 1),
    ]  # fmt: skip
    sample = made_up.choose(pairs, {"train": 3, "val": 1, "test": 1})
    assert Counter(a.video for a in sample if a.split == "train") == {"long": 2, "medium": 1}
    assert {a.video for a in sample if a.split == "val"} == {"other", "both"}  # both: of test
    assert [a.qid for a in sample] == [a.qid for a in pairs if a.video != "short"]
