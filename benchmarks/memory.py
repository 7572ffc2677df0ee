"""What a training step of MGSL-Net costs at the paper's scale: writing, memory, time, and where.

Run from the repository's root: OMP_NUM_THREADS=1 python -m benchmarks.memory [--queries 4]
On a CPU times are those of the processor, not of the clock, so that a busy machine tells the same;
with one thread nothing is counted that waits. Multiply-adds count as two operations.
"""

import argparse
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from mgsl import params, paths
from mgsl.configs import PrepareConfig, RunConfig
from mgsl.models import CONFIGS, build
from mgsl.models.memory import Record, sequential_write, sum_write
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.layers import BiLSTM
from mgsl.records import Batch
from mgsl.resolving import resolve_alone
from mgsl.training.devices import choose_device

STEPS, SLOTS, DIM, SAMPLES = 200, 1024, 512, 16  # of the write that is timed
PART = 10  # of the steps of the slowest write one in so many is timed
SIDE = 1024  # of the square matrices whose product is the machine's peak
KINDS = {  # operations by the part of their name that tells
    "matrix products": ("addmm", "bmm", "::mm", "matmul", "linear", "conv"),
    "LSTM": ("lstm", "rnn"),
    "attention": ("scaled_dot_product", "flash"),
    "optimiser": ("adam",),
}


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long work takes: of the processor on a CPU, of the clock on a card."""
    cpu = device.type == "cpu"
    clock = time.process_time if cpu else time.perf_counter
    if not cpu:
        torch.cuda.synchronize(device)
    start = clock()
    work()
    if not cpu:
        torch.cuda.synchronize(device)
    return clock() - start


def writing(device: torch.device) -> None:
    """Print how many times the closed write is faster than the recurrence."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    record = Record(
        weights=(100 * random(SAMPLES, STEPS, SLOTS)).softmax(-1).to(device),
        erase=random(SAMPLES, STEPS, DIM).to(device),
        value=random(SAMPLES, STEPS, DIM).to(device),
        mask=torch.ones(SAMPLES, STEPS, dtype=torch.bool, device=device),
    )
    slots = random(SLOTS, DIM).to(device)
    with torch.inference_mode():
        closed = min(seconds(lambda: sum_write(slots, record, "mean"), device) for _ in range(5))
        loop = seconds(lambda: sequential_write(slots, record, "mean"), device)
        few = Record(*(tensor[:, : STEPS // PART] for tensor in record))
        own = PART * seconds(lambda: per_sample_write(slots, few), device)
    print(
        f"write of {STEPS} steps, {SLOTS} slots of dim {DIM}, {SAMPLES} samples:\n"
        f"  closed {1e3 * closed:.1f} ms; the recurrence over steps, pooled at each: "
        f"{loop / closed:.1f} times as long; with a memory of its own for each sample: "
        f"{own / closed:.0f} times"
    )


def per_sample_write(slots: torch.Tensor, record: Record) -> torch.Tensor:
    """Eq. 5-8 as printed: each sample writes its own copy, step after step; then their mean."""
    copies = slots.expand(len(record.weights), -1, -1).clone()
    for w, e, u in zip(
        record.weights.unbind(1), record.erase.unbind(1), record.value.unbind(1), strict=True
    ):
        copies = copies * (1 - w[..., None] * e[:, None]) + w[..., None] * u[:, None]
    return copies.mean(0)


def peak(device: torch.device) -> float:
    """Operations a second of a product of square matrices, the best of several."""
    a, b = (torch.rand(SIDE, SIDE, device=device) for _ in range(2))
    return float(2 * SIDE**3 / min(seconds(lambda: a @ b, device) for _ in range(4)))


def make_batch(prepare: PrepareConfig, queries: int) -> Batch:
    """Random queries of the sizes of real ones."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(4, 13, (queries, 1), generator=generator)
    starts = torch.rand(queries, 1, generator=generator) / 2
    shape = (queries, prepare.num_clips, prepare.video_dim)
    word_shape = (queries, prepare.max_words, prepare.preparation.word_dim)
    return Batch(
        video=torch.randn(shape, generator=generator),
        video_mask=torch.ones(shape[:2], dtype=torch.bool),
        query=torch.randn(word_shape, generator=generator),
        query_mask=torch.arange(prepare.max_words) < words,
        target=torch.cat([starts, starts + 0.3], dim=1),
        words=torch.zeros(word_shape[:2], dtype=torch.long),
    )


def lstm_operations(model: torch.nn.Module, batch: Batch) -> float:
    """Of the LSTMs of one step, forwards and backwards, which the counter does not see."""
    sums = 0.0
    for name, module in model.named_modules():
        if isinstance(module, BiLSTM):
            steps = batch.video_mask.numel() if "video" in name else batch.query_mask.numel()
            weights = sum(p.numel() for key, p in module.named_parameters() if "weight" in key)
            sums += 3 * 2 * weights * steps
    return sums


def step(model: GroundingModel, batch: Batch, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(model.losses(batch).values())).sum().backward()
    optimizer.step()
    model.after_step()


def training(config: RunConfig, prepare: PrepareConfig, queries: int, device: torch.device) -> None:
    """Print what a step of so many queries takes, of what it could, and where the time goes."""
    torch.manual_seed(0)
    model = build(config)
    assert isinstance(model, GroundingModel)
    model.to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    batch = make_batch(prepare, queries).to(device)
    before = peak_memory(device)
    with FlopCounterMode(display=False) as counter:
        step(model, batch, optimizer)
    operations = counter.get_total_flops() + lstm_operations(model, batch)
    machine = peak(device)
    taken = min(seconds(lambda: step(model, batch, optimizer), device) for _ in range(2))
    machine = max(machine, peak(device))
    print(
        f"\n{config.dataset}, {config.name}, {queries} queries of {config.batch_size}: "
        f"{taken:.2f} s, {operations / 1e9:.0f} G operations; {operations / taken / 1e9:.1f} G/s "
        f"of {machine / 1e9:.1f} G/s that products of {SIDE} x {SIDE} reach: "
        f"{operations / taken / machine:.0%}\n"
        f"peak memory {peak_memory(device):.2f} GB, of which {before:.2f} GB before the first step "
        "(library, model, batch)"
    )
    where(lambda: step(model, batch, optimizer))


def where(work: Callable[[], object]) -> None:
    """Print the shares of kinds of operations, and the longest ones."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        work()
    events = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    shares: dict[str, float] = defaultdict(float)
    for event in events:
        name = event.key.lower()
        kind = next((k for k, parts in KINDS.items() if any(p in name for p in parts)), "other")
        shares[kind] += event.self_cpu_time_total / total
    listed = sorted(shares.items(), key=lambda item: -item[1])
    print("  " + ", ".join(f"{kind} {share:.0%}" for kind, share in listed))
    for event in sorted(events, key=lambda e: -e.self_cpu_time_total)[:8]:
        print(f"    {event.self_cpu_time_total / total:6.1%}  {event.count:5d} x {event.key}")


def peak_memory(device: torch.device) -> float:
    """GB: of the process so far, or of what torch allocated on a card."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    unit = 1e9 if sys.platform == "darwin" else 1e6  # bytes there, else KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    """Time the write, then a training step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="activitynet_c3d")
    parser.add_argument("--queries", type=int, default=4, help="of a batch that is split")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    given = parser.parse_args()
    parameters = params.load(paths.PARAMS)
    device = choose_device(given.device, parameters.training.precision)
    torch.set_flush_denormal(True)
    print(f"{device.type}, {torch.get_num_threads()} threads")
    writing(device)
    parts = resolve_alone(
        parameters, given.dataset, CONFIGS,
        scale="paper", methods=["mgsl_net"], ablations=["printed"],
    )  # fmt: skip
    training(parts.runs["printed"], parts.prepare, given.queries, device)


if __name__ == "__main__":
    main()
