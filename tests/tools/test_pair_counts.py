"""The counts of all datasets, of annotations that are counted by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from mgsl.data.datasets import Dataset, find
from mgsl.errors import UserError
from mgsl.reporting.read import published
from mgsl.tools import pair_counts
from tests.published import prepare_config, write_captions, write_charades, write_tacos

AT_HAND = {"activitynet_planted", "tacos_planted", "charades_actions"}


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of three datasets; the others are nowhere to be had."""

    def local(name: str) -> Dataset:
        def download(raw: Path) -> None:
            if name not in AT_HAND:
                raise UserError(f"no files of {name}\n  more about it")

        return replace(find(name), download=download)

    monkeypatch.setattr(pair_counts, "find", local)
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MGSL_MIRROR", raising=False)
    return write_captions(write_tacos(write_charades(tmp_path / "raw")))


def test_pairs_are_counted_by_split_beside_the_printed(raw: Path) -> None:
    datasets = pair_counts.count(prepare_config().preparation, published.pairs(), raw)["datasets"]
    train = datasets["ActivityNet Captions"]["splits"]["train"]
    assert train == {
        "printed": 37417, "published": 3, "clamped": 1, "dropped": 1, "pairs": 2, "videos": 1,
        "rare_share": 1.0,
    }  # fmt: skip
    charades = datasets["Charades-STA"]["splits"]
    assert list(charades) == ["train", "test"]  # nothing is held out
    assert charades["train"]["published"] == 5
    assert charades["train"]["clamped"] + charades["train"]["dropped"] == 3
    assert datasets["Charades-STA"]["vectors"] is None  # not at hand
    assert datasets["Embedded (generated)"] == {"missing": "no files of embedded\n  more about it"}


def test_the_users_vectors_cover_what_they_cover(raw: Path, tmp_path: Path) -> None:
    glove = tmp_path / "glove.txt"
    glove.write_text("he 1 2 3 4\na 1 2 3 4\n")
    preparation = prepare_config().preparation.model_copy(update={"glove": str(glove)})
    datasets = pair_counts.count(preparation, published.pairs(), raw)["datasets"]
    about = datasets["TACoS, TALL split"]
    assert about["vectors"]["words"] == 2 / about["vocabulary"]


def test_the_text_has_a_row_a_split_and_says_what_is_not_at_hand(raw: Path) -> None:
    text = pair_counts.as_text(
        pair_counts.count(prepare_config().preparation, published.pairs(), raw)
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "ActivityNet Captions train 37,417 3 1 1 2 1 100.0%" in lines
    assert "Charades-CD, ood is not at hand:" in lines
    assert "Rare: fewer than 10 times." in lines


def test_every_printed_count_has_its_annotations() -> None:
    benchmarks = {find(dataset).benchmark for dataset in pair_counts.ANNOTATIONS}
    assert {name for name, _ in published.pairs()} == benchmarks - {None}
