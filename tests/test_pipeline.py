"""The whole road on a handful of videos: every stage, in a folder of its own."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import torch

from mgsl import numerics, params, paths, stages
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.reporting.site import notebooks
from mgsl.studies import run_groups, write_terms
from tests import ROOT

METHODS = ("prior", "action_prior", "mgsl_net")
GROUP = ("memory_only", "no_calibration")
NAMES = (*METHODS, "printed", *GROUP)
VIDEOS = {"train": 24, "val": 8, "test": 12}


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which every stage but the reports has run."""
    folder = tmp_path_factory.mktemp("road")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        few_videos(folder / "data")
        document = read_yaml(ROOT / "params.yaml")
        document["settings"]["embedded"]["embedded"] |= {
            "epochs": 2, "dim": 8, "video_slots": 80, "query_slots": 80
        }  # fmt: skip
        document["seeds"] = [0]
        document["methods"], document["ablations"] = list(METHODS), ["printed", "table_5"]
        document["groups"]["table_5"] = list(GROUP)
        document["exhibits"] = {"paper": ["table_1", "figure_1b"]}
        document["evaluation"]["resamples"] = 50
        write_json(folder / "params.yaml", document)  # JSON is YAML
        shutil.copytree(ROOT / "notebooks", folder / "notebooks")
        stages.configure()
        stages.download(dataset="embedded")
        stages.prepare(dataset="embedded")
        for name in METHODS:
            stages.train(dataset="embedded", name=name, seed=0, device="cpu")
        for name in ("printed", "table_5"):
            stages.ablate(dataset="embedded", name=name, seed=0, device="cpu")
        stages.evaluate(dataset="embedded")
    torch.set_flush_denormal(False)
    return folder


@pytest.fixture
def inside(road: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace, as the working folder."""
    monkeypatch.chdir(road)
    return road


def test_every_run_and_every_group_is_scored(inside: Path) -> None:
    metrics = pd.read_csv(paths.metrics("embedded"))
    assert set(metrics["name"]) == set(NAMES)
    assert list(metrics["group"].unique())[:3] == ["all", "rare", "common"]
    assert metrics["value"].dropna().between(0, 1).all()
    headline = json.loads(paths.headline("embedded").read_text())
    assert headline.keys() == set(NAMES)
    kept = pd.read_csv(paths.trainings("embedded"))
    assert list(kept.columns) == ["name", "group", "metric", "mean", "sd", "trainings"]
    assert set(kept["name"]) == set(NAMES)
    assert set(kept["trainings"]) == {1}


def test_every_checkpoint_tells_the_numerics_it_was_trained_with(inside: Path) -> None:
    checkpoints = list((paths.ARTIFACTS / "embedded/runs").rglob(numerics.CHECKPOINT))
    assert len(checkpoints) == len(NAMES)  # of methods that see no video, too
    assert {numerics.recorded(path) for path in checkpoints} == {numerics.current().label}


def test_a_training_leaves_its_curve_and_no_unfinished_state(inside: Path) -> None:
    curve = pd.read_csv(paths.run("embedded", "printed", 0, "printed") / "curve.csv")
    assert list(curve["epoch"]) == [1, 2]
    assert not list((inside / "artifacts/unfinished").glob("*"))


def test_memories_are_inspected_to_the_same_bytes_each_time(inside: Path) -> None:
    folder = paths.inspected("embedded", "mgsl_net", 0)
    stages.inspect(dataset="embedded", device="cpu")
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    tables = {"slots.csv", "pairs.csv", "scatter.csv", "probes.csv", "answers.csv"}
    assert first.keys() == tables | {"summary.json"}
    stages.inspect(dataset="embedded", device="cpu")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == first
    probes = pd.read_csv(folder / "probes.csv").set_index(["probe", "group", "metric"])["value"]
    metrics = pd.read_csv(paths.metrics("embedded")).query("name == 'mgsl_net'")
    scored = metrics.set_index(["group", "metric"])["value"]
    for key in [("all", "R@1, IoU=0.5"), ("rare", "R@1, IoU=0.7")]:
        assert probes["intact", *key] == pytest.approx(scored[key], abs=1e-6)


def test_training_again_gives_the_same_bytes(inside: Path) -> None:
    run = paths.run("embedded", "mgsl_net", 0)
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    stages.train(dataset="embedded", name="mgsl_net", seed=0, device="cpu")
    assert {file.name: file.read_bytes() for file in run.iterdir()} == before


def test_a_group_leaves_each_of_its_trainings_and_takes_up_those_that_are_done(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group = paths.run("embedded", "table_5", 0)
    assert {folder.name for folder in group.iterdir()} == set(GROUP)
    kept = (group / GROUP[0] / "predictions.jsonl").read_bytes()
    state = stages._fit((GROUP[0], 0), dataset="embedded", device="cpu")
    shutil.rmtree(group)  # as DVC does before it starts a stage again
    capsys.readouterr()
    assert stages._fit((GROUP[0], 0), dataset="embedded", device="cpu") == state
    assert "resuming after epoch 2" in capsys.readouterr().out
    assert (group / GROUP[0] / "predictions.jsonl").read_bytes() == kept
    stages.ablate(dataset="embedded", name="table_5", seed=0, device="cpu")
    assert not state.exists()


def test_a_group_is_compared_with_the_recommended_reading(inside: Path) -> None:
    parameters = params.load(paths.PARAMS)
    run_groups.run(parameters, "table_5")
    table = pd.read_csv(paths.STUDIES / "table_5.csv").set_index(["name", "group", "metric"])
    assert set(table.index.get_level_values("name")) == {"mgsl_net", *GROUP}
    metrics = pd.read_csv(paths.metrics("embedded")).set_index(["name", "group", "metric"])
    for name in ("mgsl_net", *GROUP):
        row = (name, "all", "mIoU")
        assert table.loc[row, "value"] == pytest.approx(metrics.loc[row, "value"], abs=1e-6)
        less = metrics.loc[row, "value"] - metrics.loc[("mgsl_net", "all", "mIoU"), "value"]
        assert table.loc[row, "difference"] == pytest.approx(less, abs=2e-6)
    rescored = run_groups.compare("embedded", ["mgsl_net"], run_groups.scoring_rules("embedded"))
    unsuppressed = rescored[rescored["name"] == "nms_none"].dropna(subset="difference")
    first = unsuppressed["metric"].str.startswith("R@1")
    assert first.any()
    assert (unsuppressed.loc[first, "difference"] == 0).all()  # NMS never removes the best
    in_clips = rescored[rescored["name"] == "scored_in_clips"]
    assert in_clips["difference"].abs().max() > 0
    kept = pd.read_csv(paths.STUDIES / "table_5_validation.csv").set_index("name")
    curve = pd.read_csv(paths.run("embedded", "mgsl_net", 0) / "curve.csv")
    best = curve.loc[curve["val_R@1, IoU=0.5"].argmax()]
    for column, log in (("intact", ""), ("rare", "rare_"), ("zeroed", "memory_zeroed_")):
        value = kept.loc["mgsl_net", f"{column}, R@1, IoU=0.5"]
        assert value == pytest.approx(best[f"val_{log}R@1, IoU=0.5"], abs=1e-6)
    assert kept.loc["mgsl_net", "video_slot_rank"] == pytest.approx(best["video_slot_rank"])
    about = json.loads((paths.STUDIES / "table_5.json").read_text())["embedded"]
    assert about["changes"]["no_calibration"] == {"attention.calibration": "none"}
    choices = parameters.models["mgsl_net"].choices
    assert about["base"]["attention.calibration"] == choices["attention"]["calibration"]
    with pytest.raises(UserError, match="must list slots under ablations"):
        run_groups.run(parameters, "slots")


def test_all_methods_are_compared_with_the_recommended_reading(inside: Path) -> None:
    parameters = params.load(paths.PARAMS)
    run_groups.run(parameters, "methods")
    table = pd.read_csv(paths.STUDIES / "methods.csv").set_index(["name", "group", "metric"])
    assert set(table.index.get_level_values("name")) == set(parameters.methods) | {
        name for name in parameters.ablations if name not in parameters.groups
    }
    metrics = pd.read_csv(paths.metrics("embedded")).set_index(["name", "group", "metric"])
    row = ("prior", "all", "R@5, IoU=0.5")
    assert table.loc[row, "value"] == pytest.approx(metrics.loc[row, "value"], abs=1e-6)
    assert not (paths.STUDIES / "methods_validation.csv").exists()


def test_the_first_steps_of_a_memory_are_watched_term_by_term(inside: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_terms, "STEPS", (0, 2))
        table = write_terms.measure("embedded", ["printed", "mgsl_net"], 0)
    assert list(table["step"].unique()) == [0, 2]
    assert set(table["memory"]) == {"video", "query"}
    shares = table[["slots", "keys", "values", "evenness", "added"]]
    assert ((shares > -1e-6) & (shares < 1 + 1e-6)).all(axis=None)
    later = table[table["step"] == 2].groupby("name")["slots"].mean()
    assert later["printed"] > later["mgsl_net"]  # flat addressing writes the same into every slot


def test_a_checkpoint_predicts_what_training_predicted(inside: Path, tmp_path: Path) -> None:
    again = tmp_path / "predictions.jsonl"
    stages.predict(dataset="embedded", name="mgsl_net", seed=0, device="cpu", output=again)
    trained = paths.run("embedded", "mgsl_net", 0) / "predictions.jsonl"
    assert again.read_bytes() == trained.read_bytes()


def test_a_checkpoint_of_another_configuration_is_refused(inside: Path, tmp_path: Path) -> None:
    config = paths.config("embedded", "mgsl_net")
    kept = config.read_text()
    try:
        config.write_text(kept.replace('"video_slots": 80', '"video_slots": 81'))
        with pytest.raises(UserError, match=r"video_slots: trained with 80, asked for 81"):
            stages.predict(
                dataset="embedded", name="mgsl_net", seed=0, device="cpu", output=tmp_path / "p"
            )
    finally:
        config.write_text(kept)
    assert not (tmp_path / "p").exists()


def test_a_run_that_params_do_not_list_is_named(inside: Path) -> None:
    with pytest.raises(UserError, match=r"no_such\.json is missing: see that params.yaml"):
        stages.train(dataset="embedded", name="no_such", seed=0, device="cpu")


def test_the_notebook_asks_a_checkpoint_about_an_example(inside: Path) -> None:
    executed = notebooks.execute(Path("notebooks/ground.ipynb"), {})
    texts = [o["text"] for c in executed.cells for o in c.get("outputs", ()) if "text" in o]
    assert "mgsl_net, trained on embedded (SIMULATED features)" in texts[0]
    assert (paths.ARTIFACTS / "ground.svg").is_file()


def test_the_reports_are_built_twice_to_the_same_bytes(inside: Path) -> None:
    def build() -> dict[str, bytes]:
        stages.report()
        files = (*paths.REPORTS.glob("*.*"), *paths.EXHIBITS.glob("*.*"))
        return {file.name: file.read_bytes() for file in files}

    first = build()
    assert {"index.html", "table_1.csv", "table_1.tex", "figure_1b.svg", "README.md"} <= set(first)
    assert b"simulated" in first["table_1.html"].lower()
    assert build() == first


def few_videos(data: Path) -> None:
    """The first videos of each split of the embedded dataset."""
    lines = (ROOT / "mgsl/resources/embedded/annotations.jsonl").read_text().splitlines()
    counts: Counter[str] = Counter()
    data.mkdir()
    with (data / "annotations.jsonl").open("w") as file:
        for line in lines:
            split = json.loads(line)["split"]
            counts[split] += 1
            if counts[split] <= VIDEOS[split]:
                file.write(line + "\n")
