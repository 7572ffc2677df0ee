import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.configs import PrepareConfig
from mgsl.data import preparing
from mgsl.data.annotations import Annotation, activitynet
from mgsl.data.counted import clamp
from mgsl.data.datasets import ANNOTATIONS
from mgsl.data.feature_files import record
from mgsl.data.features import open_features
from mgsl.data.glove import record as record_glove
from mgsl.data.preparing import make_queries, prepare, tag
from mgsl.errors import UserError
from mgsl.files import sha256
from mgsl.params import PlantedParams
from mgsl.prepared import read_summary, read_videos
from mgsl.queries import SPLITS, Query, read_queries
from tests.published import prepare_config, write_captions, write_charades, write_tacos


def annotation(qid: str, start_s: float = 0, end_s: float = 1, **changes: object) -> Annotation:
    split = {"a": "train", "b": "val", "c": "test"}[qid[0]]
    plain = Annotation(qid, qid[0], "a dog", split, float(start_s), float(end_s), 10.0, None)
    return replace(plain, **changes)  # type: ignore[arg-type]


OTHERS = [annotation("b-0"), annotation("c-0")]


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    prepare(prepare_config(), write_charades(tmp_path / "raw"), tmp_path / "prepared")
    return tmp_path / "prepared"


def test_files_agree_with_each_other(prepared: Path) -> None:
    queries = read_queries(prepared / "queries.jsonl")
    summary = json.loads((prepared / "summary.json").read_text())
    vocabulary = json.loads((prepared / "vocabulary.json").read_text())
    videos = pd.read_csv(prepared / "videos.csv")
    assert [query.split for query in queries] == sorted(
        [query.split for query in queries], key=SPLITS.index
    )
    assert vocabulary[0] == ""
    assert set(vocabulary[1:]) == {token for query in queries for token in query.tokens}
    assert np.load(prepared / "word_vectors.npy").shape == (len(vocabulary), 4)
    assert dict(videos.to_numpy().tolist()) == {q.video: q.duration_s for q in queries}
    features = open_features(prepared / "features.npy", (len(videos), 4, 157))
    row = videos["video"].tolist().index("DDDDD")
    assert np.argwhere(features[row]).tolist() == [[1, 2]]
    assert len(summary["sources"]) == 7
    for split in SPLITS:
        assert summary["splits"][split]["pairs"] == sum(q.split == split for q in queries)
        assert sum(summary["shares"][split].values()) == pytest.approx(1)


def test_what_is_clamped_and_dropped_is_counted(prepared: Path) -> None:
    splits = json.loads((prepared / "summary.json").read_text())["splits"]
    totals = pd.DataFrame(splits).loc[:, ["train", "val"]].sum(axis=1)
    assert totals[["published", "clamped", "dropped", "pairs", "videos"]].tolist() == [
        5,
        2,
        1,
        4,
        3,
    ]
    (query,) = [q for q in read_queries(prepared / "queries.jsonl") if q.qid == "AAAAA-1"]
    assert (query.start_s, query.end_s, query.duration_s) == (8, 10, 10)


def test_words_are_fed_without_punctuation_and_counted_in_published_training(
    prepared: Path,
) -> None:
    (query,) = [q for q in read_queries(prepared / "queries.jsonl") if q.qid == "AAAAA-1"]
    assert query.tokens == ("person", "closes", "the", "door")
    assert query.tags == ("NN", "VBZ", "DT", "NN")
    assert (query.frequency, query.bin, query.rare) == (1, 0, True)
    (test,) = [q for q in read_queries(prepared / "queries.jsonl") if q.split == "test"]
    assert test.frequency == 0  # "wardrobe"


def test_rarity_does_not_depend_on_what_is_held_out(prepared: Path, tmp_path: Path) -> None:
    base = prepare_config()
    other = base.preparation.model_copy(update={"validation_seed": 1})
    prepare(base.model_copy(update={"preparation": other}), tmp_path / "raw", tmp_path / "other")
    before, after = (
        {q.qid: (q.split, q.frequency) for q in read_queries(folder / "queries.jsonl")}
        for folder in (prepared, tmp_path / "other")
    )
    assert before != after
    assert {k: v[1] for k, v in before.items()} == {k: v[1] for k, v in after.items()}


def test_the_counting_corpus_may_be_every_split(tmp_path: Path) -> None:
    base = prepare_config()
    rare = base.preparation.rare.model_copy(update={"corpus": "all"})
    preparation = base.preparation.model_copy(update={"rare": rare})
    config = base.model_copy(update={"preparation": preparation})
    prepare(config, write_charades(tmp_path / "raw"), tmp_path / "prepared")
    (test,) = [q for q in read_queries(tmp_path / "prepared/queries.jsonl") if q.split == "test"]
    assert test.frequency == 1


def test_preparing_twice_gives_the_same_bytes(prepared: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in prepared.iterdir()}
    prepare(prepare_config(), tmp_path / "raw", prepared)
    assert {path.name: path.read_bytes() for path in prepared.iterdir()} == before


def test_a_wrong_width_of_features_leaves_what_was_there(prepared: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in prepared.iterdir()}
    with pytest.raises(UserError, match=r"\(4, 157\).*expected \(4, 99\)"):
        prepare(prepare_config(video_dim=99), tmp_path / "raw", prepared)
    assert {path.name: path.read_bytes() for path in prepared.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prepared", "raw"]


def test_an_unknown_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no dataset 'charade'; did you mean 'charades_i3d'\?; there is: embedded"
    ):
        prepare(prepare_config().model_copy(update={"dataset": "charade"}), tmp_path, tmp_path)


def test_a_query_without_words_is_named(tmp_path: Path) -> None:
    raw = write_charades(tmp_path)
    empty = annotation("a-0", sentence=" . ")
    with pytest.raises(UserError, match="'a-0' has no word"):
        tag([empty], raw / preparing.TAGGER)


def test_tags_that_are_published_are_kept(tmp_path: Path) -> None:
    known = annotation("a-0", tagged=(("dog", "JJ"),))
    assert tag([known], tmp_path / "no tagger") == [known]


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)), min_size=1, max_size=20))
def test_what_is_kept_lies_inside_its_video(moments: list[tuple[float, float]]) -> None:
    published = [
        annotation("a-x"),
        *(annotation(f"a-{i}", *m) for i, m in enumerate(moments)),
        *OTHERS,
    ]
    kept, tallies = clamp(published)
    for a in kept:
        assert 0 <= a.start_s < a.end_s <= a.duration_s
    assert tallies["train"].published == len(moments) + 1
    assert tallies["train"].dropped == len(published) - len(kept)
    assert tallies["train"].clamped == sum(end > 10 for _, end in moments)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (annotation("a-0"), "comes twice"),
        (annotation("a-1", split="test"), "is in train and in test"),
        (annotation("a-1", duration_s=9.0), "lasts 9.0 s, first 10.0 s"),
        (annotation("c-1", video="d", duration_s=0.0), "'d' lasts 0.0 s"),
        (annotation("a-1", -1, 2), "moment is -1.0 to 2.0 s"),
        (annotation("a-1", float("nan"), 2), "moment is nan"),
    ],
)
def test_contradictory_annotations_are_named(bad: Annotation, message: str) -> None:
    with pytest.raises(UserError, match=message):
        clamp([annotation("a-0"), bad, *OTHERS])


def test_a_split_without_queries_is_an_error() -> None:
    with pytest.raises(UserError, match="no query is left in val, test"):
        clamp([annotation("a-0")])


def test_preparing_does_not_import_torch() -> None:
    code = "import sys, mgsl.data.preparing, mgsl.tools.describe; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


@pytest.fixture(scope="module")
def charades(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    output = tmp_path_factory.mktemp("charades") / "prepared"
    base = prepare_config()
    preparation = base.preparation.model_copy(update={"word_dim": 300})
    prepare(base.model_copy(update={"preparation": preparation}), mirror, output)
    summary: dict[str, Any] = json.loads((output / "summary.json").read_text())
    return summary


@pytest.mark.mirror
def test_charades_is_clamped_and_dropped_as_counted(charades: dict[str, Any]) -> None:
    train, val, test = (charades["splits"][split] for split in SPLITS)
    assert train["published"] + val["published"] == 12408
    assert train["clamped"] + val["clamped"] == 1805
    assert train["dropped"] + val["dropped"] == 4
    assert train["videos"] + val["videos"] == 5336  # two videos lose their only queries
    assert (test["published"], test["clamped"], test["dropped"]) == (3720, 562, 0)
    assert charades["vector_coverage"]["tokens"] > 0.99


@pytest.mark.mirror
def test_the_bin_shares_of_charades_are_those_measured(charades: dict[str, Any]) -> None:
    shares = [round(100 * share, 1) for share in charades["shares"]["test"].values()]
    assert shares == [14.7, 17.8, 10.5, 57.1]  # Q22: surface, train counts


SMALL = {"num_clips": 4, "video_dim": 8}


def test_planted_features_show_the_words_of_a_video_while_they_are_said(tmp_path: Path) -> None:
    planted = PlantedParams(signature_from_word=0.5, background=0.0, noise=0.0, seed=0)
    config = prepare_config("tacos_planted", planted=planted, **SMALL)
    raw = write_tacos(tmp_path / "raw")
    folder = raw / "JaywongWang/CBP/datasets/tacos/data/save"
    folder.mkdir(parents=True)
    (folder / "word2id.json").write_text(json.dumps({"<UNK>": 0, "person": 1}))
    np.save(folder / "tacos_glove_embeds.npy", np.eye(2, 4))
    prepare(config, raw, tmp_path / "prepared")
    summary = json.loads((tmp_path / "prepared/summary.json").read_text())
    assert summary["simulated"] is True
    assert not summary["validation_held_out"]
    features = open_features(tmp_path / "prepared/features.npy", (3, 4, 8))
    assert [bool(clip.any()) for clip in features[0]] == [True, False, False, True]
    np.testing.assert_array_equal(features[1][1:], 0)  # said of its first second only


def test_stored_features_are_read_after_the_download_recorded_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSL_FEATURES", str(tmp_path))
    raw = write_captions(tmp_path / "raw")
    glove = tmp_path / "glove.txt"
    glove.write_text("man 1 2 3 4\n")
    base = prepare_config("activitynet_c3d", **SMALL)
    preparation = base.preparation.model_copy(update={"glove": str(glove)})
    config = base.model_copy(update={"preparation": preparation})
    record_glove(str(glove), raw)
    (tmp_path / "activitynet_c3d").mkdir()
    for video in ("v_a", "v_b"):
        np.save(tmp_path / f"activitynet_c3d/{video}.npy", np.full((2, 8), ord(video[-1]) / 2))
    with pytest.raises(UserError, match=r"features\.json is missing"):
        prepare(config, raw, tmp_path / "prepared")
    record(tmp_path / "activitynet_c3d", raw)
    prepare(config, raw, tmp_path / "prepared")
    features = open_features(tmp_path / "prepared/features.npy", (2, 4, 8))
    assert features[:, 0, 0].tolist() == [48.5, 49.0]
    summary = json.loads((tmp_path / "prepared/summary.json").read_text())
    digest = summary["archive"]["sha256"]
    assert {"file": "activitynet_c3d", "sha256": digest} in summary["sources"]
    assert summary["features"] == (
        "C3D, 500 numbers a clip after PCA; "
        "unknown release: 0.23 rows a second, 8 wide, 2 videos"  # 4 rows of 17.25 s
    )
    assert summary["splits"]["train"] | {"videos": 1} == summary["splits"]["train"]
    assert [summary["splits"]["train"][key] for key in ("published", "dropped", "clamped")] == [
        3,
        1,
        1,
    ]
    assert {"file": "glove.txt", "sha256": sha256(glove)} in summary["sources"]
    words = json.loads((tmp_path / "prepared/vocabulary.json").read_text())
    table = np.load(tmp_path / "prepared/word_vectors.npy")
    assert table[words.index("man")].tolist() == [1, 2, 3, 4]
    (tmp_path / "activitynet_c3d/v_b.npy").unlink()
    with pytest.raises(UserError, match="is not what the stage `identify` recorded"):
        prepare(config, raw, tmp_path / "other")


@pytest.fixture
def captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Published files of ActivityNet, with vectors of one word beside them."""
    monkeypatch.setenv("MGSL_FEATURES", str(tmp_path))
    (tmp_path / "activitynet_c3d").mkdir()
    (tmp_path / "glove.txt").write_text("man 1 2 3 4\n")
    raw = write_captions(tmp_path / "raw")
    train = raw / activitynet.CAPTIONS / "train.json"
    lost = {"v_c": {"duration": 4.0, "timestamps": [[0, 2], [1, 3]], "sentences": ["A dog."] * 2}}
    train.write_text(json.dumps(json.loads(train.read_text()) | lost))
    return raw


def stored_config(captions: Path, **changes: object) -> PrepareConfig:
    base = prepare_config("activitynet_c3d", **SMALL)
    glove = {"glove": str(captions.parent / "glove.txt")}
    return base.model_copy(
        update={"preparation": base.preparation.model_copy(update=glove)} | changes
    )


def test_queries_of_videos_without_features_are_refused_or_left_out_and_counted(
    captions: Path, tmp_path: Path
) -> None:
    for video in ("v_a", "v_b"):
        np.save(tmp_path / f"activitynet_c3d/{video}.npy", np.ones((2, 8), np.int32))
    record(tmp_path / "activitynet_c3d", tmp_path / "placed")
    record_glove(str(tmp_path / "glove.txt"), tmp_path / "placed")
    with pytest.raises(UserError, match=r"lacks 1 of 3 videos: v_c.*missing: drop"):
        prepare(stored_config(captions), captions, tmp_path / "p", placed=tmp_path / "placed")
    prepare(
        stored_config(captions, missing="drop"),
        captions,
        tmp_path / "prepared",
        placed=tmp_path / "placed",
    )
    summary = read_summary(tmp_path / "prepared")
    assert summary["archive"]["left_out"] == {
        "videos": 1, "of_videos": 3, "queries": {"train": 2, "val": 0, "test": 0}
    }  # fmt: skip
    assert summary["features"].endswith(
        "int32 cast to floats; 1 of 3 videos have no features, their queries are left out "
        "(0 of the test split)"
    )
    assert summary["splits"]["train"]["pairs"] == 2
    assert "v_c" not in read_videos(tmp_path / "prepared")


def test_a_split_without_any_features_is_refused(captions: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "activitynet_c3d/v_a.npy", np.ones((2, 8)))
    record(tmp_path / "activitynet_c3d", captions)
    record_glove(str(tmp_path / "glove.txt"), captions)
    with pytest.raises(UserError, match="no query is left in val, test without those of 2 videos"):
        prepare(stored_config(captions, missing="drop"), captions, tmp_path / "prepared")


def test_words_without_a_vector_can_be_dropped_and_a_query_stays_as_rare(tmp_path: Path) -> None:
    raw = write_tacos(tmp_path / "raw")
    folder = raw / "JaywongWang/CBP/datasets/tacos/data/save"
    folder.mkdir(parents=True)
    np.save(folder / "tacos_glove_embeds.npy", np.ones((9, 4)))
    planted = PlantedParams(signature_from_word=0.5, background=0.0, noise=0.0, seed=0)
    base = prepare_config("tacos_planted", planted=planted, **SMALL)

    def prepared(known: list[str], unknown_words: str) -> list[Query]:
        words = {"<UNK>": 0} | {word: row for row, word in enumerate(known, start=1)}
        (folder / "word2id.json").write_text(json.dumps(words))
        preparation = base.preparation.model_copy(update={"unknown_words": unknown_words})
        prepare(base.model_copy(update={"preparation": preparation}), raw, tmp_path / "prepared")
        return read_queries(tmp_path / "prepared/queries.jsonl")

    whole = prepared(["person"], "spelled")
    first = sorted({query.tokens[0] for query in whole})
    for before, after in zip(whole, prepared(first, "dropped"), strict=True):
        assert after.tokens == tuple(word for word in before.tokens if word in first)
        assert len(after.tokens) == len(after.tags) < len(before.tokens)
        assert (after.frequency, after.bin, after.rare) == (
            before.frequency, before.bin, before.rare
        )  # fmt: skip
    assert json.loads((tmp_path / "prepared/vocabulary.json").read_text()) == ["", *first]
    with pytest.raises(UserError, match=r"none of the words of query .* set preparation\.unknown"):
        prepared(["imaginary"], "dropped")
    assert read_queries(tmp_path / "prepared/queries.jsonl")  # what was prepared before is kept


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("benchmark", "shares"),
    [
        pytest.param("activitynet", [31.0, 33.3, 16.4, 19.3], marks=pytest.mark.slow),
        ("tacos", [24.3, 19.3, 18.5, 38.0]),
    ],
)
def test_the_counts_and_bin_shares_of_the_others_are_those_published_and_measured(
    mirror: Path, benchmark: str, shares: list[float]
) -> None:
    published = tag(ANNOTATIONS[benchmark](mirror), mirror / preparing.TAGGER)
    kept, _ = clamp(published)
    queries = make_queries(kept, published, prepare_config().preparation)
    bins = [query.bin for query in queries if query.split == "test"]
    assert [round(100 * bins.count(i) / len(bins), 1) for i in range(4)] == shares  # Q22
    counts = pd.read_csv("mgsl/reporting/read/published/datasets.csv").set_index("dataset")
    for split, pairs in counts.loc[benchmark].itertuples(index=False):
        assert sum(query.split == split for query in queries) == pairs
