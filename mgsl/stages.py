"""The stages of the pipeline, in order: each reads, calls, writes.

`configure` alone reads params.yaml; every other stage is told its part by a file of
`artifacts/configs`. torch is imported by the stages that compute with it. What may take long holds
its output meanwhile (`processes.alone`): of two runs at once, the second says so and stops.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from mgsl import params, paths
from mgsl.configs import EvaluateConfig, GroupConfig, InspectConfig, PrepareConfig, RunConfig
from mgsl.files import atomic_path, write_json
from mgsl.processes import alone
from mgsl.resolving import resolve_all


def configure() -> None:
    """Check params.yaml and write what each stage is told, for every dataset that has sizes."""
    from mgsl.models import MODELS

    configs = {name: kind.Config for name, kind in MODELS.items()}
    resolved = resolve_all(params.load(paths.PARAMS), configs)  # or nothing is written
    for dataset, parts in resolved.items():
        for name, part in parts.files().items():
            write_json(paths.config(dataset, name), part.model_dump(mode="json"))
    for state in paths.UNFINISHED.glob("*.pt"):
        dataset, name = [*state.stem.split("-"), ""][:2]
        if dataset not in resolved or name not in resolved[dataset].runs:
            state.unlink(missing_ok=True)  # no configuration can use it any more


def download(*, dataset: str) -> None:
    """Bring a dataset's published files together, verified."""
    from mgsl.data.datasets import find

    published = find(dataset)
    with alone(paths.raw(dataset)):
        published.download(paths.raw(dataset))


def prepare(*, dataset: str) -> None:
    """Turn published files into queries, words, vectors and features."""
    from mgsl.data.preparing import prepare as prepare_dataset

    config = params.read(PrepareConfig, paths.config(dataset, "prepare"))
    with alone(paths.prepared(dataset)):
        prepare_dataset(config, paths.raw(dataset), paths.prepared(dataset))


def train(*, dataset: str, name: str, seed: int | None, device: str) -> None:
    """Fit one method or ablation, all seeds of params.yaml side by side or one of them alone."""
    _fit_all([name], dataset=dataset, seed=seed, device=device)


def ablate(*, dataset: str, name: str, seed: int | None, device: str) -> None:
    """Do the same for an ablation, or for each of a group."""
    config = params.read(GroupConfig, paths.config(dataset, f"groups/{name}"))
    _fit_all([run.name for run in config.runs], dataset=dataset, seed=seed, device=device)


def predict(*, dataset: str, name: str, seed: int, device: str, output: Path) -> None:
    """Answer the test queries with a checkpoint that `train` kept."""
    import torch

    from mgsl.data.loading import load_splits
    from mgsl.training.checkpoint import load_checkpoint
    from mgsl.training.devices import choose_device

    config = params.read(RunConfig, paths.config(dataset, name))
    model = load_checkpoint(_folder(dataset, name, seed) / "checkpoint.safetensors", config)
    splits = load_splits(paths.prepared(dataset), config)
    torch.set_flush_denormal(True)
    where = choose_device(device, config.training.precision)
    _write_predictions(model, splits["test"], config, where, output)


def evaluate(*, dataset: str) -> None:
    """Score every run's predictions; `dvc metrics show` reads the summary."""
    from mgsl.evaluation.scoring import evaluate as evaluate_runs
    from mgsl.evaluation.scoring import headline, summary
    from mgsl.evaluation.trainings import over_trainings
    from mgsl.prepared import read_summary

    config = params.read(EvaluateConfig, paths.config(dataset, "evaluate"))
    runs = {
        (name, seed): paths.run(dataset, name, seed, config.groups.get(name)) / "predictions.jsonl"
        for name in config.names
        for seed in config.seeds
    }
    read_summary(paths.prepared(dataset))  # or nothing is to be scored
    with alone(paths.metrics(dataset)):
        metrics = evaluate_runs(paths.prepared(dataset), runs, config)
        _write_csv(metrics, paths.metrics(dataset))
        write_json(paths.headline(dataset), headline(summary(metrics)))
        _write_csv(over_trainings(metrics), paths.trainings(dataset))


def inspect(*, dataset: str, device: str) -> None:
    """Look into the memories of the runs that params.yaml lists under `inspected`."""
    import torch

    from mgsl.data.loading import load_splits
    from mgsl.inspection import memory_tables
    from mgsl.prepared import read_summary
    from mgsl.training.checkpoint import load_checkpoint
    from mgsl.training.devices import choose_device

    told = params.read(InspectConfig, paths.config(dataset, "inspect"))
    prepared = paths.prepared(dataset)
    held_out = read_summary(prepared)["validation_held_out"]
    torch.set_flush_denormal(True)
    with alone(paths.inspections(dataset)):
        paths.inspections(dataset).mkdir(parents=True, exist_ok=True)
        for name, seed in itertools.product(told.names, told.seeds):
            config = params.read(RunConfig, paths.config(dataset, name))
            where = choose_device(device, config.training.precision)
            model = load_checkpoint(_folder(dataset, name, seed) / "checkpoint.safetensors", config)
            splits = load_splits(prepared, config)
            found = memory_tables.inspect(
                model, splits, config, told, held_out=held_out, device=where
            )
            memory_tables.write(paths.inspected(dataset, name, seed), *found)


def trace() -> None:
    """Tell what every model is made of and costs; hold it against released code; work examples."""
    from mgsl.conformance import side_by_side
    from mgsl.inspection import costs, parameter_counts, worked_examples
    from mgsl.inspection.tracing import trace as trace_model
    from mgsl.models import MODELS

    chosen = params.load(paths.PARAMS)
    for dataset in chosen.datasets:
        prepared = params.read(PrepareConfig, paths.config(dataset, "prepare"))
        for name in chosen.names():
            config = params.read(RunConfig, paths.config(dataset, name))
            lengths = parameter_counts.lengths(config, prepared)
            if (traced := trace_model(config, lengths)) is not None:
                write_json(paths.traced(dataset, name), traced)
    _write_csv(
        parameter_counts.measure(chosen, {n: kind.Config for n, kind in MODELS.items()}),
        paths.SIZES,
    )
    _write_csv(costs.count(chosen), paths.COSTS)
    write_json(paths.EXAMPLES, worked_examples.compute())
    write_json(paths.CONFORMANCE, side_by_side.measure())


def efficiency(*, rounds: int, seconds: float) -> None:
    """Time every method on this machine; the reports show the times kept in git."""
    import torch

    from mgsl.inspection import costs

    torch.set_flush_denormal(True)
    _write_csv(
        costs.measure(params.load(paths.PARAMS), rounds=rounds, seconds=seconds), paths.TIMES
    )
    write_json(paths.TIMED_ON, costs.machine())


def report(*, exhibit: str | None = None) -> None:
    """Run all notebooks, write the front page and README's numbers; or run one notebook alone."""
    from mgsl.reporting.site.build import build
    from mgsl.reporting.site.contents import outline

    chosen = params.load(paths.PARAMS)
    if exhibit is not None:
        outline(exhibit)  # a misspelt name stops before any work
    with alone(paths.EXHIBITS):
        if exhibit is None:
            build(chosen.exhibits, chosen.datasets)
        else:
            from mgsl.reporting.site.notebooks import run_exhibit

            run_exhibit(exhibit, list(chosen.datasets))


def index() -> None:
    """Write the front page of the reports, and the numbers of README.md."""
    from mgsl.reporting.site.build import write_front

    chosen = params.load(paths.PARAMS)
    write_front(chosen.exhibits, chosen.datasets)


def study(*, subject: str) -> None:
    """Write one of the studies that are kept in git: numbers that take too long for every run."""
    from mgsl.reporting.read import published
    from mgsl.studies import annotation_counts, run_groups, trials, write_terms
    from mgsl.studies.examples import Example

    chosen = params.load(paths.PARAMS)
    with alone(paths.STUDIES / subject):
        if subject == "annotations":
            shown = [Example(**row) for row in published.shown_queries()]
            annotation_counts.run(chosen, published.bin_shares(), shown)
        elif subject == "collapse":
            write_terms.run(chosen)
        elif subject == trials.LENGTHS:
            trials.lengths(chosen)
        else:
            run_groups.run(chosen, subject)


def _fit_all(names: Sequence[str], *, dataset: str, seed: int | None, device: str) -> None:
    """Train several runs, as many at once as there are processors."""
    from mgsl.training.parallel import in_parallel

    listed = params.read(EvaluateConfig, paths.config(dataset, "evaluate")).seeds
    runs = list(itertools.product(names, listed if seed is None else [seed]))
    # A training that is done keeps its state until all are: DVC empties a stage's outputs when it
    # starts it again.
    for state in in_parallel(partial(_fit, dataset=dataset, device=device), runs, device):
        state.unlink(missing_ok=True)


def _fit(run: tuple[str, int], *, dataset: str, device: str) -> Path:
    """Train one run and write all of it; returns the state from which it could go on."""
    import torch

    from mgsl.distributed import process_group, rank
    from mgsl.training.checkpoint import remove_others, save_checkpoint
    from mgsl.training.devices import choose_device
    from mgsl.training.fingerprint import fingerprint
    from mgsl.training.loop import say
    from mgsl.training.run import train

    name, seed = run
    config = params.read(RunConfig, paths.config(dataset, name))
    folder, prepared = _folder(dataset, name, seed), paths.prepared(dataset)
    torch.set_flush_denormal(True)
    where = choose_device(device, config.training.precision)
    with alone(folder), process_group(where):
        digest = fingerprint(config, prepared, seed, where)
        state = paths.unfinished(dataset, name, seed, digest)
        if rank() == 0 and remove_others(state) and not state.exists():
            say(
                f"{name}, seed {seed}: an unfinished training belongs to other data, other code or "
                "another configuration; starting anew"
            )
        model, curve, splits = train(config, prepared, seed=seed, device=where, state_path=state)
        _write_predictions(model, splits["test"], config, where, folder / "predictions.jsonl")
        if rank() == 0:
            save_checkpoint(folder / "checkpoint.safetensors", model, config)
            _write_csv(curve, folder / "curve.csv")
    return state


def _folder(dataset: str, name: str, seed: int) -> Path:
    groups = params.read(EvaluateConfig, paths.config(dataset, "evaluate")).groups
    return paths.run(dataset, name, seed, groups.get(name))


def _write_predictions(model, split, config, device, path) -> None:  # type: ignore[no-untyped-def]
    from mgsl.distributed import rank
    from mgsl.evaluation.predictions import write_predictions
    from mgsl.models.parts.base import BlindMethod
    from mgsl.spans import to_seconds
    from mgsl.training.loop import predict

    blind = isinstance(model, BlindMethod)
    spans, scores = (
        model.answer(split.queries) if blind else predict(model.to(device), split, config, device)
    )
    if rank() == 0:
        write_predictions(
            path, split.queries, to_seconds(spans, split.durations_s), scores, config.keep
        )


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
