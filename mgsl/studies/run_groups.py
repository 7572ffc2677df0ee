"""What each reading of an open question is worth: runs of one group against the recommended one."""

import itertools
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import torch

from mgsl import params, paths
from mgsl.configs import EvaluateConfig, RunConfig
from mgsl.data.loading import Split, load_splits
from mgsl.errors import UserError
from mgsl.evaluation import scoring
from mgsl.evaluation.comparing import differences, means
from mgsl.evaluation.metrics import groups
from mgsl.files import write_json
from mgsl.inspection.probes import IOU, answers
from mgsl.models import MODELS
from mgsl.models.parts.base import GroundingModel
from mgsl.nested import flatten
from mgsl.params import Params
from mgsl.prepared import read_summary
from mgsl.resolving import RUN_KEYS
from mgsl.studies import many_trainings
from mgsl.studies.rows import replace_rows
from mgsl.studies.scores import scores_of
from mgsl.training.checkpoint import load_checkpoint

BASE = "mgsl_net"  # what methods are compared with
READINGS = "readings"  # the group that the rules of scoring stand beside
METHODS = "methods"  # the group of all that is not an ablation of another group
_DAMAGES = {  # of the probes, those that are kept: which, and of which queries
    "intact": ("intact", "all"),
    "rare": ("intact", "rare"),
    "common": ("intact", "common"),
    "zeroed": ("memory_zeroed", "all"),
    "shuffled": ("memory_shuffled", "all"),
    "initial": ("memory_initial", "all"),
}
_MEMORY = ("slot_cosine", "slot_rank", "read_entropy", "write_entropy", "used_slots", "kept")

_LESS = ["group", "metric", "difference", "difference_low", "difference_high", "difference_sd",
         "better"]  # fmt: skip
COLUMNS = (
    *("dataset", "name", "slots", "trainings", "group", "metric", "value", "low", "high", "sd"),
    *_LESS[2:],
    "queries",
)


def run(parameters: Params, group: str, say: Callable[[str], None] = print) -> None:
    """Compare the runs of a group on the datasets that params.yaml lists; write reports/studies.

    The method that they are ablations of is what they are compared with. GROUP.csv has what they
    reach on the test split, GROUP_validation.csv what they were chosen by
    and what became of the memory, GROUP.json how they were trained. The rows of other datasets are
    kept as they are. Of the group `tables` each run is compared with each other besides
    (`mgsl.studies.many_trainings`). The group `methods` is all that is run but groups of ablations,
    each method as it was trained, and has no GROUP_validation.csv.

    Args:
        parameters: params.yaml, whose `ablations` name the group.
        group: of params.yaml, or `methods`.
        say: tells the person who waits what is being done.

    Raises:
        UserError: `ablations` does not name the group, it has ablations of several methods, or a
            run is missing.
    """
    if group not in (METHODS, *parameters.ablations):
        raise UserError(
            f"params.yaml must list {group} under ablations: train it first, with "
            f"`dvc exp run -S 'ablations=[{group}]' -S 'seeds=[0,1,2]'`"
        )
    base = BASE if group == METHODS else base_of(parameters, group)
    if group == METHODS:
        names = [
            *parameters.methods,
            *(n for n in parameters.ablations if n not in parameters.groups),
        ]
    else:
        names = [base, *parameters.groups[group]]
    for dataset in parameters.datasets:
        rules = scoring_rules(dataset) if group == READINGS else {}
        say(f"comparing the runs of {group} on {dataset}")
        replace_rows(f"{group}.csv", dataset, compare(dataset, names, rules, base))
        if group == many_trainings.GROUP:
            many_trainings.write(dataset, names)
        if group != METHODS and issubclass(MODELS[base], GroundingModel):
            replace_rows(f"{group}_validation.csv", dataset, validation(dataset, names))
        about = paths.STUDIES / f"{group}.json"
        document = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
        write_json(about, document | {dataset: _settings(dataset, names, base)})


def base_of(parameters: Params, group: str) -> str:
    """The method that all of a group are ablations of.

    Raises:
        UserError: they are of several methods, of which none is the one to compare with.
    """
    members = parameters.groups.get(group, (group,))
    methods = [
        name for name in parameters.models if parameters.models[name].ablations.keys() & members
    ]
    if len(methods) > 1:
        raise UserError(
            f"params.yaml: the group {group} has ablations of {', '.join(methods)}: "
            "write a group for each of these methods"
        )
    return methods[0]


def scoring_rules(dataset: str) -> dict[str, dict[str, Any]]:
    """The readings that change the scoring alone (Q20, Q21), as changes of `evaluation`."""
    return {
        "nms_fixed": {"nms": "fixed"},
        "nms_none": {"nms": "none"},
        "scored_in_clips": {"grid": read_summary(paths.prepared(dataset))["num_clips"]},
    }


def compare(
    dataset: str, names: Sequence[str], rules: Mapping[str, dict[str, Any]], base: str = BASE
) -> pd.DataFrame:
    """Score the runs on the test split, and each against `base`, query by query.

    Args:
        dataset: on which all of them were run.
        names: runs; `base` among them.
        rules: other rules of scoring by which `base` is scored besides, as changes of `evaluation`.
        base: the run that the others are compared with.

    Returns:
        The columns of `COLUMNS`, in fractions: of the runs' means over trainings and of what they
        score more than `base`, over queries and trainings (`mgsl.evaluation.comparing`); `better`
        is how often a training of a run scores more than one of `base`.

    Raises:
        UserError: a run is missing.
    """
    config = params.read(EvaluateConfig, paths.config(dataset, "evaluate"))
    queries, summary = scoring.read_test(paths.prepared(dataset))
    masks, evaluation = groups(queries, summary["bins"]), config.evaluation
    of_base = scores_of(config, queries, base)
    tables = []
    for name in [*names, *rules]:
        same = name in rules  # the trainings of `base`, scored in another way
        changed = evaluation.model_copy(update=rules[name]) if same else None
        scores = scores_of(config, queries, base if same else name, changed)
        less = differences(scores, of_base, masks, evaluation, paired=same or name == base)
        less = less.rename(columns={key: f"difference_{key}" for key in ("low", "high", "sd")})
        less = less.rename(columns={"value": "difference"})
        table = means(scores, masks, evaluation).merge(less[_LESS], on=["group", "metric"])
        run = params.read(RunConfig, paths.config(dataset, base if same else name))
        slots = run.model.get("video_slots")
        tables.append(table.assign(dataset=dataset, name=name, slots=slots))
    return pd.concat(tables, ignore_index=True)[[*COLUMNS]]


def validation(dataset: str, names: Sequence[str]) -> pd.DataFrame:
    """What each run reaches on validation, what damage to its memory costs, and what it holds.

    Args:
        dataset: on which all of them were run.
        names: runs.

    Returns:
        One row for each run and seed: the epoch that was kept; R@1 in fractions, at each IoU, with
        the memory intact (of all, rare and common queries), zeroed, shuffled and as it was before
        training (of all; see `mgsl.inspection.probes`); how spread and how selective both memories
        are. What a model without a memory lacks is empty.
    """
    config = params.read(EvaluateConfig, paths.config(dataset, "evaluate"))
    splits: dict[tuple[object, ...], Split] = {}  # by how queries are read, which few runs change
    damages = {damage for damage, _ in _DAMAGES.values()}
    device = torch.device("cpu")
    rows = []
    for name, seed in itertools.product(names, config.seeds):
        run = params.read(RunConfig, paths.config(dataset, name))
        key = (run.max_words, run.training.mask_padding, run.training.rare_words)
        if key not in splits:
            splits[key] = load_splits(paths.prepared(dataset), run)["val"]
        val = splits[key]
        masks = groups(val.queries, ())
        path = paths.run(dataset, name, seed)
        model = load_checkpoint(path / "checkpoint.safetensors", run)
        assert isinstance(model, GroundingModel)  # `run` asks this of no other
        hits = answers(model, val, run, config.evaluation, device, damages)
        curve = pd.read_csv(path / "curve.csv")
        best = curve.iloc[int(curve[f"val_R@1, IoU={run.training.select_iou}"].argmax())]
        held = {f"{side}_{key}": f"{side}_{key}" for side in ("video", "query") for key in _MEMORY}
        rows.append(
            {"dataset": dataset, "name": name, "seed": seed, "epoch": int(best["epoch"])}
            | {
                f"{label}, R@1, IoU={iou:g}": hits[damage][masks[group], place].mean()
                for place, iou in enumerate(IOU)
                for label, (damage, group) in _DAMAGES.items()
                if damage in hits and masks[group].any()
            }
            | {key: best.get(column) for key, column in held.items()}
        )
    return pd.DataFrame(rows)


def _settings(dataset: str, names: Sequence[str], base: str) -> dict[str, Any]:
    config = params.read(EvaluateConfig, paths.config(dataset, "evaluate"))
    of_base = params.read(RunConfig, paths.config(dataset, base))
    command = ["git", "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    summary = read_summary(paths.prepared(dataset))
    return {
        "scale": config.scale,
        "seeds": list(config.seeds),
        "epochs": of_base.epochs,
        "batch_size": of_base.batch_size,
        "learning_rate": of_base.learning_rate,
        "num_clips": summary["num_clips"],
        "features": summary["features"],
        "evaluation": config.evaluation.model_dump(mode="json"),
        "commit": commit,
        "base": flatten(of_base.model),
        "changes": {name: _changes(dataset, name, of_base) for name in names if name != base},
    }


def _changes(dataset: str, name: str, base: RunConfig) -> dict[str, Any]:
    """What a run has otherwise than the base; of another method, its schedule alone."""
    run = params.read(RunConfig, paths.config(dataset, name))
    own, other = ({**_settled(config), **flatten(config.model)} for config in (run, base))
    if run.method != base.method:
        own = _settled(run)
    return {key: value for key, value in own.items() if value != other.get(key)}


def _settled(config: RunConfig) -> dict[str, Any]:
    """What a run is told besides the method's own numbers."""
    document = config.model_dump(mode="json")
    return flatten({key: document[key] for key in RUN_KEYS} | document["training"])
