"""How near each method comes to what the machine can do: a forward pass, and a training step.

Run from the repository's root: python -m benchmarks.methods [--scale paper] [--method drn]
Operations are counted; divided by the time and by the best rate of a product of square matrices,
on as many threads, they give the share of the machine's peak. All take turns, and of each the
fastest turn counts, so that what else the machine does hits all alike. On one thread of a CPU times
are the processor's. A batch that takes too long has fewer queries than a method's own.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import get_args

import pandas as pd
import torch

from mgsl import params, paths
from mgsl.configs import PrepareConfig, RunConfig
from mgsl.inspection import costs
from mgsl.models import TRAINED, build
from mgsl.models.parts.base import GroundingModel
from mgsl.params import Params, Scale
from mgsl.training.devices import choose_device
from mgsl.training.loop import train_one_epoch
from mgsl.training.progress import Training

SIDES = {  # of the square matrices whose product shows the peak
    "cpu": (512, 1024, 2048),
    "cuda": (2048, 4096, 8192),
}
PARTS = ("forward", "step")  # a step: forward, loss, backward, clipping, optimiser
FORMS = {"GFLOP": "{:.3f}", "ms": "{:.2f}", "share": "{:.0%}"}  # columns, each for each part
PRODUCT = "torch.mm"


@dataclass
class Subject:
    """What is timed: its calls by part, the operations of each, and how long each turn took."""

    name: str
    calls: dict[str, Callable[[], object]]
    operations: dict[str, int]
    queries: int = 1
    batch_size: int = 1  # the method's own
    times_s: dict[str, list[float]] = field(default_factory=dict)

    def best_s(self, part: str) -> float:
        """The fastest turn."""
        return min(self.times_s[part])

    def rate(self, part: str) -> float:
        """Operations a second in it."""
        return self.operations[part] / self.best_s(part)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long work takes: of the processor where one thread works, else of the clock."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = clock()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - start


def product(side: int, device: torch.device) -> Subject:
    """A product of square matrices, in float32."""
    a, b = (torch.rand(side, side, device=device) for _ in range(2))
    operations = costs.operations(lambda: torch.mm(a, b))
    name = f"{PRODUCT} of {side} x {side}"
    return Subject(name, {"forward": lambda: torch.mm(a, b)}, {"forward": operations})


def method(
    config: RunConfig, prepare: PrepareConfig, device: torch.device, *, budget_s: float
) -> Subject:
    """A method with as many random queries as a forward pass and a step do within a budget."""
    torch.manual_seed(0)
    model = build(config)
    assert isinstance(model, GroundingModel)
    training = Training(model.to(device), config, device)
    stored = costs.Stored(prepare, videos=config.batch_size)

    def calls(size: int) -> dict[str, Callable[[], object]]:
        batch = stored.batch(size).to(device)

        def forward() -> None:
            with torch.inference_mode():
                model.eval()(batch)

        return {
            "forward": forward,
            "step": lambda: train_one_epoch(training, [batch], [config.learning_rate]),
        }

    model.before_training(stored.batch(config.batch_size).target.to(device))
    size, works = 1, calls(1)
    turn_s(works.values(), device)  # warms up
    while size < config.batch_size and 2 * turn_s(works.values(), device) < budget_s:
        size = min(2 * size, config.batch_size)
        works = calls(size)
    batch = stored.batch(size).to(device)
    operations = {
        "forward": 2 * costs.multiply_adds(model.eval(), batch),
        "step": costs.operations(works["step"]),
    }
    return Subject(config.name, works, operations, size, config.batch_size)


def turn_s(works: Iterable[Callable[[], object]], device: torch.device) -> float:
    """How long some calls take, one after the other."""
    return sum(seconds(work, device) for work in works)


def take_turns(
    subjects: Sequence[Subject], device: torch.device, *, rounds: int, limit_s: float
) -> None:
    """Time all, round after round; what would take longer than the limit in all sits out."""
    for turn in range(rounds):
        for subject in subjects:
            total = sum(map(sum, subject.times_s.values()))
            if turn and total * (turn + 1) / turn > limit_s:
                continue
            for part, work in subject.calls.items():
                subject.times_s.setdefault(part, []).append(seconds(work, device))


def table(scale: str, subjects: Sequence[Subject]) -> pd.DataFrame:
    """A row for each subject, of one query where there are several; NaN where it has no step."""
    peak = max(s.rate("forward") for s in subjects if s.name.startswith(PRODUCT))
    rows = []
    for subject in subjects:
        queries = f"{subject.queries} of {subject.batch_size}"
        row: dict[str, object] = {"scale": scale, "method": subject.name, "queries": queries}
        for part in [part for part in PARTS if part in subject.calls]:
            row |= {
                f"GFLOP {part}": subject.operations[part] / subject.queries / 1e9,
                f"ms {part}": 1e3 * subject.best_s(part) / subject.queries,
                f"share {part}": subject.rate(part) / peak,
            }
        rows.append(row)
    names = [f"{title} {part}" for title in FORMS for part in PARTS]
    return pd.DataFrame(rows, columns=["scale", "method", "queries", *names])


def measure(
    parameters: Params, device: torch.device, *, rounds: int, limit_s: float,
    scales: Sequence[str] = get_args(Scale),
    say: Callable[[str], None] = print,
) -> Iterator[pd.DataFrame]:  # fmt: skip
    """A table for each scale.

    Args:
        parameters: the whole of params.yaml; `methods` are those that are timed.
        device: where to compute.
        rounds: how often each is timed.
        limit_s: for each method; it decides how many queries a batch has.
        scales: at which sizes.
        say: tells the person who waits.
    """
    settings = list(costs.settings(parameters))
    for scale in scales:
        subjects = [product(side, device) for side in SIDES[device.type]]
        for config, prepare in [(c, p) for setting, c, p in settings if setting == scale]:
            subjects.append(method(config, prepare, device, budget_s=limit_s / rounds))
            say(f"{scale}: {config.name}, {subjects[-1].queries} queries of {config.batch_size}")
        take_turns(subjects, device, rounds=rounds, limit_s=limit_s)
        yield table(scale, subjects)


def text(rows: pd.DataFrame) -> str:
    """The table as it is printed."""
    formats = {f"{title} {part}": form.format for title, form in FORMS.items() for part in PARTS}
    return rows.to_string(index=False, na_rep="–", formatters=formats)


def main() -> None:
    """Time every method at both scales."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=get_args(Scale), help="else both")
    parser.add_argument("--method", choices=TRAINED, action="append", help="again for another")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0, help="about, for each method")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    parameters = params.load(paths.PARAMS)
    device = choose_device(options.device, parameters.training.precision)
    tables = measure(
        parameters.model_copy(update={"methods": tuple(options.method or TRAINED)}),
        device,
        rounds=options.rounds,
        limit_s=options.seconds,
        scales=[options.scale] if options.scale else get_args(Scale),
    )
    for rows in tables:
        print(f"\n{device.type}, {torch.get_num_threads()} threads; GFLOP and ms of one query")
        print(text(rows), flush=True)


if __name__ == "__main__":
    main()
