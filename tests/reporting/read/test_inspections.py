"""Pages about memories show what was found in them, and judge by the rules that they state."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mgsl import paths
from mgsl.configs import InspectConfig
from mgsl.errors import UserError
from mgsl.evaluation.metrics import GROUPS, METRICS
from mgsl.files import write_json
from mgsl.inspection import memory_tables
from mgsl.models import MODELS
from mgsl.reporting.draw import figures, tables
from mgsl.reporting.exhibits import figure_7, inside_memory, sizes
from mgsl.reporting.read import inspections
from mgsl.reporting.read.inspections import Inspected
from mgsl.reporting.read.results import Results
from tests import tiny
from tests.reporting import report_workspace

NAMES = ("mgsl_net", "printed")
SLOTS = 12


def found_in(name: str, seed: int) -> tuple[dict[str, pd.DataFrame], dict[str, object]]:
    """Made-up findings: `printed` has slots that are all the same, and loses nothing."""
    rng = np.random.default_rng(seed)
    alive = float(name != "printed")
    slots, pairs, scatter = [], [], []
    for domain in ("video", "query"):
        table = pd.DataFrame(rng.random((SLOTS, 2)) * alive, columns=["x", "y"])
        table["slot"] = range(SLOTS)
        table["share_train"] = 1 / SLOTS
        table["frequency"] = np.geomspace(2, 90, SLOTS)
        table["distance"] = alive * 0.3
        table["representative"] = ["rare" * int(alive), *[""] * (SLOTS - 2), "common" * int(alive)]
        table["words"] = "gargoyle:0.500 box:0.250"
        slots.append(table.assign(memory=domain))
        for slot in (0, SLOTS - 1) if alive else ():
            for split in ("train", "test"):
                for rank in range(1, 6):
                    pairs.append(
                        {"slot": slot, "split": split, "rank": rank, "frequency": 3, "rare": True,
                         "sentence": f"{split} sentence {rank}", "score": 0.9, "memory": domain}
                    )  # fmt: skip
        value = -0.4 if alive else np.nan
        row = {"correlation": value, "low": value - 0.1, "high": value + 0.1, "p": 0.01}
        scatter += [{"unit": unit, "memory": domain, **row} for unit in ("slots", "words")]
    rows = [
        {"probe": probe, "group": group, "metric": metric, "value": 0.4, "low": 0.3, "high": 0.5,
         "difference": -cost, "difference_low": -2 * cost, "difference_high": -0.5 * cost}
        for place, probe in enumerate(["intact", *inside_memory._PROBES])
        for group in GROUPS
        for metric in METRICS
        for cost in [0.02 * alive * (place > 0)]
    ]  # fmt: skip
    made = {"slots": slots, "pairs": [pd.DataFrame(pairs)], "scatter": [pd.DataFrame(scatter)]}
    joined = {kind: pd.concat(parts, ignore_index=True) for kind, parts in made.items()}
    one = {"variance_shares": [0.5, 0.2], "rank": 3.0}
    about = {"rule": "the rule", "memories": {"video": one, "query": one}}
    hits = {
        f"{probe}, {metric}": [int(probe == "intact" or not alive)] * 2
        for probe in ["intact", *inside_memory._PROBES]
        for metric in METRICS
    }
    answers = pd.DataFrame({"qid": ["v2-3", "v2-4"], **hits})
    return {**joined, "probes": pd.DataFrame(rows), "answers": answers}, about


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"], seeds=(0, 1))
    parameters = tiny_params(tmp_path)
    config = InspectConfig(
        names=NAMES,
        seeds=(0, 1),
        evaluation=parameters.evaluation,
        rare=parameters.preparation.rare,
    )
    write_json(paths.config("embedded", "inspect"), config.model_dump(mode="json"))
    for name in NAMES:
        for seed in (0, 1):
            memory_tables.write(paths.inspected("embedded", name, seed), *found_in(name, seed))
    return tmp_path


def tiny_params(root: Path):  # type: ignore[no-untyped-def]
    assert (root / "params.yaml").is_file()
    return tiny.parameters()


def texts(drawing: figures.Drawing) -> str:
    figure = drawing.figure
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_verdicts_follow_from_the_intervals() -> None:
    alive, dead = inspections.read(Results("embedded"))
    assert [inspections.carries_content(alive, metric) for metric in METRICS] == ["yes"] * 2
    assert inspections.carries_content(dead, METRICS[0]) == "no: nothing changes"
    table = pd.DataFrame(
        {"correlation": [-0.4, 0.4, 0.1, np.nan], "low": [-0.5, 0.3, -0.1, np.nan],
         "high": [-0.3, 0.5, 0.3, np.nan], "trainings": 2}
    )  # fmt: skip
    assert [inspections.scattered(row) for _, row in table.iterrows()] == [
        "as in the paper", "the opposite", "undecided", "not testable: all slots hold the same",
    ]  # fmt: skip


def test_of_one_training_nothing_is_judged() -> None:
    alone = Inspected(Results("embedded"), "mgsl_net", (0,))
    assert inspections.carries_content(alone, METRICS[0]) == "undecided: one training"
    assert inspections.scattered(alone.scatter().iloc[0]) == "undecided: one training"
    probes = alone.probes.query("probe == 'memory_shuffled' and group == 'all'").iloc[0]
    assert (probes["difference"], probes["trainings"]) == (-0.02, 1)


def test_numbers_are_means_over_the_seeds() -> None:
    path = paths.inspected("embedded", "mgsl_net", 1) / "answers.csv"
    table = pd.read_csv(path)
    table["memory_shuffled, R@1, IoU=0.5"] = [1, 0]
    table.to_csv(path, index=False)
    alive, _ = inspections.read(Results("embedded"))
    rows = alive.probes.query("probe == 'memory_shuffled' and group == 'all'")
    row = rows[rows["metric"] == METRICS[0]].iloc[0]
    assert (row["value"], row["difference"], row["trainings"]) == (0.25, -0.75, 2)
    assert row["difference_sd"] == pytest.approx(np.std([-1, -0.5], ddof=1))
    assert row["difference_low"] < -1  # over two trainings: wide
    path = paths.inspected("embedded", "mgsl_net", 1) / "scatter.csv"
    table = pd.read_csv(path)
    table["correlation"] -= 0.2
    table.to_csv(path, index=False)
    row = alive.scatter().iloc[0]
    half = stats.t.ppf(0.975, 1) * 0.2 / 2
    assert row["correlation"] == pytest.approx(-0.5)
    assert (row["low"], row["high"]) == pytest.approx((-0.5 - half, -0.5 + half))


def test_figure_7_shows_slots_pairs_and_the_verdict() -> None:
    drawing = figure_7.draw(["embedded"])
    said = texts(drawing)
    assert "A  rare: gargoyle, box" in said
    assert "0.90  test sentence 1 [3]" in said
    assert "train sentence" not in said
    assert "over words: as in the paper (ρ = −0.40, −0.40 to −0.40)" in said
    assert said.count(f"all {SLOTS} slots hold the same") == 2
    assert "SIMULATED" in drawing.caption
    assert figures.render(drawing, "svg") == figures.render(figure_7.draw(["embedded"]), "svg")


def test_the_memory_page_says_whether_slots_hold_something() -> None:
    drawing = inside_memory.draw(["embedded"])
    said = texts(drawing)
    assert "MGSL-Net (repaired)   R@1, IoU=0.5 100.0 %: yes" in said
    assert "MGSL-Net (literal)   R@1, IoU=0.5 100.0 %: no: nothing changes" in said
    assert "SIMULATED" in drawing.caption


def test_what_is_missing_is_named() -> None:
    (paths.inspected("embedded", "printed", 1) / "answers.csv").unlink()
    with pytest.raises(UserError, match=r"printed/1/answers.csv is missing: run `dvc repro`"):
        inside_memory.draw(["embedded"])
    nobody = Inspected(Results("embedded"), "nobody", (0,))
    with pytest.raises(UserError, match=r"nobody/0/summary.json is missing"):
        nobody.summary(0)
    config = paths.config("embedded", "inspect")
    write_json(config, json.loads(config.read_text()) | {"names": []})
    assert figure_7.draw(["embedded"]).caption == inspections.NOTHING
    with pytest.raises(UserError, match=r"traced/sizes.csv is missing: run `python -m mgsl trace`"):
        sizes.build()


def test_the_table_of_sizes_sets_the_printed_one_beside_ours() -> None:
    from mgsl.inspection.parameter_counts import measure

    counted = measure(tiny.parameters(), {name: kind.Config for name, kind in MODELS.items()})
    paths.SIZES.parent.mkdir(parents=True)
    counted.to_csv(paths.SIZES, index=False)
    table = sizes.build()
    first = dict(table.rows)["D = 1024, two attention layers in each encoder, F = 3D"]
    assert [cell.text for cell in first][2:4] == ["53.46", "203.9"]
    assert [cell.text for cell in first][-2:] == ["203", "+0.9"]
    assert "203.9" in tables.to_latex(table)
