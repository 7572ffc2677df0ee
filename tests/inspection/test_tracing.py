"""A trace tells what a live model called; its drawings have what was called and nothing else."""

import json
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.inspection import parameter_counts
from mgsl.inspection.tracing import count, trace
from mgsl.models import MODELS, build
from mgsl.models.parts.base import GroundingModel
from mgsl.reporting.draw import figures
from mgsl.reporting.exhibits import figure_2, figure_3
from mgsl.reporting.read import traces
from tests import tiny
from tests.reporting import report_workspace

SIZES = {
    "b": 7, "t": tiny.CLIPS, "w": tiny.WORDS, "video_dim": tiny.VIDEO_DIM, "word_dim": tiny.WORD_DIM
}  # fmt: skip
NAMES = (
    *("mgsl_net", "printed", "calibration_gate", "baseline", "memory_v", "memory_v_textual"),
    "no_self_attention",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which each configuration is traced, and listed as run."""
    folder = tmp_path_factory.mktemp("root")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "params.yaml").write_text((report_workspace.ROOT / "params.yaml").read_text())
        for name in NAMES:
            patch.chdir(report_workspace.ROOT)
            traced = trace(tiny.run_config(name), SIZES)
            patch.chdir(folder)
            write_json(paths.traced("embedded", name), traced)
        report_workspace.build(folder, ["embedded"])
        path = paths.config("embedded", "evaluate")
        write_json(path, json.loads(path.read_text()) | {"names": list(NAMES)})
    return folder


@pytest.fixture
def inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize("name", [n for n, k in MODELS.items() if issubclass(k, GroundingModel)])
def test_a_trace_has_the_shapes_and_counts_of_a_real_call(name: str) -> None:
    config = tiny.run_config(name)
    traced = trace(config, SIZES)
    assert traced is not None
    model = build(config)
    assert isinstance(model, GroundingModel)
    assert traced["parameters"] == count(model)
    outputs = {}
    for place, module in model.named_modules():
        module.register_forward_hook(
            lambda m, i, o, place=place: outputs.update({place: o}) if torch.is_tensor(o) else None
        )
    batch = tiny.batch(7)
    model.eval()(batch)
    axes_of = {module["name"]: module["outputs"] for module in traced["modules"]}
    here = {"b": 7, "t": tiny.CLIPS, "w": tiny.WORDS}
    assert outputs.keys() <= axes_of.keys()
    for place, tensor in outputs.items():
        (axes,) = axes_of[place]
        assert [here.get(axis, axis) for axis in axes] == list(tensor.shape), place


def test_axes_are_named_by_what_they_follow() -> None:
    traced = trace(tiny.run_config(), SIZES)
    assert traced is not None
    modules = {module["name"]: module for module in traced["modules"]}
    assert modules["video_encoder"]["inputs"] == [["b", "t", tiny.VIDEO_DIM]]
    assert modules["query_encoder"]["outputs"] == [["b", "w", 16]]
    assert modules["alignment"]["outputs"][2:] == [["b", "t", "w"], ["b", "w", "t"]]
    assert modules["attention"]["outputs"] == [["b", "t", 48]]
    assert modules["video_memory.memories.0"]["keeps"]["slots"] == [40, 16]


def test_a_method_without_video_has_no_trace() -> None:
    assert trace(tiny.run_config("prior"), SIZES) is None


def test_the_width_of_1024_meets_the_printed_size_and_512_does_not() -> None:
    configs = {name: kind.Config for name, kind in MODELS.items()}
    table = parameter_counts.measure(tiny.parameters(), configs)
    tacos = table[table["dataset"] == "tacos_c3d"].set_index("reading")["mib"]
    first, *others = parameter_counts.READINGS
    assert tacos[first] == pytest.approx(203, abs=1)
    for reading in others:
        if "512" in reading:
            assert tacos[reading] < 100
    assert (table["mib"] * 2**20 / 4 - table["parameters"]).abs().max() < 200


def words(figure: Figure) -> list[str]:
    axes = (axes for part in figure.subfigs for axes in part.axes)
    return [text.get_text() for a in axes for text in a.texts]


@pytest.mark.parametrize(
    ("name", "present", "absent"),
    [
        ("mgsl_net", ["Video memory", "Query memory", "V asks", "40 slots × d"], ["gate of V"]),
        ("calibration_gate", ["Video memory", "gate of V"], ["V asks"]),
        ("baseline", ["inter: clip–word"], ["Video memory", "Query memory", "word–word"]),
        ("memory_v", ["Video memory"], ["Query memory", "Memory of view"]),
        ("memory_v_textual", ["Video memory", "Memory of view"], ["Query memory"]),
    ],
)
def test_figure_2_draws_what_a_configuration_has(
    inside: Path, name: str, present: list[str], absent: list[str]
) -> None:
    drawn = words(figure_2.draw(["embedded"], [name]).figure)
    assert set(present) <= set(drawn)
    assert not set(absent) & set(drawn)
    assert "t × 64" not in drawn
    assert f"t × {tiny.VIDEO_DIM}" in drawn


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("mgsl_net", ["Self-attention", "Self-attention", "Inter-attention", "Calibration"]),
        ("baseline", ["Inter-attention"]),
        ("no_self_attention", ["Inter-attention", "Calibration"]),
    ],
)
def test_figure_3_draws_the_units_that_there_are(inside: Path, name: str, units: list[str]) -> None:
    drawing = figure_3.draw(["embedded"], [name])
    drawn = [word for word in words(drawing.figure) if word in {*units, "Calibration"}]
    assert sorted(drawn) == sorted(units)
    assert figures.render(drawing, "svg") == figures.render(
        figure_3.draw(["embedded"], [name]), "svg"
    )


@pytest.mark.parametrize("draw", [figure_2.draw, figure_3.draw])
def test_no_label_lies_on_another_or_outside(inside: Path, draw) -> None:  # type: ignore[no-untyped-def]
    figure = draw(["embedded"], ["mgsl_net", "memory_v_textual"]).figure
    figure.draw_without_rendering()
    for part in figure.subfigs:
        boxes = [t.get_window_extent() for axes in part.axes for t in axes.texts if t.get_text()]
        for index, box in enumerate(boxes):
            assert box.x0 >= -1
            assert box.x1 <= figure.bbox.width + 1
            for other in boxes[index + 1 :]:
                width = min(box.x1, other.x1) - max(box.x0, other.x0)
                height = min(box.y1, other.y1) - max(box.y0, other.y0)
                smaller = min(box.width * box.height, other.width * other.height)
                assert max(width, 0) * max(height, 0) < 0.35 * smaller


def test_what_is_not_run_is_not_drawn(inside: Path) -> None:
    for draw in (figure_2.draw, figure_3.draw):
        caption = draw(["embedded"], ["memory_only"]).caption
        assert caption.startswith("Nothing to draw: none of these was run: ")
    with pytest.raises(UserError, match=r"traced/embedded/x.json is missing: run"):
        traces.read("embedded", "x")
