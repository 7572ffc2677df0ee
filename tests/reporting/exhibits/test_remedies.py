"""The rule of the remedies: rare queries gain, and all lose no more than a point."""

from pathlib import Path

import pandas as pd
import pytest

from mgsl.reporting.exhibits import remedies
from tests.reporting import report_workspace

RARE, ALL = "rare, R@1, IoU=0.5", "intact, R@1, IoU=0.5"
RUNS = {  # what two seeds reach on rare and on all validation queries
    "drn": ((0.40, 0.50), (0.60, 0.62)),
    "drn_repeat": ((0.46, 0.48), (0.60, 0.604)),  # +2.0, -0.8
    "drn_neighbours": ((0.50, 0.52), (0.59, 0.60)),  # +6.0, -1.5
    "drn_drop": ((0.44, 0.45), (0.70, 0.70)),  # -0.5, +9
}


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_remedy_is_recommended_by_rare_validation_queries() -> None:
    rows = [
        {"dataset": "embedded", "name": name, "seed": seed, RARE: rare[seed], ALL: whole[seed]}
        for name, (rare, whole) in RUNS.items()
        for seed in (0, 1)
    ]
    report_workspace.keep("remedies_drn", "validation", pd.DataFrame(rows))
    runs = dict.fromkeys(RUNS, (0, 0.0, -0.01, 0.01))
    report_workspace.keep("remedies_drn", "means", report_workspace.study(runs))
    gains = remedies.validation().set_index("name")
    assert gains["rare"].to_dict() == pytest.approx(
        {"drn_repeat": 2.0, "drn_neighbours": 6.0, "drn_drop": -0.5}
    )
    assert gains["all"].to_dict() == pytest.approx(
        {"drn_repeat": -0.8, "drn_neighbours": -1.5, "drn_drop": 9.0}
    )
    assert gains.index[gains["recommended"]].tolist() == ["drn_repeat"]
    table = remedies.choice(["embedded"])
    cells = dict(table.rows)["DRN, pairs with rare words drawn more often"]
    assert [cell.text for cell in cells] == ["+2.0", "−0.8", "yes"]
    assert table.statement.startswith(
        "Recommended by the rule: DRN, pairs with rare words drawn more often (on embedded, rare"
    )


def test_the_figure_states_what_rare_test_queries_gain() -> None:
    runs = {"drn": (0, 0.0, 0.0, 0.0), "drn_repeat": (0, 0.05, 0.01, 0.09)}
    rows = report_workspace.study(runs | {"drn_drop": (0, -0.02, -0.05, 0.01)})
    rare = rows["group"] == "rare"
    differences = ["difference", "difference_low", "difference_high"]
    rows.loc[~rare, differences] = -0.5  # all queries together would say otherwise
    report_workspace.keep("remedies_drn", "means", rows)
    assert remedies.draw(["embedded"]).statement == (
        "On embedded (simulated), 1 of 2 rows score higher than the same method without one in "
        "R@1, IoU=0.5 of rare queries and 0 lower, by their whole interval (by chance alone about "
        "0.1 each way); highest and lowest: "
        "DRN, pairs with rare words drawn more often +5.0 points (+1.0 to +9.0) and DRN, rare "
        "words left out at random −2.0 points (−5.0 to +1.0)."
    )


def test_without_a_study_nothing_is_recommended() -> None:
    table = remedies.choice(["embedded"])
    assert table.rows == ()
    assert table.statement == ""
    assert "Not run on embedded" in table.caption
    assert remedies.draw(["embedded"]).caption == "Not run on embedded (see studies/params.yaml)."
