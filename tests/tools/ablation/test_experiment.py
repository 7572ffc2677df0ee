"""An ablation is tried beside the pipeline: trained once, kept, compared query by query."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from dvc.utils.hydra import apply_overrides

from mgsl import params, paths, processes
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.models import CONFIGS
from mgsl.prepared import read_summary, write_summary
from mgsl.reporting.draw import one_ablation
from mgsl.resolving import resolve_alone
from mgsl.tools.ablation.experiment import Experiment, plan
from mgsl.tools.ablation.outcome import AGAINST, CHANGED, DIFFERENCE, Tried
from tests import ROOT, tiny

ABOUT = {
    "title": "Embedded dataset",
    "features": "random",
    "simulated": True,
    "bins": ["<10", ">=10"],
    "benchmark": None,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small prepared dataset, and the trainings of two experiments."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(processes, "cores", lambda: 1)
        prepared = paths.prepared("embedded")
        prepared.mkdir(parents=True)
        tiny.prepare(prepared)
        write_summary(prepared, read_summary(prepared) | ABOUT)
        document = read_yaml(ROOT / paths.PARAMS)
        document["settings"]["embedded"]["embedded"] |= {
            "num_clips": tiny.CLIPS, "max_words": tiny.WORDS, "dim": 8, "video_slots": 16,
            "query_slots": 16, "epochs": 2, "batch_size": 8,
        }  # fmt: skip
        document["data"]["embedded"] |= {"video_dim": tiny.VIDEO_DIM, "vocabulary": 10}
        document["preparation"]["word_dim"] = tiny.WORD_DIM
        document["evaluation"]["resamples"] = 50
        write_json(paths.PARAMS, document)  # JSON is YAML
        for experiment in (of_memory(), of_ctrl()):
            experiment.train(device="cpu", say=lambda line: None)
    torch.set_flush_denormal(False)
    return folder


@pytest.fixture(autouse=True)
def inside(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(trained)
    monkeypatch.setattr(processes, "cores", lambda: 1)
    yield trained
    torch.set_flush_denormal(False)


def of_memory(**changes: Any) -> Experiment:
    given = {"beta": 5.0, "residual": False} | changes
    return plan("embedded", given, method="mgsl_net", seeds=[0, 1])


def of_ctrl() -> Experiment:
    return plan("embedded", {"regression_weight": 0.1}, method="ctrl", seeds=[0], epochs=1)


def test_a_training_is_kept_by_all_that_decides_it_and_the_pipeline_is_untouched() -> None:
    experiment = of_memory()
    assert experiment.to_do() == []
    assert experiment.forecast() == "All 4 trainings are there already: nothing to train."
    assert not paths.runs("embedded").exists()
    other = of_memory(beta=6.0)
    assert [one.seed for one in other.to_do()] == [0, 1]  # those of the method itself are kept
    assert other.forecast().startswith("2 of 4 trainings to do, 1 at once: about ")


def test_a_training_of_the_pipeline_is_taken_from_there(inside: Path) -> None:
    tried = of_memory().against.trainings[0].folder
    kept = paths.run("embedded", "mgsl_net", 0)
    shutil.copytree(tried, kept)
    try:
        assert of_memory().against.trainings[0].folder == kept
    finally:
        shutil.rmtree(paths.runs("embedded"))


def test_the_difference_is_that_of_both_sides_and_of_their_queries() -> None:
    tried = Tried(of_memory())
    value = tried.table.set_index(["side", "group", "metric"])["value"]
    for group in ("all", "rare", "common"):
        less = value[CHANGED, group, "mIoU"] - value[AGAINST, group, "mIoU"]
        assert value[DIFFERENCE, group, "mIoU"] == pytest.approx(less)
    queries = tried.by_query()
    assert queries["gain"].mean() == pytest.approx(value[DIFFERENCE, "all", "mIoU"])
    assert queries["gain"].is_monotonic_decreasing
    assert "differ only in the seed" in tried.seed_worth()


def test_tables_and_figure_say_what_was_compared_on_which_data() -> None:
    tried = Tried(of_memory())
    scores = one_ablation.scores(tried)
    assert "memory.beta 5.0, memory.residual false, against MGSL-Net" in scores.caption
    assert "SIMULATED data" in scores.caption
    assert [name for name, _ in scores.rows] == ["all, 10", "rare, 5", "common, 5"]
    memory = dict(one_ablation.memory(tried).rows)
    assert {"video: slot cosine", "query: slot rank"} <= memory.keys()
    assert any(name.endswith("memory zeroed") for name in memory)
    titles = [axes.get_title(loc="left") for axes in one_ablation.draw(tried).figure.axes]
    assert {"Loss", "Validation R@1, IoU=0.5, %", "Slot cosine, video"} <= set(titles)
    rows = [*one_ablation.won(tried).rows, *one_ablation.lost(tried).rows]
    assert len(rows) == (tried.by_query()["gain"] != 0).sum()


def test_a_method_without_a_memory_says_that_there_is_none() -> None:
    tried = Tried(of_ctrl())
    table = one_ablation.memory(tried)
    assert (table.rows, table.caption) == (
        (), "Neither side has a memory to inspect."
    )  # fmt: skip
    assert "1 epochs" not in one_ablation.scores(tried).caption
    assert "The variation between seeds is not known here" in tried.seed_worth()


def test_what_one_seed_is_worth_comes_from_the_pipeline_where_it_has_several(inside: Path) -> None:
    path = paths.trainings("embedded")
    path.parent.mkdir(parents=True)
    path.write_text(
        "name,group,metric,mean,sd,trainings\n"
        'ctrl,all,"R@1, IoU=0.5",0.4,0.02,3\nctrl,all,mIoU,0.4,0.01,3\n'
    )
    try:
        said = Tried(of_ctrl()).seed_worth()
    finally:
        shutil.rmtree(paths.REPORTS)
    assert "vary by ±2.0 points (SD of R@1, IoU=0.5 over 3" in said
    assert "the difference of two by ±2.8" in said


def test_a_method_that_is_fitted_once_has_no_curve() -> None:
    experiment = plan("embedded", {"samples": 50}, method="prior", seeds=[0])
    with pytest.raises(UserError, match="is not trained: call `train`"):
        _ = Tried(experiment).table
    experiment.train(device="cpu", say=lambda line: None)
    drawing = one_ablation.draw(Tried(experiment))
    assert drawing.caption == "Neither side is trained in epochs, so there is no curve."


def test_the_command_makes_the_same_training_one_of_the_pipeline(tmp_path: Path) -> None:
    experiment = of_memory(video_slots=8)
    command = experiment.command()
    overrides = command.split(" -S ")[1:]
    copy = tmp_path / "params.yaml"
    shutil.copy(paths.PARAMS, copy)
    apply_overrides(copy, [override.strip("'") for override in overrides])
    changed = params.load(copy)
    name = experiment.changed.config.name
    assert name in changed.names()
    assert set(params.load(paths.PARAMS).names()) < set(changed.names())
    resolved = resolve_alone(
        changed, "embedded", CONFIGS, scale="embedded", methods=[], ablations=[name]
    )
    assert resolved.runs[name] == experiment.changed.config


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset": "embeded"}, "no dataset 'embeded'; did you mean 'embedded'"),
        ({"dataset": "charades_actions"}, "python -m mgsl prepare --dataset charades_actions"),
        ({"method": "ctlr"}, "no method 'ctlr'; did you mean 'ctrl'"),
        ({"against": "printd"}, "no method or ablation 'printd'; did you mean 'printed'"),
        ({"changes": {"beta": 0.5}}, "memory.beta: Input should be greater than or equal to 1"),
        ({"changes": {"beta": 20.0}}, "mgsl_net has {memory.beta: 20.0} already"),
        ({"seeds": []}, "seeds must be different whole numbers from 0, got []"),
        ({"seeds": [1, 1]}, "seeds must be different whole numbers from 0, got [1, 1]"),
        ({"epochs": 0}, "epochs must be a whole number above 0, or None, got 0"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_any_work(
    given: dict[str, Any], message: str
) -> None:
    usual = {"dataset": "embedded", "changes": {"beta": 5.0}, "method": "mgsl_net", "seeds": [0]}
    with pytest.raises(UserError) as caught:
        plan(**(usual | given))
    assert message in str(caught.value)
