"""The tables of rare queries: counted by hand, and those of the repository as the command gives."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mgsl import params, paths
from mgsl.data import sources
from mgsl.errors import UserError
from mgsl.params import PreparationParams, RareParams
from mgsl.tools import split
from tests.published import write_charades

PREPARATION = params.load(paths.PARAMS).preparation
ROOT = Path.cwd()
SLOW = {"activitynet_planted"}  # a minute to tag


def read(text: str) -> pd.DataFrame:
    """As the README of the folder says."""
    table = pd.read_csv(io.StringIO(text), comment="#", keep_default_na=False)
    assert table.columns.tolist() == list(split.COLUMNS)
    return table


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Charades-STA made up, not fetched: seven sentences and their tagger."""
    monkeypatch.setattr(sources, "fetch", lambda files, raw: None)
    return write_charades(tmp_path / "raw")


def rare(**changes: Any) -> PreparationParams:
    document = PREPARATION.rare.model_dump() | changes
    return PREPARATION.model_copy(update={"rare": RareParams(**document)})


def test_each_query_has_its_rarest_word(raw: Path) -> None:
    tables = split.of_dataset("charades_actions", rare(threshold=3, bins=(2, 4)), raw)
    assert list(tables) == ["train", "test"]  # nothing is held out
    train = read(tables["train"])
    # In the order of the file, but for the last one, of whose moment nothing is left.
    assert train["qid"].tolist() == ["AAAAA-0", "AAAAA-1", "BBBBB-0", "CCCCC-0"]
    assert train["sentence"].tolist() == [0, 1, 0, 0]
    # In the five training sentences: person 5, opens 4, fridge and door 2, closes and cabinet 1.
    assert train["rarest_word"].tolist() == ["door", "closes", "fridge", "fridge"]
    assert train["frequency"].tolist() == [2, 1, 2, 2]
    assert train["bin"].tolist() == ["2-3", "<2", "2-3", "2-3"]
    assert train["rare"].tolist() == [True] * 4
    test = read(tables["test"])
    assert test.to_numpy().tolist() == [["DDDDD-0", "DDDDD", 0, "wardrobe", 0, "<2", True]]


def test_the_first_lines_say_what_it_is(raw: Path) -> None:
    text = split.of_dataset("charades_actions", rare(), raw)["test"]
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert head[0] == "# charades, split test: 1 queries, 100.0% of them rare"
    assert head[1].startswith("# How often the rarest word of a query (NN, VB, JJ; surface) stands")
    assert head[2] == "# Rare: fewer than 10 times."
    assert all(len(line.split(" SHA-256 ")[1]) == 64 for line in head[3:])
    assert len(head) == 8
    lemmas = split.of_dataset("charades_actions", rare(form="lemma"), raw)["test"]
    assert "lemma) stands in" in lemmas


def test_the_table_of_one_split_is_written(raw: Path, tmp_path: Path) -> None:
    split.write("charades_i3d", "test", tmp_path / "t.csv", rare(), raw)  # the same annotations
    assert (tmp_path / "t.csv").read_text() == split.of_dataset("charades_actions", rare(), raw)[
        "test"
    ]
    with pytest.raises(UserError, match=r"has no split 'val'; published are: train, test"):
        split.write("charades_actions", "val", tmp_path / "v.csv", rare(), raw)
    with pytest.raises(UserError, match="no dataset 'nowhere'; there is"):
        split.write("nowhere", "test", tmp_path / "v.csv", rare(), raw)


def test_the_repository_has_a_table_of_every_published_split() -> None:
    counts = {  # of the queries that are kept
        "charades": {"train": 12404, "test": 3720},
        "charades_cd_ood": {"train": 11071, "val": 859, "test": 3372},
        "charades_cd_iid": {"train": 11071, "val": 859, "test": 823},
        "tacos": {"train": 10146, "val": 4589, "test": 4083},
        "activitynet": {"train": 37417, "val": 17505, "test": 17031},
    }
    assert set(counts) | {"embedded"} == set(split.NAMES.values())
    for name, lengths in counts.items():
        for part, number in lengths.items():
            text = (ROOT / paths.SPLITS / f"{name}_{part}.csv").read_text()
            table = read(text)
            assert len(table) == number, (name, part)
            assert table["qid"].is_unique
            share = f"{table['rare'].mean():.1%} of them rare"
            assert text.startswith(f"# {name}, split {part}: {number:,} queries, {share}\n")
            known = table[table["frequency"] != ""]
            assert (known["rare"] == (known["frequency"].astype(int) < 10)).all()
            assert (known["rarest_word"].str.fullmatch(r"[^\W\d_]+")).all()


@pytest.mark.mirror
@pytest.mark.parametrize(
    "dataset",
    [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in split.NAMES],
)
def test_the_tables_of_the_repository_are_what_the_command_gives(
    dataset: str, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSL_MIRROR", str(mirror))
    monkeypatch.setattr(paths, "EMBEDDED", ROOT / "mgsl/resources/embedded")
    for part, text in split.of_dataset(dataset, PREPARATION, tmp_path).items():
        file = ROOT / paths.SPLITS / f"{split.NAMES[dataset]}_{part}.csv"
        assert file.read_text() == text
