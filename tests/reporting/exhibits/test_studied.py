"""A dataset of which only kept studies tell stands in Tables 3-5 and among the claims."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.evaluation.metrics import METRICS
from mgsl.evaluation.pairs import CONTRAST
from mgsl.reporting.draw.tables import CHECK, DASH, Table
from mgsl.reporting.exhibits import table_3, table_4, table_5
from mgsl.reporting.exhibits.claims import claims_table, statements, verdicts
from mgsl.reporting.exhibits.claims.statements import Verdict
from mgsl.reporting.read import kept_trainings, published, studied
from mgsl.reporting.read.studied import Studied
from mgsl.reporting.site import front_page
from tests.reporting import report_workspace

HALF = METRICS[0]
WHERE = "charades_actions"
EVALUATION = {
    "recall_at": [1, 5], "iou": [0.3, 0.5, 0.7], "strict": False, "nms": "none",
    "nms_threshold": 0.45, "grid": None, "keep": 5, "resamples": 100, "confidence": 0.95,
    "bootstrap_seed": 0,
}  # fmt: skip


def keep(study: str, runs: dict[str, tuple[float, float]], seeds: Sequence[int]) -> None:
    """Keep a study: of each run what it scores, and what it scores more than the full model."""
    folder = paths.study(study, WHERE)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"dataset": WHERE, "name": name, "slots": 64, "trainings": len(seeds), "group": group}
        | {"metric": metric, "value": value, "low": value - 0.02, "high": value + 0.02, "sd": 0.01}
        | {"difference": less, "difference_low": less - 0.05, "difference_high": less + 0.01}
        | {"difference_sd": 0.02, "better": 0.25, "queries": 3720}
        for name, (value, less) in runs.items()
        for group in ("all", "rare", "common")
        for metric in (*METRICS, "R@5, IoU=0.5", "R@5, IoU=0.7")
    ]
    pd.DataFrame(rows).to_csv(folder / "means.csv", index=False)
    (folder / "pairs.csv").unlink(missing_ok=True)  # of the committed study
    about = {"scale": "embedded", "seeds": list(seeds), "epochs": 10, "evaluation": EVALUATION}
    (folder / "about.json").write_text(json.dumps(about))


def keep_pairs(study: str, pairs: Sequence[tuple[str, str, str, float]]) -> None:
    """Keep what a run scores more than another in a group of queries."""
    rows = [
        {"dataset": WHERE, "a": a, "b": b or None, "group": group, "metric": HALF, "value": value}
        | {"low": value - 0.01, "high": value + 0.01, "sd": 0.01, "better": 0.25, "trainings": 3}
        | {"queries": 3720}
        for a, b, group, value in pairs
    ]
    pd.DataFrame(rows).to_csv(paths.study(study, WHERE) / "pairs.csv", index=False)


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"], names=("mgsl_net", "attention_only"))
    keep("tables", {"mgsl_net": (0.8, 0.0), "attention_only": (0.77, -0.03)}, range(10))
    keep("parts", {"mgsl_net": (0.7, 0.0), "memory_only": (0.6, -0.1)}, range(3))
    keep("methods", {"mgsl_net": (0.7, 0.0), "cbln": (0.5, -0.2)}, range(3))


def cells(table: Table | None, name: str) -> list[str]:
    """What the paper and the study have of a row, without check marks."""
    assert table is not None
    row = dict(table.rows)[name]
    return [cell.text for cell in row if cell.text not in (CHECK, "")]


def test_a_row_comes_from_the_study_with_most_trainings() -> None:
    table = table_3.of_studies()
    full = cells(table, "MGSL-Net, all parts")
    assert full[4:8] == ["80.00 ± 1.00", DASH, "80.00 ± 1.00", DASH]
    assert cells(table, published.title("attention_only"))[4:6] == ["77.00 ± 1.00", "−3.00 ± 2.00"]
    assert cells(table, published.title("memory_only"))[4:6] == ["60.00 ± 1.00", "−10.00 ± 2.00"]
    assert set(cells(table, published.title("baseline"))[4:]) == {DASH}
    assert table is not None
    assert f"With 3 trainings on {WHERE}: " in table.notes
    assert "10 epochs, seeds 0–9" in table.columns[-1].title
    assert set(table.tidy["trainings"].dropna()) == {3, 10}


def test_a_table_of_which_no_row_was_studied_is_left_out() -> None:
    (paths.study("parts", WHERE) / "means.csv").unlink()
    assert table_4.of_studies() is not None  # the row without a memory
    assert table_5.of_studies() is None
    (paths.study("tables", WHERE) / "about.json").unlink()
    assert table_3.of_studies() is None


def of_claim(findings: Sequence[Verdict], claim: str) -> dict[str, Verdict]:
    return {f.measure: f for f in findings
            if f.claim.claim == claim and f.results.dataset == WHERE}  # fmt: skip


def test_claims_are_judged_by_what_studies_keep() -> None:
    findings = verdicts.find(["embedded"])
    memory = of_claim(findings, "memory_full")[HALF]
    assert memory.effect is not None
    assert (memory.effect.value, memory.effect.low, memory.effect.high) == pytest.approx((3, 2, 8))
    assert (memory.effect.trainings, memory.effect.better) == (10, 0.75)
    assert memory.verdict == statements.SUPPORTED
    cbln = of_claim(findings, "charades_cbln_five")["R@5, IoU=0.5"]
    assert cbln.effect is not None
    assert cbln.effect.value == pytest.approx(20)
    assert cbln.verdict == statements.SUPPORTED
    assert not cbln.speaks_of_the_paper  # what it sees are no features of videos


def test_a_pair_that_a_study_keeps_is_judged_by_it() -> None:
    keep_pairs("parts", [("memory_only", "no_calibration", "all", -0.04)])
    keep_pairs("methods", [("cbln", "mgsl_net", CONTRAST, 0.03), ("cbln", "", CONTRAST, -0.2)])
    here = Studied(WHERE)
    kept = here.difference("no_calibration", "memory_only", "all", HALF)
    assert kept is not None
    assert (kept["value"], kept["low"], kept["high"]) == pytest.approx((0.04, 0.03, 0.05))
    lead = here.difference("mgsl_net", "cbln", CONTRAST, HALF)
    alone = here.difference("cbln", "", CONTRAST, HALF)
    assert lead is not None
    assert alone is not None
    assert (lead["value"], alone["value"]) == pytest.approx((-0.03, -0.2))
    assert here.difference("memory_only", "no_calibration", "rare", HALF) is None


def test_what_studies_do_not_compare_is_said() -> None:
    findings = verdicts.find(["embedded"])
    pair = of_claim(findings, "memory_larger")[HALF]
    assert pair.reason == "no kept study compares such runs"
    told_once = [text for text in claims_table.summary(findings) if "not run, and why" in text]
    why = f"baseline not run on {WHERE}"
    counted = sum(f.reason == why for f in findings)
    assert [f"{why} ({counted})" in text for text in told_once].count(True) == 1
    assert of_claim(findings, "memory_alone")[HALF].reason == f"baseline not run on {WHERE}"
    assert of_claim(findings, "content")[HALF].effect is None
    assert of_claim(findings, "charades_smaller")[HALF].reason.startswith("kept studies do not")


def test_pairs_of_the_study_of_tables_go_first() -> None:
    pairs = {"dataset": WHERE, "a": "mgsl_net", "b": "attention_only", "group": "all"}
    pairs |= {"metric": HALF, "value": 0.04, "low": -0.01, "high": 0.06, "sd": 0.01, "better": 0.9}
    pairs |= {"trainings": 10, "queries": 3720}
    pd.DataFrame([pairs]).to_csv(paths.study("tables", WHERE) / "pairs.csv", index=False)
    turned = kept_trainings.find(WHERE, "attention_only", "mgsl_net", "all", HALF)
    assert turned is not None
    assert turned[["a", "b", "value", "low", "high"]].tolist() == [
        "attention_only", "mgsl_net", -0.04, -0.06, 0.01
    ]  # fmt: skip
    memory = of_claim(verdicts.find(["embedded"]), "memory_full")[HALF]
    assert memory.effect is not None
    assert memory.effect.value == pytest.approx(4)
    assert memory.verdict == statements.UNDECIDED


def test_a_dataset_that_was_evaluated_is_not_added() -> None:
    assert studied.of(["embedded"]) == [Studied(WHERE)]
    assert studied.of(["embedded", WHERE]) == []


def test_the_front_page_asks_whether_the_memory_helps_there() -> None:
    lines = front_page.verdict(["embedded"], [], [])
    asked_of = [line.answer for line in lines if line.question == "Does the memory help?"]
    assert asked_of == ["Not tested on embedded (simulated).", f"Not tested on {WHERE}."]
