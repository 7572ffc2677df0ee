"""The verdict in four lines and the map of the paper say what results say."""

from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.reporting.site import front_page, paper_map, rankings
from tests.reporting import report_workspace

CLAIMS = """claim,topic,statement,measure,dataset,simulated,printed,value,low,high,trainings,\
verdict_here,verdict
memory_full,Memory,It helps,"R@1, IoU=0.5",embedded,True,5.68,-8.9,-15.3,-2.5,10,contradicted,\
not tested on real features
memory_rare,Memory,It helps rare,"R@1, IoU=0.5",embedded,True,,-5.8,-10.5,-1.1,10,contradicted,\
not tested on real features
"""
ALL = ["claims", "table_1", "collapse"]


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"])
    paths.EXHIBITS.mkdir(parents=True)
    (paths.EXHIBITS / "claims.csv").write_text(CLAIMS)


def lines(exhibits: list[str]) -> list[front_page.Line]:
    return front_page.verdict(["embedded"], exhibits, rankings.build(["embedded"]))


def test_the_verdict_has_four_lines_made_from_results() -> None:
    untested, ran, memory, literal = lines(ALL)
    assert untested.answer.startswith("2 of the paper’s 2 testable claims")
    assert "1 of the 15 methods of Table 1" in ran.answer
    assert "embedded (simulated)" in ran.answer
    assert "on Charades-STA, action timelines (real annotations, no pixels)" in ran.answer
    assert memory.answer.startswith("No, on embedded (simulated): −8.9 points")
    assert "−5.8 (−10.5 to −1.1) on rare ones, over ten trainings" in memory.answer
    assert "have converged was not measured. The paper prints +5.7 on all queries." in memory.answer
    assert "45.0 % where MGSL-Net (repaired) reaches 55.0 % (seeds 0)" in literal.answer
    assert [line.exhibit for line in lines(ALL)] == ["claims", "table_1", "claims", "collapse"]


def test_what_was_not_run_is_said_and_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    path = paths.metrics("embedded")
    config = paths.config("embedded", "evaluate")
    config.write_text(config.read_text().replace('"printed"', '"drn"'))
    pd.read_csv(path).replace({"name": {"printed": "drn"}}).to_csv(path, index=False)
    run = paths.config("embedded", "printed")
    (run.parent / "drn.json").write_text(run.read_text().replace('"printed"', '"drn"'))
    untested, _, memory, literal = lines([])
    assert untested.answer.startswith("The paper’s recall: it needs C3D or I3D features")
    assert memory.answer == "Not tested on embedded (simulated)."
    assert literal.answer == "Not run on embedded (simulated)."
    assert {line.exhibit for line in lines([])} == {""}


def test_the_map_has_every_table_and_figure_with_its_exhibit_and_what_it_rests_on() -> None:
    places = {one.place: one for one in paper_map.build(["embedded"], ["table_1", "figures_4_5"])}
    assert list(places) == list(paper_map.PAPER)
    assert places["Table 1"].status == "1 of 15 methods run, on embedded (simulated)"
    assert places["Table 1"].exhibit is not None
    assert places["Figures 4 and 5"].status == "counted in the published annotations"
    assert places["Table 2"].exhibit is None
    assert places["Table 2"].status == "not in this report"
