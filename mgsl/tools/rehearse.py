"""Whether a dataset's trainings would go through here, tried before its features are at hand.

Made-up features of the real shape are prepared, and each method takes a first step at the full
sizes of its recipe, in a process of its own. Nothing of it is kept.
"""

import multiprocessing
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mgsl import paths
from mgsl.configs import PrepareConfig, RunConfig
from mgsl.data.datasets import find
from mgsl.documents import read_json
from mgsl.errors import UserError
from mgsl.families import for_dataset
from mgsl.models import CONFIGS, MODELS
from mgsl.params import Params, Scale
from mgsl.parsing import meant
from mgsl.processes import Workers, cores, num_workers
from mgsl.resolving import resolve_alone
from mgsl.tools import first_steps, made_up
from mgsl.tools.first_steps import GIB, Rehearsal
from mgsl.training.loop import PREDICT_FACTOR
from mgsl.training.parallel import threads_each

SECOND_STEP = 0.25  # of the limit: a first step that took less is followed by another
HALF = 2  # bytes of a stored feature
COLUMNS = {  # title: width, key of the notes, its form
    "batch": (10, "batch", "{}"),
    "host GiB": (9, "host_gib", "{:.1f}"),
    "device GiB": (11, "device_gib", "{:.1f}"),
    "step s": (10, "step_s", "{:,.2f}"),
    "evaluation s": (13, "evaluation_s", "{:,.2f}"),
    "steps/epoch": (12, "steps_per_epoch", "{:,}"),
    "epochs": (7, "epochs", "{:,}"),
    "hours": (11, "hours", "{:,.2f}"),
}
_NOTHING = "–"


@dataclass(frozen=True)
class Machine:
    """Where trainings would run: how many at once, and what each may take."""

    device: str
    at_once: int
    memory: int | None


def rehearse(
    params: Params, *, dataset: str, scale: Scale, names: Sequence[str], device: str, limit_s: float
) -> bool:
    """Print what each method needs and how long its training would take; whether all go through.

    Args:
        params: the whole of params.yaml.
        dataset: by name.
        scale: of the sizes and recipes.
        names: of methods and ablations; none: all methods that params.yaml lists.
        device: as of the command line.
        limit_s: seconds for each; what takes longer is stopped, and no failure.

    Raises:
        UserError: there is no such dataset or method; the annotations are not at hand.
    """
    names = names or params.methods
    configs, failures = resolve_each(params, dataset, scale, names)
    place = find_place(device, trainings=len(names) * len(params.seeds))
    with tempfile.TemporaryDirectory(prefix="mgsl-rehearsal-") as temporary:
        folder = Path(temporary)
        print(f"A rehearsal of {dataset} at the scale {scale!r}; nothing of it is kept.")
        sample = _prepare(params, dataset, scale, configs, folder)
        if sample is None:
            return False
        _tell(sample, place)
        print("\n" + " ".join([f"{'':<20}", *(f"{key:>{w}}" for key, (w, *_) in COLUMNS.items())]))
        hours, over = 0.0, False
        for name in names:
            if name in configs:
                notes = _try(configs[name], sample, folder, place, limit_s)
                hours += notes.get("hours", 0.0)
                over |= "over" in notes
                print(row(configs[name], notes, limit_s), flush=True)
                if "fails" in notes:
                    failures[name] = advice(notes, configs[name], place)
            if name in failures:
                print(f"{name:<20} fails: {failures[name]}", flush=True)
    total = hours * len(params.seeds) / place.at_once
    print(
        f"\n{len(names) - len(failures)} of {len(names)} can be trained here"
        f"{', as far as they were tried' * over}; "
        f"{len(params.seeds)} seeds of what was timed take {'over ' * over}{total:,.1f} hours, "
        f"{place.at_once} at once."
    )
    return not failures


def resolve_each(
    params: Params, dataset: str, scale: Scale, names: Sequence[str]
) -> tuple[dict[str, RunConfig], dict[str, str]]:
    """What each method or ablation is told, or why it cannot be.

    Raises:
        UserError: the dataset or a name is unknown, or there is no setting at the scale.
    """
    find(dataset)
    if for_dataset(params.settings.get(scale, {}), dataset) is None:
        raise UserError(f"params.yaml has no settings.{scale} for {dataset}: write them there")
    known = {*MODELS, *(name for block in params.models.values() for name in block.ablations)}
    configs, failures = {}, {}
    for name in names:
        if name not in known:
            raise UserError(f"no method or ablation {name!r}{meant(name, known)}")
        kind = "methods" if name in MODELS else "ablations"
        lists: dict[str, Any] = {"methods": [], kind: [name]}
        try:
            parts = resolve_alone(params, dataset, CONFIGS, scale=scale, **lists)
        except UserError as error:
            failures[name] = str(error)
        else:
            configs[name] = parts.runs[name]
    return configs, failures


def find_place(device: str, *, trainings: int) -> Machine:
    """Where trainings would run, as the stage `train` shares out a machine."""
    if device != "cpu" and torch.cuda.is_available():
        return Machine(device, 1, None)
    at_once = num_workers(trainings)
    free = free_memory()
    return Machine(device, at_once, None if free is None else free // at_once)


def free_memory() -> int | None:
    """Bytes that processes may still take, on this machine or in this container; None: unknown."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    limit = Path("/sys/fs/cgroup/memory.max")
    allowed = limit.read_text().strip() if limit.exists() else "max"
    free = sizes["MemAvailable"]
    return free if allowed == "max" else min(free, int(allowed))


def row(config: RunConfig, notes: Mapping[str, Any], limit_s: float) -> str:
    """A line of the table; what took longer than the limit is more than it."""
    parts = config.training.micro_batches
    batch = f"{config.batch_size}" + (f" in {parts}" if parts > 1 else "")
    shown = {"batch": batch, **notes}
    cells = [
        form.format(shown[key]) if key in shown else _NOTHING for _, key, form in COLUMNS.values()
    ]
    if notes.get("over"):
        keys = [key for _, key, _ in COLUMNS.values()]
        unknown = "evaluation_s" if "step_s" in notes else "step_s"
        cells[keys.index(unknown)] = f"over {limit_s:,.0f}"
        cells[keys.index("hours")] = f"over {notes.get('hours', 0.0):,.1f}"
    widths = [width for width, *_ in COLUMNS.values()]
    line = [f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)]
    return " ".join([f"{config.name:<20}", *line])


def advice(notes: Mapping[str, Any], config: RunConfig, place: Machine) -> str:
    """Why a method fails, and what to change where memory is wanting."""
    if not notes.get("memory"):
        return str(notes["fails"])
    doing = notes.get("doing", first_steps.LOADING)
    room = "" if place.memory is None else f" of {place.memory / GIB:.1f} GiB"
    change = f"a batch_size below {config.batch_size} in the recipe of {config.method}"
    if doing == first_steps.STEP:
        parts = 2 * config.training.micro_batches
        change = f"training.micro_batches: {parts} or more (the same gradient), or {change}"
    if place.at_once > 1:
        change += "; or fewer trainings at once, as with `taskset -c 0`"
    return f"memory{room} is too small for {doing} ({notes['fails']}): in params.yaml, {change}"


def _prepare(
    params: Params, dataset: str, scale: Scale, configs: Mapping[str, RunConfig], folder: Path
) -> made_up.Sample | None:
    """Prepare a sample with enough queries for the largest batches; None: the stage would fail."""
    largest = max((config.batch_size for config in configs.values()), default=1)
    least = {"train": largest, "val": PREDICT_FACTOR * largest, "test": 1}
    config = resolve_alone(params, dataset, CONFIGS, scale=scale, methods=()).prepare
    try:
        sample = made_up.prepare_sample(config, folder, least=least)
        _refuse_disk(config, sample)
    except UserError as error:
        print(f"prepare fails: {error}")
        return None
    return sample


def _refuse_disk(config: PrepareConfig, sample: made_up.Sample) -> None:
    """See that the prepared features of all videos have room.

    Raises:
        UserError: they have not.
    """
    needed = sample.videos * config.num_clips * config.video_dim * HALF
    folder = next(f for f in (paths.ARTIFACTS, Path()) if f.exists())
    if (free := shutil.disk_usage(folder).free) < needed:
        raise UserError(
            f"the features of {sample.videos:,} videos take {needed / GIB:.1f} GiB of disk in "
            f"{paths.ARTIFACTS}/ once prepared, and {free / GIB:.1f} GiB are free: make room"
        )


def _tell(sample: made_up.Sample, place: Machine) -> None:
    """Print what was prepared, and what is missing."""
    pairs = ", ".join(f"{count:,} {split}" for split, count in sample.pairs.items())
    whole_s = sample.seconds * sample.videos / sample.sampled
    print(
        f"queries: as published; {pairs}; {sample.vocabulary:,} words, the padding among them\n"
        f"features: {sample.features}\n"
        f"prepare: {sample.sampled:,} of {sample.videos:,} videos in {sample.seconds:.1f} s; all "
        f"take about {whole_s / 60:.1f} min"
    )
    for file in sample.missing:
        print(f"not at hand: {file}; word vectors come from spelling")
    if place.memory is not None:
        print(
            f"memory: {place.at_once * place.memory / GIB:.1f} GiB are free; `train` runs "
            f"{place.at_once} at once here, so each may take {place.memory / GIB:.1f} GiB"
        )


def _try(
    config: RunConfig, sample: made_up.Sample, folder: Path, place: Machine, limit_s: float
) -> dict[str, Any]:
    """What a process of its own notes of a method, however it ends."""
    one = Rehearsal(
        config=config,
        prepared=folder / "prepared",
        notes=folder / f"{config.name}.json",
        pairs=dict(sample.pairs),
        vocabulary=sample.vocabulary,
        device=place.device,
        threads=threads_each(cores(), place.at_once),
        memory=place.memory,
        patience_s=SECOND_STEP * limit_s,
    )
    more: dict[str, Any] = {}
    with Workers(1) as worker:
        future = worker.submit(first_steps.take, one)
        try:
            future.result(timeout=limit_s)
        except TimeoutError:
            for process in multiprocessing.active_children():
                peak = first_steps.peak_bytes(process.pid)
                more = {"over": True} | ({"host_gib": peak / GIB} if peak else {})
                process.kill()
        except BrokenProcessPool:
            more = {"memory": True, "fails": "the process was killed, most likely for it"}
    notes: dict[str, Any] = read_json(one.notes) if one.notes.exists() else {}
    notes |= more
    if more.get("over") and notes.get("doing") == first_steps.STEP:
        steps = notes["steps_per_epoch"] * notes["epochs"]
        notes["hours"] = max(notes.get("hours", 0.0), limit_s * steps / 3600)
    return notes
