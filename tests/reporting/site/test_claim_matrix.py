"""The claims on the front page: counted, and one mark for each that leads to its row."""

from pathlib import Path

import pytest

from mgsl import paths
from mgsl.reporting.site import claim_matrix

LINES = """claim,topic,statement,dataset,simulated,verdict_here,verdict
a,Memory,It helps,embedded,True,supported,not tested on real features
a,Memory,It helps,embedded,True,undecided,not tested on real features
b,Memory,It lasts,embedded,True,supported,not tested on real features
d,Cost,It is fast,embedded,True,not run,not run
c,Cost,It is small,charades_i3d,False,undecided: one training,contradicted
"""
PAPER = "Of the paper itself"


@pytest.fixture(autouse=True)
def _claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths.EXHIBITS.mkdir(parents=True)
    (paths.EXHIBITS / "claims.csv").write_text(LINES)


def test_verdicts_are_counted_by_claim_and_mixed_where_measures_differ() -> None:
    assert claim_matrix.verdicts(["claims"]) == [
        ("On embedded (simulated)", [("supported", 1), ("mixed", 1), ("not run", 1)]),
        ("On charades_i3d", [("undecided: one training", 1)]),
        (PAPER, [("contradicted", 1), ("not tested on real features", 2), ("not run", 1)]),
    ]


def test_each_claim_has_a_mark_under_its_topic_for_what_it_was_tested_on() -> None:
    marks = claim_matrix.marks(["claims"])
    signs = {
        topic: {place: "".join(mark.sign for mark in row) for place, row in places.items()}
        for topic, places in marks.items()
    }
    assert signs == {
        "Memory": {"On embedded (simulated)": "±✓", "On charades_i3d": "", PAPER: "··"},
        "Cost": {"On embedded (simulated)": "·", "On charades_i3d": "?", PAPER: "·✗"},
    }
    assert marks["Memory"][PAPER][0].anchor == "claim-it-helps"


def test_a_verdict_of_a_new_name_is_counted_last() -> None:
    path = paths.EXHIBITS / "claims.csv"
    path.write_text(LINES.replace("contradicted", "unheard of"))
    assert claim_matrix.verdicts(["claims"])[-1][1][-1] == ("unheard of", 1)


def test_without_the_claims_there_are_no_verdicts() -> None:
    assert claim_matrix.verdicts(["table_1"]) == []
    assert claim_matrix.marks(["table_1"]) == {}
