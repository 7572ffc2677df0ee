import json
from pathlib import Path

import pytest

from mgsl.data.preparing import prepare
from mgsl.errors import UserError
from mgsl.prepared import read_summary, write_summary
from mgsl.tools.describe import as_text, describe
from tests.published import prepare_config, write_charades


def test_lengths_are_those_of_the_queries_kept(tmp_path: Path) -> None:
    prepare(prepare_config(), write_charades(tmp_path / "raw"), tmp_path / "prepared")
    described = describe(tmp_path / "prepared")
    one = described["lengths"]["test"]
    assert one["video_s"] == {"min": 4, "median": 4, "mean": 4, "max": 4}
    assert one["moment_s"]["median"] == 2
    assert one["moment_share"]["max"] == 0.5
    assert json.loads(json.dumps(described)) == described


def test_the_text_names_counts_shares_and_what_was_held_out(tmp_path: Path) -> None:
    prepare(prepare_config(), write_charades(tmp_path / "raw"), tmp_path / "prepared")
    text = as_text(describe(tmp_path / "prepared"))
    assert "charades_actions" in text
    assert "published training split, which has 5 pairs: 2 clamped, 1 dropped" in text
    assert f"test      <10  100.0%  {30 * '█'}\n" in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_dataset_that_is_not_prepared_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"summary\.json is missing: prepare the dataset, with"):
        describe(tmp_path)


def test_a_dataset_that_an_earlier_version_prepared_says_what_to_run(tmp_path: Path) -> None:
    prepare(prepare_config(), write_charades(tmp_path / "raw"), tmp_path / "prepared")
    summary = read_summary(tmp_path / "prepared")
    del summary["rare"]
    write_summary(tmp_path / "prepared", summary)
    with pytest.raises(UserError, match=r"earlier version, its summary lacks rare: prepare it"):
        describe(tmp_path / "prepared")
