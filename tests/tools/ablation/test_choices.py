"""What can be changed is what ablations of params.yaml may name, by short keys or whole ones."""

import pytest

from mgsl.errors import UserError
from mgsl.models import MODELS
from mgsl.tools.ablation.choices import Choices, as_text
from tests import tiny

PARAMS = tiny.parameters()


def of(method: str, dataset: str = "embedded") -> Choices:
    return Choices(PARAMS, dataset, method)


def test_a_key_has_its_value_what_it_may_be_what_was_tried_and_its_question() -> None:
    by_key = {choice.key: choice for choice in of("mgsl_net").all()}
    beta = by_key["memory.beta"]
    assert (beta.value, beta.may_be, beta.questions) == (20.0, "number from 1", ("Q2",))
    assert beta.tried["addressing_100"] == 100.0
    assert by_key["memory.write"].may_be == "sum, product, sequential"
    assert by_key["memory.residual"].may_be == "true, false"
    assert by_key["epochs"].may_be == "integer above 0 or null"
    assert by_key["dim"].questions == ("Q1",)  # of the ablation that changes it
    assert by_key["clip.kind"].questions == ("Q23",)
    assert not {"num_clips", "video_dim", "vocabulary"} & by_key.keys()


@pytest.mark.parametrize("method", MODELS)
def test_every_method_has_keys_with_a_type(method: str) -> None:
    choices = of(method).all()
    assert choices
    assert all(choice.may_be for choice in choices)


@pytest.mark.parametrize(
    ("method", "name"),
    [(method, name) for method, block in PARAMS.models.items() for name in block.ablations],
)
def test_changes_are_what_the_ablations_of_params_yaml_are(method: str, name: str) -> None:
    ablation = PARAMS.models[method].ablations[name]
    choices = of(method)
    assert choices.as_ablation(choices.changes(ablation)) == ablation


def test_short_dotted_and_nested_keys_mean_the_same() -> None:
    choices = of("mgsl_net")
    short = choices.changes({"video_slots": 64, "beta": 5.0, "residual": False})
    assert short == {"video_slots": 64, "memory.beta": 5.0, "memory.residual": False}
    assert choices.changes({"video_slots": 64, "memory.beta": 5.0, "residual": False}) == short
    nested = {"video_slots": 64, "memory": {"beta": 5.0, "residual": False}}
    assert choices.changes(nested) == short
    assert choices.as_ablation(short) == nested


def test_what_is_given_as_a_whole_keeps_its_other_values_unless_its_kind_changes() -> None:
    choices = of("mgsl_net")
    kept = choices.as_ablation(choices.changes({"warmup_steps": 7}))
    assert kept == {"schedule": choices.tree["schedule"] | {"warmup_steps": 7}}
    assert choices.as_ablation(choices.changes({"clip.kind": "none"})) == {"clip": {"kind": "none"}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bta": 5.0}, "mgsl_net has no key 'bta'; did you mean 'beta'?"),
        ({"memory.bta": 5.0}, "mgsl_net has no key 'memory.bta'; did you mean 'memory.beta'?"),
        ({"kind": "none"}, "kind may be one of several keys: write schedule.kind or optimizer"),
        ({"num_clips": 8}, "num_clips is of the prepared dataset, not of one training"),
        ({}, "changes is empty"),
    ],
)
def test_a_key_that_is_none_is_told_with_what_was_meant(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        of("mgsl_net").changes(changes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("method", "dataset", "message"),
    [
        ("mgls_net", "embedded", "no method 'mgls_net'; did you mean 'mgsl_net'?; there is: prior"),
        ("mgsl_net", "embeded", "no dataset 'embeded'; did you mean 'embedded'?; there is: emb"),
    ],
)
def test_a_name_that_is_none_is_told_with_those_that_there_are(
    method: str, dataset: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        of(method, dataset).all()
    assert message in str(caught.value)


def test_values_are_written_as_yaml_has_them() -> None:
    changes = {"beta": 5.0, "residual": False, "score": "iou", "edges": [1, 2], "at": None}
    assert as_text(changes) == "{beta: 5.0, residual: false, score: iou, edges: [1, 2], at: null}"
