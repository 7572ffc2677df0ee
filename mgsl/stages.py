"""The stages of the pipeline, in order: each reads, calls, writes.

`configure` alone reads params.yaml; every other stage is told its part by a file of
`artifacts/configs`. torch is imported by the stages that compute with it. What may take long holds
its output meanwhile (`processes.alone`): of two runs at once, the second says so and stops.
"""

import itertools
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgsl import params, paths
from mgsl.configs import DownloadConfig, EvaluateConfig, InspectConfig, PrepareConfig, RunConfig
from mgsl.files import atomic_path, write_json
from mgsl.processes import alone
from mgsl.resolving import Resolved, resolve_all

if TYPE_CHECKING:
    from mgsl.training.jobs import Job


def configure() -> None:
    """Check params.yaml and write what each stage is told, for every dataset that has sizes."""
    from mgsl.models import CONFIGS

    write_configs(resolve_all(params.load(paths.PARAMS), CONFIGS))


def write_configs(resolved: Mapping[str, Resolved]) -> None:
    """Write what stages are told, by dataset; remove states of trainings that nothing needs now."""
    for dataset, parts in resolved.items():
        for name, part in parts.files().items():
            write_json(paths.config(dataset, name), part.model_dump(mode="json"))
    for state in paths.UNFINISHED.glob("*.pt"):
        dataset, name = [*state.stem.split("-"), ""][:2]
        if dataset not in resolved or name not in resolved[dataset].runs:
            state.unlink(missing_ok=True)  # no configuration can use it any more


def download(*, dataset: str) -> None:
    """Bring a dataset's published files together, verified; what is large stays where it is."""
    from mgsl.data import glove
    from mgsl.data.datasets import find
    from mgsl.data.placing import bring

    published, raw = find(dataset), paths.raw(dataset)
    config = params.read(DownloadConfig, paths.config(dataset, "download"))
    with alone(raw):
        published.download(raw)
        if config.glove is not None:
            glove.bring(config.glove)
        if published.archive is not None:
            bring(dataset, published.archive, config.release)


def identify(*, dataset: str, anew: bool = False) -> None:
    """Write which features and word vectors stand where they are looked for, by their content.

    Where none are needed, nothing is recorded. Where they are gone, what was recorded stays: all
    that was made of them still holds.
    """
    from mgsl.data import glove
    from mgsl.data.datasets import find
    from mgsl.data.feature_files import record_placed

    place = paths.placed(dataset)
    config = params.read(DownloadConfig, paths.config(dataset, "download"))
    with alone(place):
        glove.record(config.glove, place, anew=anew)
        record_placed(dataset, find(dataset).archive, place, anew=anew)


def prepare(*, dataset: str) -> None:
    """Turn published files into queries, words, vectors and features."""
    from mgsl.data.preparing import prepare as prepare_dataset

    config = params.read(PrepareConfig, paths.config(dataset, "prepare"))
    with alone(paths.prepared(dataset)):
        prepare_dataset(
            config, paths.raw(dataset), paths.prepared(dataset), placed=paths.placed(dataset)
        )


def train(
    *, dataset: str, name: str | None, seed: int | None, again: bool = False, device: str
) -> None:
    """Fit every method and ablation with every seed, or some; what is finished and holds is kept.

    As many are trained at once as there are processors.
    """
    from mgsl.distributed import process_group, rank
    from mgsl.training import receipt
    from mgsl.training.devices import choose_device
    from mgsl.training.jobs import jobs_of

    config = params.read(EvaluateConfig, paths.config(dataset, "evaluate"))
    jobs = jobs_of(config, name, seed)
    with process_group(choose_device(device, "float32")):
        if name is None and seed is None and rank() == 0:
            receipt.remove_unlisted(paths.runs(dataset), [job.folder for job in jobs])
        train_all(jobs, again=again, device=device)


def predict(*, dataset: str, name: str, seed: int, device: str, output: Path) -> None:
    """Answer the test queries with a checkpoint that `train` kept."""
    import torch

    from mgsl.data.loading import load_splits
    from mgsl.training.checkpoint import load_checkpoint
    from mgsl.training.devices import choose_device

    config = params.read(RunConfig, paths.config(dataset, name))
    model = load_checkpoint(paths.run(dataset, name, seed) / "checkpoint.safetensors", config)
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
        (name, seed): paths.run(dataset, name, seed) / "predictions.jsonl"
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
    from mgsl.prepared import read_summary
    from mgsl.training.parallel import in_parallel

    part = params.read(InspectConfig, paths.config(dataset, "inspect"))
    read_summary(paths.prepared(dataset))  # or there is nothing to look into
    with alone(paths.inspections(dataset)):
        paths.inspections(dataset).mkdir(parents=True, exist_ok=True)
        jobs = list(itertools.product(part.names, part.seeds))
        in_parallel(partial(_inspect, dataset=dataset, part=part, device=device), jobs, device)


def _inspect(job: tuple[str, int], *, dataset: str, part: InspectConfig, device: str) -> None:
    """Look into the memories of one training."""
    import torch

    from mgsl.data.loading import load_splits
    from mgsl.inspection import memory_tables
    from mgsl.prepared import read_summary
    from mgsl.training.checkpoint import load_checkpoint
    from mgsl.training.devices import choose_device

    name, seed = job
    config = params.read(RunConfig, paths.config(dataset, name))
    prepared = paths.prepared(dataset)
    torch.set_flush_denormal(True)
    where = choose_device(device, config.training.precision)
    model = load_checkpoint(paths.run(dataset, name, seed) / "checkpoint.safetensors", config)
    tables = memory_tables.inspect(
        model,
        load_splits(prepared, config),
        config,
        part,
        held_out=read_summary(prepared)["validation_held_out"],
        device=where,
    )
    memory_tables.write(paths.inspected(dataset, name, seed), *tables)


def trace() -> None:
    """Tell what every model is made of and costs; hold it against released code; work examples.

    And which kept studies would come out otherwise today.
    """
    from mgsl.conformance import side_by_side
    from mgsl.inspection import all_recipes, costs, parameter_counts, worked_examples
    from mgsl.inspection.tracing import trace as trace_model
    from mgsl.models import CONFIGS
    from mgsl.studies import age

    settings = params.load(paths.PARAMS)
    for dataset in settings.datasets:
        prepared = params.read(PrepareConfig, paths.config(dataset, "prepare"))
        for name in settings.names():
            config = params.read(RunConfig, paths.config(dataset, name))
            lengths = parameter_counts.lengths(config, prepared)
            if (modules := trace_model(config, lengths)) is not None:
                write_json(paths.traced(dataset, name), modules)
    _write_csv(parameter_counts.measure(settings, CONFIGS), paths.SIZES)
    write_json(paths.RECIPES, all_recipes.resolved(settings, CONFIGS))
    _write_csv(costs.count(settings), paths.COSTS)
    write_json(paths.EXAMPLES, worked_examples.compute())
    write_json(paths.AGES, age.outdated(settings, CONFIGS))
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

    settings = params.load(paths.PARAMS)
    if exhibit is not None:
        outline(exhibit)  # a misspelt name stops before any work
    with alone(paths.EXHIBITS):
        if exhibit is None:
            build(settings.exhibits, settings.datasets)
        else:
            from mgsl.reporting.site.notebooks import run_exhibit

            run_exhibit(exhibit, list(settings.datasets), settings.exhibits)


def index() -> None:
    """Write the front page of the reports, and the numbers of README.md."""
    from mgsl.reporting.site.build import write_front

    settings = params.load(paths.PARAMS)
    write_front(settings.exhibits, settings.datasets)


def train_all(jobs: Sequence["Job"], *, again: bool, device: str) -> None:
    """Fit what is not finished, as many at once as there are processors."""
    from mgsl.distributed import gather, rank
    from mgsl.training import receipt
    from mgsl.training.loop import say
    from mgsl.training.parallel import in_parallel

    rest = [job for job in jobs if again or not receipt.holds(job.folder, job.digest)]
    if rank() == 0 and not again:
        rest = [job for job in rest if not receipt.take_over(job)]
    rest = gather(rest)[0]  # by `torchrun`: all decide alike, and before anything is trained
    if num_kept := len(jobs) - len(rest):
        say(f"kept: {num_kept} of {len(jobs)} trainings, which no change concerns")
    numbers = itertools.count(1)

    def tell(job: "Job") -> None:
        say(f"{job}: done, {next(numbers)} of {len(rest)}")

    in_parallel(partial(_fit, device=device), rest, device, tell)


def _fit(job: "Job", *, device: str) -> None:
    """Train, write all that comes out, and the receipt last."""
    import torch

    from mgsl.distributed import rank
    from mgsl.training import receipt, spent
    from mgsl.training.checkpoint import remove_others, save_checkpoint
    from mgsl.training.devices import choose_device
    from mgsl.training.fingerprint import fingerprint
    from mgsl.training.loop import say
    from mgsl.training.run import train

    dataset, name, seed, digest = job
    config = params.read(RunConfig, paths.config(dataset, name))
    folder, prepared = job.folder, paths.prepared(dataset)
    torch.set_flush_denormal(True)
    where = choose_device(device, config.training.precision)
    state = paths.unfinished(dataset, name, seed, fingerprint(digest, where))
    started, resumed = time.process_time(), state.exists()
    with alone(folder):
        if rank() == 0:
            shutil.rmtree(folder, ignore_errors=True)
            if remove_others(state) and not state.exists():
                say(
                    f"{job}: an unfinished training belongs to other data, other code or "
                    "another configuration; starting anew"
                )
        model, curve, splits = train(config, prepared, seed=seed, device=where, state_path=state)
        _write_predictions(model, splits["test"], config, where, folder / "predictions.jsonl")
        if rank() == 0:
            save_checkpoint(folder / "checkpoint.safetensors", model, config)
            _write_csv(curve, folder / "curve.csv")
            receipt.write(folder, digest)
            state.unlink(missing_ok=True)
            if not resumed:
                spent.note(job, time.process_time() - started)


def _write_predictions(model, split, config, device, path) -> None:  # type: ignore[no-untyped-def]
    from mgsl.distributed import rank
    from mgsl.evaluation.predictions import write_predictions
    from mgsl.training.answering import answer

    spans_s, scores = answer(model, split, config, device)
    if rank() == 0:
        write_predictions(path, split.queries, spans_s, scores, config.keep)


def _write_csv(table: Any, path: Path) -> None:
    """Write a DataFrame: pandas is slow to import, and `identify` runs in every `dvc repro`."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
