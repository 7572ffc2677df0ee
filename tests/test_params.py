"""Parameters: what is wrong is named, with the value met, before any work."""

import copy
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl import params, parsing, paths, resolving
from mgsl.configs import RunConfig
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.files import write_text
from mgsl.models import MODELS
from mgsl.nested import merge
from mgsl.params import Params

# Through JSON: what anchors make one object of are several.
DOCUMENT = json.loads(json.dumps(read_yaml(paths.PARAMS)))
CHOSEN = params.Params.model_validate_json(json.dumps(DOCUMENT))
RUNS = {*CHOSEN.names()}
CONFIGS = {name: kind.Config for name, kind in MODELS.items()}


def changed(value: Any, *key: Any) -> dict[str, Any]:
    """The repository's params.yaml with another value at one key."""
    document: Any = copy.deepcopy(DOCUMENT)
    target = document
    for part in key[:-1]:
        target = target[part]
    target[key[-1]] = value
    return document  # type: ignore[no-any-return]


def parse(document: Any) -> Params:
    return parsing.parse(Params, document, where="params.yaml")


def resolve(document: Any, dataset: str = "embedded") -> dict[str, Any]:
    parts = resolving.resolve(parse(document), dataset, CONFIGS)
    return {name: part.model_dump(mode="json") for name, part in parts.files().items()}


def leaves(tree: Any, *key: Any) -> list[tuple[Any, ...]]:
    """The keys of all values that are not mappings."""
    if not isinstance(tree, dict):
        return [key]
    return [leaf for name, branch in tree.items() for leaf in leaves(branch, *key, name)]


def test_the_repository_file_is_valid_for_every_dataset_scale_and_method() -> None:
    for scale in ("embedded", "paper"):
        everything = changed(scale, "scale") | {
            "datasets": list(DOCUMENT["data"]),
            "methods": list(DOCUMENT["models"]),
            "ablations": [
                n for block in DOCUMENT["models"].values() for n in block.get("ablations", {})
            ],
        }
        for dataset in DOCUMENT["data"]:
            parts = resolving.resolve(parse(everything), dataset, CONFIGS)
            assert set(parts.runs) == {*everything["methods"], *everything["ablations"]}


@pytest.mark.parametrize(
    ("key", "close"),
    [
        (("epoch",), None),
        (("seed",), "seeds"),
        (("training", "drop_lsat"), "drop_last"),
        (("training", "clip", "limmit"), "limit"),
        (("memory", "slot"), "slots"),
        (("preparation", "rare", "treshold"), "threshold"),
        (("settings", "embedded", "embedded", "batchsize"), "batch_size"),
        (("data", "embedded", "planted", "noises"), "noise"),
    ],
)
def test_an_unknown_key_is_named_with_what_was_meant(
    key: tuple[str, ...], close: str | None
) -> None:
    meant = f"unknown key; did you mean '{close}'\\?" if close else "unknown key"
    with pytest.raises(UserError, match=rf"params\.yaml[\s\S]*{'.'.join(key)}: {meant}"):
        parse(changed(1, *key))


@pytest.mark.parametrize(("key", "value"), [("seeds", 3), ("datasets", "embedded")])
def test_one_value_in_place_of_a_list_is_told_how_a_list_is_written(
    key: str, value: object
) -> None:
    with pytest.raises(UserError, match=rf"{key}: must be a list, such as \[{value}\], got "):
        parse(changed(value, key))


@given(st.sampled_from(leaves({k: v for k, v in DOCUMENT.items() if k != "models"})))
def test_a_key_left_out_is_named(key: tuple[str, ...]) -> None:
    if key[0] in ("groups", "exhibits"):
        return  # a group and a section have whatever name their user gives them
    if key[0] == "data" and key[-1] in ("release", "missing"):
        return  # of features that other people publish alone
    document = changed(None, *key)
    target = document
    for part in key[:-1]:
        target = target[part]
    del target[key[-1]]
    with pytest.raises(UserError, match=rf"{'.'.join(key)}: missing"):
        parse(document)


@given(
    st.sampled_from(leaves({k: v for k, v in DOCUMENT.items() if k != "models"})),
    st.sampled_from([{"a": 1}, "", "many", -1, [[]], [-1], 1e400]),
)
def test_a_value_of_another_kind_is_named(key: tuple[str, ...], value: Any) -> None:
    if key[-1] == "tags" or (key[-1] == "release" and value == "many"):
        return  # any text is a prefix, or a name that `download` looks up
    with pytest.raises(UserError, match=rf"{'.'.join(key)}"):
        parse(changed(value, *key))


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (0, ("memory", "slots")),
        (-1, ("memory", "slots")),
        (1.5, ("memory", "slots")),
        ("512", ("memory", "slots")),
        (True, ("memory", "slots")),
        (0, ("settings", "embedded", "embedded", "video_slots")),
        (0, ("settings", "embedded", "charades", "batch_size")),
        (1.0, ("settings", "paper", "tacos", "learning_rate")),
        (0, ("settings", "paper", "tacos", "epochs")),
        (-0.1, ("training", "clip", "limit")),
        ("norms", ("training", "clip", "kind")),
        (-1, ("settings", "embedded", "charades", "schedule", "warmup_steps")),
        ("float64", ("training", "precision")),
        (0, ("training", "micro_batches")),
        (1.0, ("preparation", "validation_share")),
        (0, ("preparation", "rare", "threshold")),
        (float("inf"), ("training", "clip", "limit")),
        (float("nan"), ("data", "embedded", "planted", "noise")),
        (datetime.date(2022, 2, 22), ("training", "select_iou")),
        (1.1, ("data", "embedded", "planted", "signature_from_word")),
        ([0], ("evaluation", "recall_at")),
        ([0.5, 1], ("evaluation", "iou")),
        ("soft", ("evaluation", "nms")),
        (1, ("evaluation", "strict")),
        ("huge", ("scale",)),
        ([-1], ("seeds",)),
        (["../x"], ("exhibits", "paper")),
    ],
)
def test_a_value_out_of_range_is_named_with_the_value(value: Any, key: tuple[str, ...]) -> None:
    met = value[-1] if isinstance(value, list) else value
    with pytest.raises(UserError, match=r"params\.yaml is not usable") as caught:
        parse(changed(value, *key))
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == 1
    assert lines[0].startswith(f"  {'.'.join(key)}")
    assert str(met) in lines[0]


@pytest.mark.parametrize("bins", [[], [10, 10], [100, 50]])
def test_bins_must_ascend(bins: list[int]) -> None:
    with pytest.raises(UserError, match=r"preparation\.rare: bins must ascend, got"):
        parse(changed(bins, "preparation", "rare", "bins"))


def test_every_fault_is_told_at_once() -> None:
    document = changed(0, "memory", "slots")
    document["training"]["clips"] = 1
    del document["training"]["precision"]
    with pytest.raises(UserError) as caught:
        parse(document)
    for part in ("memory.slots", "training.clips", "training.precision: missing"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("datasets", "embedded"),
        ("methods", "mgsl_net"),
        ("ablations", "printed"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_those_that_do(key: str, known: str) -> None:
    with pytest.raises(UserError, match=rf"{key} names 'imaginary'; there is: .*{known}"):
        parse(changed(["imaginary"], key))


@pytest.mark.parametrize(
    "key", [("datasets",), ("methods",), ("ablations",), ("exhibits", "paper")]
)
def test_a_name_listed_twice_is_refused(key: tuple[str, ...]) -> None:
    listed = DOCUMENT["exhibits"]["data"] if key[0] == "exhibits" else DOCUMENT[key[0]] * 2
    with pytest.raises(UserError, match=rf"{key[0]}:? lists .*{listed[0]}.* more than once"):
        parse(changed(listed, *key))


def test_a_dataset_without_a_setting_is_refused_with_what_to_write() -> None:
    document = changed(["new_features"], "datasets")
    document["data"]["new_features"] = {"video_dim": 8, "vocabulary": 9}
    with pytest.raises(UserError, match=r"'new_features'.*write settings\.embedded\.new_features"):
        parse(document)


def test_a_new_dataset_has_the_sizes_of_its_family_or_those_for_every_dataset() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["data"] |= {
        "charades_new": {"video_dim": 8, "vocabulary": 9},
        "kitchen": {"video_dim": 8, "vocabulary": 9},
    }
    setting = document["settings"]["embedded"]["tacos"]
    document["settings"]["embedded"]["kitchen"] = setting
    block = document["models"]["tgn"]
    family = block["by_dataset"]["embedded"]["charades"]["anchors"]
    assert resolve(document, "charades_new")["tgn"]["model"]["anchors"] == family
    assert resolve(document, "kitchen")["tgn"]["model"]["anchors"] == block["choices"]["anchors"]


def test_a_method_without_a_size_keeps_only_its_dataset_from_running() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["data"]["kitchen"] = {"video_dim": 8, "vocabulary": 9}
    document["settings"]["embedded"]["kitchen"] = document["settings"]["embedded"]["tacos"]
    del document["models"]["tgn"]["choices"]["anchors"]
    resolved = resolving.resolve_all(parse(document), CONFIGS)
    assert set(resolved) == set(DOCUMENT["data"])
    document["datasets"] = ["embedded", "kitchen"]
    where = r"write it under models\.tgn\.by_dataset\.embedded\.kitchen"
    with pytest.raises(UserError, match=f"tgn has no anchors for the dataset kitchen: {where}"):
        resolving.resolve_all(parse(document), CONFIGS)


def test_seeds_that_repeat_are_named() -> None:
    with pytest.raises(UserError, match="seeds: lists 0, 3 more than once"):
        parse(changed([0, 3, 1, 3, 0], "seeds"))


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ([], "datasets"),
        ([], "seeds"),
        ({}, "exhibits"),
        ([], "evaluation.recall_at"),
        ([], "evaluation.iou"),
        ([], "preparation.rare.tags"),
        ([], "groups.tables"),
    ],
)
def test_an_empty_list_is_refused(value: Any, key: str) -> None:
    with pytest.raises(UserError, match=rf"{key}: must not be empty"):
        parse(changed(value, *key.split(".")))


def test_sections_without_any_exhibit_are_refused() -> None:
    with pytest.raises(UserError, match="exhibits must not be empty in all its sections"):
        parse(changed({"paper": [], "data": []}, "exhibits"))


@pytest.mark.parametrize("name", ["prior", "attention_only"])
def test_what_has_no_memory_cannot_be_inspected(name: str) -> None:
    with pytest.raises(UserError, match=rf"inspected names '{name}', which has no memory"):
        resolve(changed([name, "mgsl_net"], "inspected"))


@pytest.mark.parametrize("name", ["../x", "A", "a b", "1a", "", "a-b", "ä"])
@pytest.mark.parametrize("key", ["data", "models", "groups", "exhibits"])
def test_a_name_that_is_none_is_refused_wherever_it_is_given(name: str, key: str) -> None:
    value = next(iter(DOCUMENT[key].values()))
    with pytest.raises(UserError, match=rf"{key}\.{name}\..*match pattern"):
        parse(changed(value, key, name))


@pytest.mark.parametrize("name", ["prior", "tables", "evaluate"])
def test_two_things_of_one_name_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"{name}: one name for two of methods"):
        parse(changed({}, "models", "mgsl_net", "ablations", name))


def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    text = paths.PARAMS.read_text().replace("micro_batches: 1", "micro_batches: 1:30")
    (tmp_path / "params.yaml").write_text(text)
    line = 1 + text[: text.index("micro_batches: 1:30")].count("\n")
    with pytest.raises(UserError, match=rf"training\.micro_batches: .*'1:30' \(line {line}\)"):
        params.load(tmp_path / "params.yaml")


def test_a_long_value_is_cut_short_in_a_message() -> None:
    with pytest.raises(UserError) as caught:
        parse(["long"] * 1000)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not valid YAML"),
        ("", "not usable"),
        ("- 1", "not usable"),
    ],
)
def test_a_file_that_is_no_params_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        params.load(tmp_path / "params.yaml")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="repository's root"):
        params.load(tmp_path / "params.yaml")


def test_the_one_number_of_slots_changes_both_memories_and_nothing_else() -> None:
    before, after = resolve(DOCUMENT), resolve(changed(77, "memory", "slots"))
    assert before.keys() == after.keys()
    users = {name for name in after if after[name].get("method") == "mgsl_net"}
    assert {"mgsl_net", "printed"} <= users
    for name, part in after.items():
        if name in users:
            assert part["model"].pop("video_slots") == part["model"].pop("query_slots") == 77
            del before[name]["model"]["video_slots"], before[name]["model"]["query_slots"]
        assert part == before[name]


@pytest.mark.parametrize(
    ("key", "value", "concerned"),
    [
        (("evaluation", "strict"), True, {"evaluate", "inspect"}),
        (("preparation", "rare", "threshold"), 5, {"prepare", "inspect"}),
        (("data", "embedded", "planted", "noise"), 0.1, {"prepare"}),
        (("training", "clip", "limit"), 0.5, RUNS),
        (
            ("models", "mgsl_net", "ablations", "printed", "memory", "beta"),
            2.0,
            {"printed"},
        ),
        (("settings", "embedded", "charades", "epochs"), 99, set()),
        (("exhibits", "paper"), ["table_1"], set()),
    ],
)
def test_a_number_changes_the_parts_that_it_concerns(
    key: tuple[str, ...], value: Any, concerned: set[str]
) -> None:
    before, after = resolve(DOCUMENT), resolve(changed(value, *key))
    assert {name for name in after if after[name] != before[name]} == concerned


def test_an_ablation_overrides_what_its_method_chose() -> None:
    parts = resolve(DOCUMENT)
    overrides = DOCUMENT["models"]["mgsl_net"]["ablations"]["printed"]
    assert parts["printed"]["method"] == "mgsl_net"
    assert parts["printed"]["model"] == merge(parts["mgsl_net"]["model"], overrides)


def test_an_ablation_may_change_the_training_and_the_schedule() -> None:
    memory = {"beta": 50.0}
    clip = {"kind": "none"}
    overrides = {"clip": clip, "max_words": 3, "epochs": 5, "memory": memory}
    parts = resolve(changed(overrides, "models", "mgsl_net", "ablations", "printed"))
    base, run = parts["mgsl_net"], parts["printed"]
    assert run["training"] == base["training"] | {"clip": clip}
    assert (run["max_words"], run["epochs"]) == (3, 5)
    assert run["model"] == merge(base["model"], {"memory": memory})


REMEDIES = [
    {"kind": "repeat", "below": 100},
    {"kind": "neighbours", "below": 10, "share": 0.5, "nearest": 5},
    {"kind": "drop", "below": 10, "share": 0.5},
    {"kind": "unspelled"},
]


def test_what_has_no_remedy_for_rare_words_has_the_configuration_of_before() -> None:
    names = [name for model in DOCUMENT["models"].values() for name in model.get("ablations", {})]
    document = DOCUMENT | {"methods": [*MODELS], "ablations": names}
    parts = resolve(document)
    remedied = {name for name, part in parts.items() if "rare_words" in part.get("training", {})}
    groups = ("remedies_no_memory", "remedies_drn", "remedies_ctrl")
    listed = {name for group in groups for name in DOCUMENT["groups"][group]}
    assert remedied == listed - {"attention_only"}
    keys = {key for name in {*parts} - remedied for key in parts[name].get("training", {})}
    assert keys <= {*DOCUMENT["training"], "stages"}
    assert "rare_words" not in DOCUMENT["training"]


@pytest.mark.parametrize("remedy", REMEDIES)
def test_a_remedy_is_for_all_runs_or_for_an_ablation_and_is_read_back(
    remedy: dict[str, Any],
) -> None:
    for document in (
        changed(remedy, "training", "rare_words"),
        changed({"rare_words": remedy}, "models", "mgsl_net", "ablations", "printed"),
    ):
        part = resolve(document)["printed"]
        assert part["training"]["rare_words"] == remedy
        again = RunConfig.model_validate_json(json.dumps(part))
        assert again.model_dump(mode="json") == part
    none = changed(remedy, "training", "rare_words")
    none["models"]["mgsl_net"]["ablations"]["printed"] = {"rare_words": None}
    assert "rare_words" not in resolve(none)["printed"]["training"]


def test_the_remedies_of_the_study_are_the_same_for_the_three_methods() -> None:
    for prefix, method in (("no_memory", "mgsl_net"), ("drn", "drn"), ("ctrl", "ctrl")):
        ablations = DOCUMENT["models"][method]["ablations"]
        for remedy in REMEDIES:
            changes = ablations[f"{prefix}_{remedy['kind']}"]
            assert changes["rare_words"] == remedy
            own = {key: value for key, value in changes.items() if key != "rare_words"}
            assert own == ({} if method != "mgsl_net" else ablations["attention_only"])


@pytest.mark.parametrize(
    ("remedy", "message"),
    [
        ({"kind": "mixup"}, "training.rare_words.kind: must be one of .*, got 'mixup'"),
        ({"below": 10}, "training.rare_words.*: missing"),
        ({"kind": "drop", "below": 10, "share": 0.0}, "rare_words.share: .* greater than 0, got 0"),
        ({"kind": "repeat", "below": 0}, "rare_words.below: .* greater than 0, got 0"),
        ({"kind": "drop", "below": 10}, "rare_words.share: missing"),
        ({"kind": "repeat", "below": 9, "share": 0.5}, "rare_words.share: unknown key"),
    ],
)
def test_a_wrong_remedy_is_named(remedy: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(changed(remedy, "training", "rare_words"))


@pytest.mark.parametrize("method", MODELS)
def test_any_method_may_have_ablations_and_they_are_scored_as_it_is(method: str) -> None:
    block = DOCUMENT["models"][method]
    own = block.get("ablations", {}) | {"slower": {"learning_rate": 0.0005}}
    document = changed(own, "models", method, "ablations")
    parts = resolve(document | {"methods": [method], "ablations": ["slower"]})
    assert parts["slower"] == parts[method] | {"name": "slower", "learning_rate": 0.0005}
    rules = parts["evaluate"]["nms"]
    assert rules.get("slower") == rules.get(method)


@pytest.mark.parametrize(("key", "value"), [("drop_last", 1.0), ("max_words", 0), ("epochs", "5")])
def test_an_ablation_of_the_training_is_checked_too(key: str, value: Any) -> None:
    document = changed({key: value}, "models", "mgsl_net", "ablations", "printed")
    with pytest.raises(UserError, match=rf"ablations\.printed is not usable[\s\S]*{key}: .*got"):
        resolve(document)


def test_an_ablation_of_what_a_method_does_not_have_is_refused() -> None:
    document = changed({"bata": 1.0}, "models", "mgsl_net", "ablations", "printed")
    with pytest.raises(UserError, match=r"ablations\.printed overrides .* not have: \['bata'\]"):
        resolve(document)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("memory.beta", 0.5, r"memory\.beta: .*got 0\.5"),
        ("memory.beta", 1.0, "more than 1"),
        ("encoder.dropout", 1.0, r"encoder\.dropout: .*got 1\.0"),
        ("memory.residuals", True, r"memory\.residuals: unknown key; did you mean 'residual'"),
        ("memories", {}, "memories: unknown key; did you mean 'memory'"),
        ("heads", 3, "heads: .*got 3"),
    ],
)
def test_a_method_checks_its_own_block(key: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=rf"models\.mgsl_net is not usable[\s\S]*{message}"):
        resolve(changed(value, "models", "mgsl_net", "choices", *key.split(".")))


def test_an_ablation_of_a_choice_that_its_group_does_not_have_is_named() -> None:
    document = changed({"memory": {"bata": 1.0}}, "models", "mgsl_net", "ablations", "printed")
    with pytest.raises(UserError, match=r"printed is not usable[\s\S]*memory\.bata: .* 'beta'\?"):
        resolve(document)


def test_a_resolved_part_is_read_back_as_it_was(tmp_path: Path) -> None:
    parts = resolving.resolve(parse(DOCUMENT), "embedded", CONFIGS)
    for name, part in parts.files().items():
        write_text(tmp_path / name, part.model_dump_json())
        assert params.read(type(part), tmp_path / name) == part


def test_a_part_that_was_not_resolved_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml[\s\S]*python -m mgsl configure"):
        params.read(RunConfig, tmp_path / "mgsl_net.json")


@pytest.mark.parametrize("content", [b'{"dataset": "embed', b"\xff\xfe\x00", b"[" * 200_000, b""])
def test_a_part_that_is_damaged_says_how_to_write_it_anew(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mgsl_net.json").write_bytes(content)
    with pytest.raises(UserError, match=r"mgsl_net\.json[\s\S]*python -m mgsl configure"):
        params.read(RunConfig, tmp_path / "mgsl_net.json")


def test_parameters_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse(DOCUMENT).scale = "paper"  # type: ignore[misc]


def test_an_ablation_that_is_listed_twice_is_run_once_and_in_the_order_of_the_list() -> None:
    settings = parse(changed(["table_5", "memory_only", "table_3"], "ablations"))
    ablations = settings.names()[len(settings.methods) :]
    first, second = (DOCUMENT["groups"][name] for name in ("table_5", "table_3"))
    assert "memory_only" in first
    assert "memory_only" in second
    assert list(ablations) == first + [name for name in second if name not in first]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], r"groups\.mine: must not be empty"),
        (["imaginary"], r"groups\.mine names \['imaginary'\]"),
    ],
)
def test_a_group_that_cannot_be_trained_is_refused(members: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(changed(DOCUMENT["groups"] | {"mine": members}, "groups"))


def test_a_method_may_have_a_recipe_of_its_own_at_one_scale_and_for_some_datasets() -> None:
    document = changed({"embedded": {"learning_rate": 0.5}}, "models", "mgsl_net", "recipe")
    own = {"epochs": None, "steps": 7, "clip": {"kind": "none"}}
    document["models"]["mgsl_net"]["recipe_by_dataset"] = {"embedded": {"charades": own}}
    before, after = resolve(DOCUMENT)["printed"], resolve(document)["printed"]
    assert after == before | {"learning_rate": 0.5}
    on_charades = resolve(document, "charades_i3d")["mgsl_net"]
    assert (on_charades["learning_rate"], on_charades["epochs"], on_charades["steps"]) == (
        *(0.5, None, 7),
    )
    assert on_charades["training"] == before["training"] | {"clip": {"kind": "none"}}
    paper = document | {"scale": "paper"}
    assert resolve(paper)["mgsl_net"]["learning_rate"] != 0.5


def test_a_training_ends_after_epochs_or_after_steps() -> None:
    document = changed({"embedded": {"steps": 7}}, "models", "mgsl_net", "recipe")
    with pytest.raises(UserError, match=r"mgsl_net is not usable[\s\S]*epochs=10 and steps=7"):
        resolve(document)


def test_sizes_and_nms_may_differ_by_dataset_and_the_longest_name_wins() -> None:
    betas = {"charades": 2.0, "charades_cd": 3.0}
    document = changed(
        {"embedded": {key: {"memory": {"beta": b}} for key, b in betas.items()}},
        *("models", "mgsl_net", "by_dataset"),
    )
    document["models"]["mgsl_net"]["nms"] = {"rule": "none"}
    document["models"]["mgsl_net"]["nms_by_dataset"] = {
        "charades": {"rule": "fixed", "threshold": 0.4}
    }
    resolved = {
        name: resolving.resolve(parse(document), name, CONFIGS)
        for name in ("embedded", "charades_actions", "charades_cd_ood_actions")
    }
    models = [parts.runs["mgsl_net"].model for parts in resolved.values()]
    recommended = DOCUMENT["models"]["mgsl_net"]["choices"]["memory"]["beta"]
    assert [model["memory"]["beta"] for model in models] == [recommended, *betas.values()]
    for name, rule, threshold in (("embedded", "none", 0.45), ("charades_actions", "fixed", 0.4)):
        evaluate = resolved[name].evaluate
        assert evaluate.scoring_of("prior") == evaluate.evaluation
        for run in ("mgsl_net", "printed"):
            assert evaluate.scoring_of(run).nms == rule
            assert evaluate.scoring_of(run).nms_threshold == threshold


@pytest.mark.parametrize(
    ("value", "key", "message"),
    [
        ({"embedded": {"epoch": 3}}, ("recipe",), "recipe.embedded.epoch: unknown key"),
        ({"paper": {"clip": {"kind": "norm"}}}, ("recipe",), r"paper\.clip\.limit: missing"),
        (
            {"paper": {"taco": {"epochs": 3}}},
            ("recipe_by_dataset",),
            "no dataset, .*: 'taco'; did you mean 'tacos'",
        ),
        ({"rule": "fixed"}, ("nms",), "a threshold belongs to the rule fixed"),
        ({"rule": "none", "threshold": 0.5}, ("nms",), "a threshold belongs to the rule fixed"),
        (
            {"charade": {"rule": "none"}},
            ("nms_by_dataset",),
            "no dataset, .*: 'charade'; did you mean 'charades'",
        ),
        (
            {"embedded": {"taco": {}}},
            ("by_dataset",),
            "no dataset, .*: 'taco'; did you mean 'tacos'",
        ),
    ],
)
def test_a_wrong_exception_of_a_method_is_named(
    value: Any, key: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        parse(changed(value, "models", "mgsl_net", *key))


def test_a_prediction_file_keeps_enough_for_the_recall_asked_for() -> None:
    with pytest.raises(UserError, match=r"evaluation: keep must be at least 9, got 5"):
        parse(changed([1, 9], "evaluation", "recall_at"))
