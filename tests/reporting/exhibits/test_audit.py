"""The audit's arithmetic has known answers, and would notice if the numbers were others."""

from pathlib import Path

import pytest

from mgsl.data.annotations import Annotation
from mgsl.errors import UserError
from mgsl.reporting.draw import figures
from mgsl.reporting.exhibits.audit import arithmetic, audit_page, provenance
from mgsl.reporting.exhibits.audit.findings import SURE
from mgsl.reporting.read import published
from mgsl.reporting.read.kept_studies import Studies
from mgsl.studies.benchmarks import Benchmark
from mgsl.studies.examples import Example, locate

STUDIES = "reports/studies"
TABLE_1 = published.table_1()


def texts(findings: list) -> str:
    return "\n".join(f"{f.place}: {f.finding} [{f.evidence}]" for f in findings)


def test_the_three_rare_and_common_pairs_of_figure_1b_meet_table_1() -> None:
    text = texts(arithmetic.rarity())
    assert "= 100.00 %" in text
    for overall in ("44.51", "45.45", "51.87"):
        assert f"= {overall}; Table 1 prints {overall};" in text
    assert "do not agree" not in text


def test_a_recall_that_does_not_fit_its_parts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "rare_and_common", lambda: {"DRN": (30.0, 48.29)})
    text = texts(arithmetic.rarity())
    assert "recall of DRN do not agree" in text
    assert "= 46.28; Table 1 prints 45.45" in text


def test_the_implied_share_is_exact_where_the_numbers_are() -> None:
    low, high = arithmetic.implied_share(20.0, 60.0, 55.0)
    assert low < 0.125 < high
    assert high - low < 0.001


def test_a_recall_below_one_that_it_contains_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    (fine,) = arithmetic.order()
    assert fine.finding == "Every recall of Table 1 is at least as high as each stricter one."
    changed = TABLE_1 | {("DRN", "charades", "R@5, IoU=0.7"): 31.0}
    monkeypatch.setattr(published, "table_1", lambda: changed)
    (broken,) = arithmetic.order()
    assert broken.evidence == "DRN on charades, R@1, IoU=0.7 31.75 > R@5, IoU=0.7 31.0"


def test_the_lead_in_each_column_is_over_the_best_other_row() -> None:
    text = texts(arithmetic.margins())
    assert "R@1, IoU=0.5: +4.62 over CBLN" in text
    assert text.count("leads every column") == 3


def test_the_rows_that_coincide_are_those_two_pairs() -> None:
    places = [finding.finding.split(":")[0] for finding in arithmetic.coincidences()]
    assert places == [
        "Row 2 of Table 3 and row 1 of Table 5 are the same run",
        "Row 3 of Table 3 and row 1 of Table 4 are the same run",
    ]


def test_steps_and_repeated_accuracies_are_subtracted_right() -> None:
    text = texts([*arithmetic.contributions(), *arithmetic.accuracies()])
    assert "memory +5.59 / +5.53 without, +5.68 / +5.69 with attention" in text
    assert "+1.45 / +1.09, +1.24 / +1.08, +1.09 / +0.31" in text
    assert "calibration alone +1.09 / +0.97, self-attention alone +2.03 / +2.55" in text
    assert "The accuracies of Table 2 are those of Table 1." in text
    assert "Tables 3, 4 and 5 are the row of MGSL-Net" in text


@pytest.mark.parametrize(
    ("method", "parameters", "fits"),
    [
        ("CTRL", 21_600_163, "millions"),
        ("2DTAN", 60_925_953, "MiB"),
        ("2DTAN", 82_442_241, "neither"),
        ("ACRN", 128_127_555, "millions"),
        ("ACRN", 15_259_555, "neither"),
        ("TGN", 15_055_905, "neither"),
        ("DRN", 45_511_378, "neither"),
    ],
)
def test_a_printed_size_is_mib_or_millions_or_neither(
    method: str, parameters: int, fits: str
) -> None:
    table = provenance.sizes().set_index(["method", "parameters"])
    assert table.loc[(method, parameters), "fits"] == fits


def test_a_mib_of_weights_is_a_quarter_of_its_bytes() -> None:
    table = provenance.sizes().set_index("configuration")
    assert table.loc["for TACoS: pooling", "mib"] == pytest.approx(60_925_953 * 4 / 1024 / 1024)


def test_every_fact_about_a_row_is_of_a_printed_row_and_says_how_sure_it_is() -> None:
    known = published.provenance()
    assert set(known["sure"]) <= set(SURE)
    assert set(published.sizes()["sure"]) <= set(SURE)
    cells = {key[:2] for key in TABLE_1}
    assert set(zip(known["method"], known["benchmark"], strict=True)) <= cells
    text = texts(provenance.provenance())
    assert "R@1, IoU=0.5: 27.93 with C3D, printed 28.47 (+0.54)" in text
    assert "GDP, LGI, BPNet, VSLNet" in text
    assert "below it in 6 of 6 cells" in text


def test_an_example_of_figure_6_is_a_training_pair() -> None:
    findings = provenance.examples(Studies(STUDIES))
    splits = [(f.place, "training pair" in f.finding, f.evidence) for f in findings]
    assert [(place, trained) for place, trained, _ in splits] == [
        ("Figure 1a", False), ("Figure 6", False), ("Figure 6", True)
    ]  # fmt: skip
    assert splits[2][2] == "v_99A2KqvfBLI, 58.15–73.33 s of 126.42 s; printed: the same"


def test_without_the_study_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="python -m mgsl study"):
        audit_page.findings(str(tmp_path))


def test_examples_are_found_by_their_words_or_by_their_moment() -> None:
    def pair(sentence: str, start: float, split: str) -> Annotation:
        return Annotation("q", "v1", sentence, split, start, 9.5, 20.0, None)

    pairs = [pair(" A dog barks. ", 1.0, "train"), pair("A dog bites.", 2.0, "test")]
    benchmark = Benchmark("tacos", pairs, [], {})
    shown = [Example("6", "a dog, barks", "", 1.0, 9.0), Example("1a", "", "v1", 2.0, 9.5)]
    rows = locate(shown, [benchmark])
    assert list(rows["figure"]) == ["6", "1a"]
    assert list(rows["split"]) == ["train", "test"]
    assert list(rows["end_s"] == rows["printed_end_s"]) == [False, True]
    assert locate([Example("6", "a cat", "", 1.0, 9.0)], [benchmark]).empty


def test_the_table_and_the_figure_hold_every_finding() -> None:
    table = audit_page.build(STUDIES)
    assert len(table.rows) == len(audit_page.findings(STUDIES))
    assert figures.render(audit_page.draw(), "svg").startswith(b"<?xml")


def test_a_fact_from_memory_is_marked_in_the_figure() -> None:
    words = {text.get_text() for axes in audit_page.draw().figure.get_axes() for text in axes.texts}
    words |= {
        text.get_text()
        for part in audit_page.draw().figure.subfigs
        for axes in part.get_axes()
        for text in axes.texts
    }
    assert {"val_1 ?", "re-run ?", "VGG", "val_1 + val_2"} <= words
