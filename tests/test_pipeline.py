"""The whole road on a handful of videos: every stage, in a folder of its own."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import torch

from mgsl import numerics, params, paths, processes, stages
from mgsl.configs import EvaluateConfig, RunConfig
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.params import Params
from mgsl.reporting.exhibits import figure_7, inside_memory
from mgsl.reporting.read import inspections, published, stamps
from mgsl.reporting.read.results import Results
from mgsl.reporting.site import notebooks
from mgsl.studies import plan, run_groups, write_terms
from mgsl.studies.plan import StudyParams
from mgsl.training import receipt
from tests import ROOT

METHODS = ("prior", "action_prior", "mgsl_net")
GROUP = ("memory_only", "no_calibration")
FILES = ("checkpoint.safetensors", "curve.csv", "predictions.jsonl")
OF_RUNS = (  # exhibits that show what was run, traced or not
    *("table_1", "table_3", "figure_1a", "figure_1b", "figure_6", "figure_7", "figures_4_5"),
    *("noise", "inside_memory", "long_tail", "training_curve"),
)
OTHER = "gdp_no_graph"  # an ablation of a method that does not run itself
NAMES = (*METHODS, "printed", *GROUP, OTHER)
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
        document["methods"], document["ablations"] = (list(METHODS), ["printed", "table_5", OTHER])
        document["groups"]["table_5"] = list(GROUP)
        document["exhibits"] = {"paper": ["table_1", "figure_1b"]}
        document["evaluation"]["resamples"] = 50
        write_json(folder / "params.yaml", document)  # JSON is YAML
        shutil.copytree(ROOT / "notebooks", folder / "notebooks")
        shutil.copytree(ROOT / "docs", folder / "docs")
        stages.configure()
        stages.download(dataset="embedded")
        stages.prepare(dataset="embedded")
        train()
        stages.evaluate(dataset="embedded")
    torch.set_flush_denormal(False)
    return folder


def train(name: str | None = None, seed: int | None = None, *, again: bool = False) -> None:
    stages.train(dataset="embedded", name=name, seed=seed, again=again, device="cpu")


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


def test_an_ablation_of_any_method_is_trained_scored_and_has_a_title(inside: Path) -> None:
    run = params.read(RunConfig, paths.config("embedded", OTHER))
    assert (run.name, run.method, run.model["graph"]) == (OTHER, "gdp", "none")
    results = Results("embedded")
    row = results.result(OTHER, "all", "R@1, IoU=0.5")
    assert row is not None
    assert (row["trainings"], published.title(OTHER)) == (1, "GDP, no graph")
    assert OTHER in dict(stamps.of_source(results))["Schedule"]


def test_every_checkpoint_tells_the_numerics_it_was_trained_with(inside: Path) -> None:
    checkpoints = list((paths.ARTIFACTS / "embedded/runs").rglob(numerics.CHECKPOINT))
    assert len(checkpoints) == len(NAMES)  # of methods that see no video, too
    assert {numerics.recorded(path) for path in checkpoints} == {numerics.current().label}


def test_a_training_leaves_its_curve_and_no_unfinished_state(inside: Path) -> None:
    run = paths.run("embedded", "printed", 0)
    assert list(pd.read_csv(run / "curve.csv")["epoch"]) == [1, 2]
    sealed = json.loads((run / receipt.RECEIPT).read_text())["files"].keys()
    assert {*sealed, receipt.RECEIPT} == {file.name for file in run.iterdir()}
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


@pytest.fixture
def again(inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the workspace to be changed, as the working folder; one training at a time."""
    folder = shutil.copytree(inside, tmp_path / "again")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(processes, "cores", lambda: 1)
    yield folder
    torch.set_flush_denormal(False)


def configure(**changes: object) -> None:
    write_json(paths.PARAMS, read_yaml(paths.PARAMS) | changes)
    shutil.rmtree(paths.ARTIFACTS / "configs")  # as DVC does
    stages.configure()


def trained(out: str) -> set[str]:
    """The trainings that ended, of what was printed."""
    return set(re.findall(r"(\w+, seed \d+): done", out))


def trainings() -> dict[str, bytes]:
    """Every file of every training."""
    runs = paths.runs("embedded")
    files = (path for path in runs.rglob("*") if path.is_file())
    return {str(path.relative_to(runs)): path.read_bytes() for path in files}


def test_what_is_finished_is_kept_in_one_line_and_forced_to_the_same_bytes(
    again: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = trainings()
    times = {path: path.stat().st_mtime_ns for path in paths.runs("embedded").rglob("*")}
    train()
    assert capfd.readouterr().out == "kept: 7 of 7 trainings, which no change concerns\n"
    assert {path: path.stat().st_mtime_ns for path in times} == times
    train("mgsl_net", again=True)
    out = capfd.readouterr().out
    assert trained(out) == {"mgsl_net, seed 0"}
    assert "done, 1 of 1\n" in out
    assert "kept" not in out
    assert trainings() == before


def test_a_changed_number_trains_what_it_concerns_alone(
    again: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = trainings()
    configure(memory={"slots": 81})
    train()
    assert trained(capfd.readouterr().out) == {
        f"{name}, seed 0" for name in ("mgsl_net", "printed", *GROUP)
    }
    after = trainings()
    assert after.keys() == before.keys()
    assert {name.partition("/")[0] for name in after if after[name] == before[name]} >= {
        "prior",
        "action_prior",
    }
    configure(memory={"slots": None})
    train()
    assert trainings() == before


def test_a_new_seed_is_trained_alone_and_removed_when_it_is_no_longer_listed(
    again: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = trainings()
    configure(seeds=[0, 1], ablations=[])
    train()
    out = capfd.readouterr().out
    assert "kept: 3 of 6 trainings" in out
    assert trained(out) == {f"{name}, seed 1" for name in METHODS}
    assert {path.name for path in paths.runs("embedded").iterdir()} == set(METHODS)
    configure(seeds=[0], ablations=[])
    train("prior", 7)
    assert paths.run("embedded", "prior", 1).exists()  # the whole stage removes, no part of it
    train()
    assert trainings() == {
        name: content for name, content in before.items() if name.partition("/")[0] in METHODS
    }


@pytest.mark.parametrize("name", [*FILES, receipt.RECEIPT])
def test_a_training_with_a_file_damaged_is_trained_anew(
    again: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = trainings()
    path = paths.run("embedded", "action_prior", 0) / name
    path.write_bytes(path.read_bytes()[:-2])
    train()
    out = capfd.readouterr().out
    assert "kept: 6 of 7 trainings" in out
    assert trained(out) == {"action_prior, seed 0"}
    assert trainings() == before


def test_what_stops_a_training_leaves_those_that_are_done(
    again: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trainings()
    shutil.rmtree(paths.runs("embedded"))
    with monkeypatch.context() as patch:
        patch.setattr(receipt, "write", stop_at("printed"))
        with pytest.raises(KeyboardInterrupt):
            train()
    assert len(list(paths.UNFINISHED.iterdir())) == 1
    assert trained(capfd.readouterr().out) == {f"{name}, seed 0" for name in METHODS}
    train()
    out = capfd.readouterr().out
    assert "kept: 3 of 7 trainings" in out
    assert "printed: resuming after epoch 2" in out
    assert trainings() == before
    assert not list(paths.UNFINISHED.iterdir())


def stop_at(name: str) -> Callable[[Path, str], None]:
    """`receipt.write`, but for the training of this name."""
    write = receipt.write

    def stop(folder: Path, digest: str) -> None:
        if folder.parent.name == name:
            raise KeyboardInterrupt
        write(folder, digest)

    return stop


def study(name: str, parameters: Params, *runs: str) -> EvaluateConfig:
    """Make a study of a group, or of some runs, and return how it was scored."""
    of = StudyParams(
        study=name, dataset="embedded", base="mgsl_net", runs=runs or (name,), seeds=(0,)
    )
    config = plan.config_of(of, parameters)
    run_groups.run(of, config, paths.study(name, "embedded"))
    return config


def test_a_group_is_compared_with_the_recommended_reading(inside: Path) -> None:
    parameters = params.load(paths.PARAMS)
    config = study("table_5", parameters)
    folder = paths.study("table_5", "embedded")
    table = pd.read_csv(folder / "means.csv").set_index(["name", "group", "metric"])
    assert set(table.index.get_level_values("name")) == {"mgsl_net", *GROUP}
    metrics = pd.read_csv(paths.metrics("embedded")).set_index(["name", "group", "metric"])
    for name in ("mgsl_net", *GROUP):
        row = (name, "all", "mIoU")
        assert table.loc[row, "value"] == pytest.approx(metrics.loc[row, "value"], abs=1e-6)
        less = metrics.loc[row, "value"] - metrics.loc[("mgsl_net", "all", "mIoU"), "value"]
        assert table.loc[row, "difference"] == pytest.approx(less, abs=2e-6)
    alone = config.model_copy(update={"names": ("mgsl_net",)})
    rescored = run_groups.compare(alone, "mgsl_net", run_groups.scoring_rules("embedded"))
    unsuppressed = rescored[rescored["name"] == "nms_none"].dropna(subset="difference")
    first = unsuppressed["metric"].str.startswith("R@1")
    assert first.any()
    assert (unsuppressed.loc[first, "difference"] == 0).all()  # NMS never removes the best
    in_clips = rescored[rescored["name"] == "scored_in_clips"]
    assert in_clips["difference"].abs().max() > 0
    kept = pd.read_csv(folder / "validation.csv").set_index("name")
    curve = pd.read_csv(paths.run("embedded", "mgsl_net", 0) / "curve.csv")
    best = curve.loc[curve["val_R@1, IoU=0.5"].argmax()]
    logged = [("intact", ""), ("rare", "rare_")]
    if best["epoch"] == len(curve):  # damage is logged after the last epoch alone
        logged.append(("zeroed", "memory_zeroed_"))
    for column, log in logged:
        value = kept.loc["mgsl_net", f"{column}, R@1, IoU=0.5"]
        assert value == pytest.approx(best[f"val_{log}R@1, IoU=0.5"], abs=1e-6)
    assert 0 <= kept.loc["mgsl_net", "zeroed, R@1, IoU=0.5"] <= 1
    assert kept.loc["mgsl_net", "video_slot_rank"] == pytest.approx(best["video_slot_rank"])
    about = json.loads((folder / "about.json").read_text())
    assert about["changes"]["no_calibration"] == {"attention.calibration": "none"}
    choices = parameters.models["mgsl_net"].choices
    assert about["base"]["attention.calibration"] == choices["attention"]["calibration"]


def test_methods_are_compared_with_the_recommended_reading(inside: Path) -> None:
    parameters = params.load(paths.PARAMS)
    study("methods", parameters, *parameters.methods)
    folder = paths.study("methods", "embedded")
    table = pd.read_csv(folder / "means.csv").set_index(["name", "group", "metric"])
    assert set(table.index.get_level_values("name")) == {*parameters.methods, "mgsl_net"}
    metrics = pd.read_csv(paths.metrics("embedded")).set_index(["name", "group", "metric"])
    row = ("prior", "all", "R@5, IoU=0.5")
    assert table.loc[row, "value"] == pytest.approx(metrics.loc[row, "value"], abs=1e-6)
    assert not (folder / "validation.csv").exists()


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
        train("no_such", 0)


def test_the_notebook_asks_a_checkpoint_about_an_example(inside: Path) -> None:
    output = (paths.ARTIFACTS / "ground").as_posix()
    executed = notebooks.execute(Path("notebooks/ground.ipynb"), {"output": output})
    texts = [o["text"] for c in executed.cells for o in c.get("outputs", ()) if "text" in o]
    assert "mgsl_net, trained on embedded (SIMULATED features)" in texts[0]
    assert (paths.ARTIFACTS / "ground.svg").is_file()


@pytest.mark.parametrize(
    ("method", "changes", "said"),
    [
        ("mgsl_net", {"beta": 5.0, "residual": False}, "video: slot cosine"),
        ("prior", {"samples": 50}, "Neither side has a memory"),
    ],
)
def test_a_notebook_tries_an_ablation_beside_the_pipeline(
    inside: Path, method: str, changes: dict[str, object], said: str
) -> None:
    before = trainings()
    given = {"method": method, "changes": changes, "seeds": [0], "output": "artifacts/ablation"}
    executed = notebooks.execute(Path("notebooks/ablation.ipynb"), given)
    text = nbformat.writes(executed)
    assert "1 of 2 trainings to do" in text  # the method itself is the pipeline's
    assert said in text
    assert f"dvc exp run -S '+models.{method}.ablations.try_" in text
    assert pd.read_csv("artifacts/ablation.csv")["side"].nunique() == 3
    assert trainings() == before


# What a run may be without: a memory, epochs, a method, anything to look into.
FEW = {
    "a rival": ([], "ctrl", []),
    "no epochs": ([], "prior", []),
    "nothing inspected": (["printed"], "mgsl_net", []),
    "an ablation of a rival": ([OTHER], None, []),
}


@pytest.mark.parametrize("few", FEW)
def test_a_run_of_little_goes_through_and_exhibits_say_what_they_lack(
    again: Path, few: str
) -> None:
    ablations, method, inspected = FEW[few]
    methods = [method] if method else []
    configure(methods=methods, ablations=ablations, inspected=inspected)
    train()
    stages.evaluate(dataset="embedded")
    stages.inspect(dataset="embedded", device="cpu")
    assert paths.inspections("embedded").is_dir()
    shutil.copytree(ROOT / paths.STUDIES, paths.STUDIES, dirs_exist_ok=True)
    for kept in ("lengths", "tables_pairs", "tables_trainings"):  # of other trainings than these
        (paths.STUDIES / f"{kept}.csv").unlink(missing_ok=True)
    for name in OF_RUNS:
        show(name)
    for drawing in (inside_memory.draw(["embedded"]), figure_7.draw(["embedded"])):
        assert drawing.caption == inspections.NOTHING


def show(name: str) -> None:
    """Run the notebook of an exhibit in this process."""
    cells = json.loads(Path(f"notebooks/{name}.ipynb").read_text())["cells"]
    exec("\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"), {})


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
