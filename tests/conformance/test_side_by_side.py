"""Every method with released code gives what that code gives."""

import json
import math
from pathlib import Path

import pytest
import torch

from mgsl.conformance import headers, side_by_side
from mgsl.conformance.golden import Official, backward, total
from mgsl.conformance.official_drn import OfficialDRN
from mgsl.conformance.side_by_side import OFFICIAL, comparisons, rounded_up, settings_of
from mgsl.models import MODELS
from mgsl.models.parts.base import BlindMethod

SETTINGS = [(name, setting) for name in OFFICIAL for setting in settings_of(name)]
CONSTANT = {"interactor/word_attention/fully_connected_1/biases"}
UNPLACED = {  # parameters of theirs that ours lacks, all or part of them
    "tgn": CONSTANT,
    "cbp": CONSTANT,
    "qspn": {"embedding"},  # but the row of the begin
    "lgi": {"sqan.att_fn.to_alpha.bias"},
    "vslnet": {"embedding_net.linear.conv1d.weight"},  # its columns of characters
    "drn": {
        "query_encoder.embedding.weight",
        *(
            f"query_encoder.textualAttention.W{i}.{part}"
            for i in (1, 2, 3)
            for part in ("weight", "bias")
        ),
        "fcos.head.centerness.weight",
        "fcos.head.centerness.bias",
    },
}
DOUBLE = {"tan_2d", "drn", "qspn"}  # whose files hold the same in double precision


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_outputs_labels_losses_and_gradients_are_those_of_the_release(
    name: str, setting: str
) -> None:
    rows = comparisons(OFFICIAL[name], setting)
    apart = [row for row in rows if not row.difference <= row.bound]
    assert not apart
    kinds = {row.kind for row in rows}
    expected = {"outputs", "labels", "losses", "gradients"}
    assert kinds == (expected if setting != "words with characters" else {"outputs", "losses"})
    assert ("float64" in {row.precision for row in rows}) == (name in DOUBLE)


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_the_release_has_as_many_parameters(name: str, setting: str) -> None:
    official = OFFICIAL[name](setting)
    assert official.count() + official.setting.missing == official.setting.parameters
    assert bool(official.setting.missing) == bool(official.setting.why)
    allowed = UNPLACED.get(name, set()) if setting != "words with characters" else set()
    assert official.unplaced().keys() == allowed


def test_double_precision_agrees_to_its_own_rounding() -> None:
    for name in DOUBLE:
        for setting in settings_of(name):
            rows = comparisons(OFFICIAL[name], setting)
            doubles = [row for row in rows if row.precision == "float64" and row.bound < 1e-9]
            assert doubles
            assert max(row.difference for row in doubles) < 1e-13


def test_the_label_of_the_iou_head_is_what_sets_gradients_of_drn_apart() -> None:
    """In step 3 the reference has a gradient through it; all else is the same."""
    official = OfficialDRN("Charades-STA")
    official.model.train().enter(2)
    backward(official.model, total(official.model.losses(official.batch)))
    norms = official._norms("train/step3")
    attached = {name: norm for name, norm in norms.items() if not norm.isnan()}
    assert official.gradients("norms", attached).difference > 0.5
    detached = official._norms("train/step3_label_detached")
    differ = [
        name
        for name, norm in attached.items()
        if abs(norm.item() / detached[name].item() - 1) > 1e-2
    ]
    assert (len(differ), len(attached)) == (65, 81)


def test_methods_with_released_code_are_compared_but_those_that_draw() -> None:
    for name, kind in MODELS.items():
        code = headers.read(_docstring(kind)).code
        assert (name in OFFICIAL) == (bool(code) and not issubclass(kind, BlindMethod)), name


def test_building_leaves_the_random_state_alone() -> None:
    state = torch.get_rng_state()
    OFFICIAL["ctrl"]("TACoS").count()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("difference", "digit"),
    [(0.0, 0.0), (1.2e-7, 2e-7), (2.9e-6, 3e-6), (9.1e-6, 1e-5), (0.25, 0.3)],
)
def test_a_difference_is_rounded_up_to_one_digit(difference: float, digit: float) -> None:
    assert rounded_up(difference) == pytest.approx(digit)


@pytest.mark.parametrize("difference", [math.nan, math.inf])
def test_no_number_is_no_difference(difference: float) -> None:
    with pytest.raises(ValueError, match="a difference is"):
        rounded_up(difference)


def test_what_is_measured_has_a_place_for_every_method(monkeypatch: pytest.MonkeyPatch) -> None:
    few: dict[str, type[Official]] = {"ctrl": OFFICIAL["ctrl"]}
    monkeypatch.setattr(side_by_side, "OFFICIAL", few)
    measured = json.loads(json.dumps(side_by_side.measure(), allow_nan=False))
    assert measured.keys() == MODELS.keys()
    setting = measured["ctrl"]["settings"]["TACoS"]
    assert setting["parameters"] == {"theirs": 21_600_163, "ours": 21_600_163, "why": ""}
    for row in setting["comparisons"]:
        assert 0 <= row["difference"] <= 1e-5
        assert row["difference"] == float(f"{row['difference']:.0e}")
    assert measured["mgsl_net"]["settings"] == {}


def test_a_header_is_read_part_by_part() -> None:
    header = headers.read(
        """A method.

Paper       A. Author. "A Title". Venue 2020: "M".
Reference   owner/name, commit 0123abc: a
            mirror
Deviations  One thing is ours (theirs
            is other). Another is p > 0.5.
            By the harness: clips are cut.

Notation    x   a thing
"""
    )
    assert header.code == "owner/name"
    assert header.reference == "owner/name, commit 0123abc: a mirror"
    assert header.deviations == (
        "One thing is ours (theirs is other).",
        "Another is p > 0.5.",
        "By the harness: clips are cut.",
    )
    assert headers.read("Paper    P\nReference  none\nDeviations  none\n").code == ""


def test_a_header_without_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match="no Deviations, Reference"):
        headers.read("Paper       A title\n")


def test_every_release_is_cited_with_its_commit() -> None:
    for name in OFFICIAL:
        reference = headers.read(_docstring(MODELS[name])).reference
        assert ", commit " in reference, name


def _docstring(kind: type) -> str:
    path = Path(*kind.__module__.split(".")).with_suffix(".py")
    return path.read_text().split('"""')[1]
