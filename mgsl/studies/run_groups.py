"""The runs of a study against its base: readings, details, memories, methods, numbers of slots."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mgsl import params, paths
from mgsl.configs import EvaluateConfig, RunConfig
from mgsl.data.loading import Split, load_splits
from mgsl.evaluation import scoring
from mgsl.evaluation.comparing import differences, means
from mgsl.evaluation.metrics import groups
from mgsl.files import atomic_folder, write_json
from mgsl.inspection.probes import IOU, answers
from mgsl.models import MODELS
from mgsl.models.parts.base import GroundingModel
from mgsl.nested import flatten
from mgsl.prepared import read_summary
from mgsl.resolving import RUN_KEYS
from mgsl.studies import age, many_trainings
from mgsl.studies.plan import StudyParams
from mgsl.studies.rows import write_table
from mgsl.studies.scores import scores_of
from mgsl.training.checkpoint import load_checkpoint

READINGS = "readings"  # the study that the rules of scoring stand beside
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


def run(
    study: StudyParams,
    config: EvaluateConfig,
    folder: Path,
    say: Callable[[str], None] = print,
) -> None:
    """Compare the runs of a study on its dataset; write what it keeps in git.

    means.csv has what they reach on the test split, each beside the study's base; validation.csv,
    where all learn in epochs, what they were chosen by and what became of the memory; about.json
    how they were trained. Of `many_trainings.STUDIES` each run is compared with each other besides.

    Args:
        study: what is compared with what.
        config: the runs and seeds of the study, and how they are scored (`plan.config_of`).
        folder: where the files go. It is replaced as a whole, at the end.
        say: tells the person who waits what is being done.

    Raises:
        UserError: a run is missing.
    """
    dataset = config.dataset
    say(f"comparing {len(config.names)} runs of {study.study} on {dataset}")
    rules = scoring_rules(dataset) if study.study == READINGS else {}
    tables = {"means": compare(config, study.base, rules)}
    if study.study in many_trainings.STUDIES:
        tables |= many_trainings.compare(config)
    methods = {_run_config(dataset, name).method for name in config.names}
    if all(issubclass(MODELS[method], GroundingModel) for method in methods):
        tables["validation"] = validation(config)
    with atomic_folder(folder) as new:
        for name, table in tables.items():
            write_table(new / f"{name}.csv", table)
        write_json(new / "about.json", _settings(config, study.base))


def scoring_rules(dataset: str) -> dict[str, dict[str, Any]]:
    """The readings that change the scoring alone (Q20, Q21), as changes of `evaluation`."""
    return {
        "nms_fixed": {"nms": "fixed"},
        "nms_none": {"nms": "none"},
        "scored_in_clips": {"grid": read_summary(paths.prepared(dataset))["num_clips"]},
    }


def compare(
    config: EvaluateConfig, base: str, rules: Mapping[str, dict[str, Any]] | None = None
) -> pd.DataFrame:
    """Score the runs on the test split, and each against `base`, query by query.

    Args:
        config: the runs, their seeds, and how they are scored.
        base: the run that the others are compared with, one of them.
        rules: other rules of scoring by which `base` is scored besides, as changes of `evaluation`.

    Returns:
        The columns of `COLUMNS`, in fractions: of the runs' means over trainings and of what they
        score more than `base`, over queries and trainings (`mgsl.evaluation.comparing`); `better`
        is how often a training of a run scores more than one of `base`.

    Raises:
        UserError: a run is missing.
    """
    dataset, rules = config.dataset, rules or {}
    queries, summary = scoring.read_test(paths.prepared(dataset))
    masks, evaluation = groups(queries, summary["bins"]), config.evaluation
    of_base = scores_of(config, queries, base)
    tables = []
    for name in [*config.names, *rules]:
        same = name in rules  # the trainings of `base`, scored in another way
        changed = evaluation.model_copy(update=rules[name]) if same else None
        scores = scores_of(config, queries, base if same else name, changed)
        less = differences(scores, of_base, masks, evaluation, paired=same or name == base)
        less = less.rename(columns={key: f"difference_{key}" for key in ("low", "high", "sd")})
        less = less.rename(columns={"value": "difference"})
        table = means(scores, masks, evaluation).merge(less[_LESS], on=["group", "metric"])
        slots = _run_config(dataset, base if same else name).model.get("video_slots")
        tables.append(table.assign(dataset=dataset, name=name, slots=slots))
    return pd.concat(tables, ignore_index=True)[[*COLUMNS]]


def validation(config: EvaluateConfig) -> pd.DataFrame:
    """What each run reaches on validation, what damage to its memory costs, and what it holds.

    Args:
        config: the runs, which all learn in epochs, their seeds, and how they are scored.

    Returns:
        One row for each run and seed: the epoch that was kept; R@1 in fractions, at each IoU, with
        the memory intact (of all, rare and common queries), zeroed, shuffled and as it was before
        training (of all; see `mgsl.inspection.probes`); how spread and how selective both memories
        are. What a model without a memory lacks is empty.
    """
    dataset = config.dataset
    splits: dict[tuple[object, ...], Split] = {}  # by how queries are read, which few runs change
    damages = {damage for damage, _ in _DAMAGES.values()}
    device = torch.device("cpu")
    rows = []
    for name, seed in itertools.product(config.names, config.seeds):
        run = _run_config(dataset, name)
        key = (run.max_words, run.training.mask_padding, run.training.rare_words)
        if key not in splits:
            splits[key] = load_splits(paths.prepared(dataset), run)["val"]
        val = splits[key]
        masks = groups(val.queries, ())
        path = paths.run(dataset, name, seed)
        model = load_checkpoint(path / "checkpoint.safetensors", run)
        assert isinstance(model, GroundingModel)  # of other runs `run` asks nothing
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


def _run_config(dataset: str, name: str) -> RunConfig:
    return params.read(RunConfig, paths.config(dataset, name))


def _settings(config: EvaluateConfig, base: str) -> dict[str, Any]:
    dataset, of_base = config.dataset, _run_config(config.dataset, base)
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
        "made_with": age.made_with({name: _run_config(dataset, name) for name in config.names}),
        "base": flatten(of_base.model),
        "changes": {
            name: _changes(dataset, name, of_base) for name in config.names if name != base
        },
    }


def _changes(dataset: str, name: str, base: RunConfig) -> dict[str, Any]:
    """What a run has otherwise than the base; of another method, its schedule alone."""
    run = _run_config(dataset, name)
    own, other = ({**_settled(config), **flatten(config.model)} for config in (run, base))
    if run.method != base.method:
        own = _settled(run)
    return {key: value for key, value in own.items() if value != other.get(key)}


def _settled(config: RunConfig) -> dict[str, Any]:
    """What a run is told besides the method's own numbers."""
    document = config.model_dump(mode="json")
    return flatten({key: document[key] for key in RUN_KEYS} | document["training"])
