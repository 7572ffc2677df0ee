"""Comparisons notice what they should, and say how far apart two things are."""

import math

import pytest
import torch
from torch import Tensor, nn

from mgsl.conformance.golden import FOLDER, Golden, backward, calls, compare, doubles, total
from mgsl.conformance.official_ctrl import OfficialCTRL
from mgsl.conformance.official_drn import OfficialDRN
from mgsl.conformance.official_tan_2d import OfficialTAN2D

LARGEST_MB = 2  # of all golden files


def test_a_difference_is_a_share_of_the_number_and_one() -> None:
    theirs = torch.tensor([0.0, 9.0, torch.nan, -1e30])
    row = compare("outputs", "x", torch.tensor([0.125, 8.0, 5.0, 0.0]), theirs)
    assert row.difference == 0.125
    assert (row.numbers, row.precision, row.bound) == (2, "float32", 1e-5)
    row = compare("outputs", "x", torch.tensor([0.0, 7.0, 5.0, 0.0]), theirs)
    assert row.difference == pytest.approx(0.2)


def test_whole_numbers_and_labels_must_be_equal() -> None:
    for ours, theirs in ((torch.tensor([3]), torch.tensor([4])), (torch.ones(1) > 0,) * 2):
        row = compare("labels", "x", ours, theirs)
        assert row.bound == 0
    assert compare("labels", "x", torch.tensor([3]), torch.tensor([4])).difference == 0.2
    assert compare("outputs", "x", torch.ones(1).double(), torch.ones(1)).bound == 1e-10


def test_a_difference_to_what_is_no_number_is_none_that_is_allowed() -> None:
    row = compare("outputs", "x", torch.tensor([torch.nan, 1.0]), torch.ones(2))
    assert math.isnan(row.difference)
    assert not row.difference <= row.bound


@pytest.mark.parametrize("theirs", [torch.ones(3), torch.full((2,), torch.nan)])
def test_what_cannot_be_compared_is_refused(theirs: Tensor) -> None:
    with pytest.raises(ValueError, match="x: "):
        compare("outputs", "x", torch.ones(2), theirs)


def test_a_weight_without_a_place_is_named() -> None:
    official = OfficialCTRL("TACoS")
    stored = official.golden.under("param/")
    official.model.add_module("more", nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"more\.weight"):
        official.load(official.model, stored)


def test_every_number_of_theirs_is_in_its_place() -> None:
    official = OfficialTAN2D("Charades-STA")
    stored = torch.cat([array.flatten() for array in official.golden.under("param/").values()])
    for name, weight in official.model.state_dict().items():
        assert torch.equal(weight, stored[official.places[name]]), name
    places = torch.cat([place.flatten() for place in official.places.values()])
    assert torch.equal(places.sort().values, torch.arange(len(stored)))


def test_gradients_of_their_parameters_are_gathered_from_ours() -> None:
    official = OfficialDRN("Charades-STA")
    model, norms = official.model, {}
    backward(model, sum(p.sum() * (i + 1) for i, p in enumerate(model.heads.parameters())))  # type: ignore[arg-type]
    numbers = {name: i + 1 for i, (name, _) in enumerate(model.heads.named_parameters())}
    for level in range(3):  # one of three scales
        norms[f"fcos.head.scales.{level}.scale"] = torch.tensor(float(numbers["scales"]))
    bias = numbers["distances.bias"] * math.sqrt(2)
    norms["fcos.head.bbox_pred.bias"] = torch.tensor(bias)
    row = official.gradients("norms", norms)
    assert row.numbers == 4
    assert row.difference < 1e-6
    norms["fcos.head.scales.1.scale"] *= 1.5
    assert official.gradients("norms", norms).difference == pytest.approx(1 / 3)


def test_a_wrong_weight_shows_in_outputs_losses_and_gradients() -> None:
    official = OfficialCTRL("TACoS")
    with torch.no_grad():
        official.model.from_video.weight[0, 0] += 0.01
    wrong = {row.kind for row in official.compare() if row.difference > row.bound}
    assert wrong == {"outputs", "losses", "gradients"}


def test_a_wrong_label_shows() -> None:
    official = OfficialCTRL("TACoS")
    official.model.config = official.model.config.model_copy(update={"most_outside": 0.3})
    with pytest.raises(ValueError, match="windows of moments"):
        list(official.compare())


def test_in_double_precision_float_doubles_too_and_ends() -> None:
    with doubles():
        assert torch.zeros(2).float().dtype == torch.float64
        assert Golden("ctrl")["in/video"].dtype == torch.float64
    assert torch.zeros(2).double().float().dtype == torch.float32


def test_calls_are_seen_while_they_are_watched() -> None:
    layer = nn.Linear(2, 3)
    with calls(layer=layer) as trace:
        y = layer(torch.ones(1, 2))
    layer(torch.ones(1, 2))
    ((_, output),) = trace["layer"]
    assert output is y


def test_a_file_of_several_settings_is_read_by_one() -> None:
    golden = Golden("cbp/tacos")
    assert golden["in/video"].shape == (3, 12, 10)
    assert not any(key.startswith(("tacos", "charades")) for key in golden.arrays)


def test_the_sum_is_of_all_terms() -> None:
    assert total({"a": torch.tensor(1.5), "b": torch.tensor(2.0)}) == 3.5


def test_golden_files_are_small_and_each_is_told_of() -> None:
    files = sorted(FOLDER.glob("*.npz"))
    assert sum(file.stat().st_size for file in files) < LARGEST_MB * 1e6
    text = (FOLDER / "README.md").read_text()
    for file in files:
        assert f"`{file.stem}`" in text
