"""The paper's numbers are what the paper prints, and every method of it has a name here."""

import math
from pathlib import Path

import pandas as pd
import pytest

from mgsl import params, paths
from mgsl.reporting.read import published


def test_table_1_has_fifteen_methods_in_the_papers_order() -> None:
    printed = list(pd.read_csv(published.FOLDER / "table1.csv")["method"].unique())
    named = list(dict.fromkeys(m.printed for m in published.methods() if m.printed))
    assert len(printed) == 15
    assert named == printed


@pytest.mark.parametrize(
    ("method", "benchmark", "metric", "percent"),
    [
        ("MGSL-Net", "activitynet", "R@1, IoU=0.5", 51.87),
        ("MGSL-Net", "tacos", "R@1, IoU=0.5", 32.27),
        ("2DTAN", "charades", "R@1, IoU=0.7", 23.25),
        ("TGN", "activitynet", "R@5, IoU=0.5", 43.33),
    ],
)
def test_a_printed_number_is_found(
    method: str, benchmark: str, metric: str, percent: float
) -> None:
    assert published.table_1()[method, benchmark, metric] == percent


def test_what_is_not_printed_is_left_out() -> None:
    numbers = published.table_1()
    assert ("TGN", "activitynet", "R@1, IoU=0.7") not in numbers
    assert not any(math.isnan(percent) for percent in numbers.values())


def test_each_benchmark_has_the_metrics_of_its_columns() -> None:
    assert published.metrics("tacos") == [
        "R@1, IoU=0.3", "R@1, IoU=0.5", "R@5, IoU=0.3", "R@5, IoU=0.5",
    ]  # fmt: skip
    assert published.metrics("charades")[1] == "R@1, IoU=0.7"


def test_figure_1b_is_read() -> None:
    assert published.bin_shares() == [11.01, 24.35, 28.87, 35.77]
    assert published.rare_and_common()["DRN"] == (22.46, 48.29)


def test_both_configurations_of_mgsl_net_share_a_printed_row() -> None:
    titles = {m.name: m.title for m in published.methods() if m.printed == "MGSL-Net"}
    assert titles == {
        "mgsl_net": "MGSL-Net (repaired)",
        "printed": "MGSL-Net (literal)",
    }


def test_the_ablations_are_eleven_and_coinciding_rows_print_the_same_numbers() -> None:
    tables = [published.ablations(number) for number in (3, 4, 5)]
    printed: dict[str, set[tuple[float, float]]] = {}
    for table in tables:
        for name, *numbers in table[["r1_iou0.5", "r1_iou0.7"]].itertuples():
            printed.setdefault(name, set()).add((numbers[0], numbers[1]))
    assert {name: len(numbers) for name, numbers in printed.items()} == dict.fromkeys(printed, 1)
    assert len(printed) == 11
    assert all(published.title(name) != name for name in printed)


def test_every_open_question_of_a_training_is_read_otherwise_by_a_run() -> None:
    parameters = params.load(paths.PARAMS)
    groups = ("readings", "more_readings", "details")
    runs = [name for group in groups for name in parameters.groups[group]]
    rescored = ["nms_fixed", "nms_none", "scored_in_clips"]
    asked = {published.question(name) for name in (*runs, *rescored)}
    inspected = {"Q6"}  # writes at test time: a diagnostic of the stage `inspect`
    questions = {f"Q{number}" for number in range(1, 26)} - {"Q22", "Q24"}  # those of the splits
    assert asked - {"", "G"} == questions - inspected
    text = Path("docs/open_questions.md").read_text()
    for question in questions:
        assert f"**{question}. " in text


def test_a_method_without_a_title_keeps_its_name() -> None:
    assert published.title("tan_2d") == "2D-TAN"
    assert published.title("something_new") == "something_new"
