"""What an answer costs, counted and timed (Table 2).

Counted, and the same everywhere: parameters, MiB of float32, multiply-adds. Timed, and different
on every machine: seconds a query, peak memory. All methods are timed in one process, one after the
other, round after round, so that their ratios hold where other programs disturb.
"""

import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from mgsl.configs import PrepareConfig, RunConfig
from mgsl.models import CONFIGS, TRAINED, build
from mgsl.models.parts.base import GroundingModel
from mgsl.params import Params, Scale
from mgsl.records import Batch
from mgsl.resolving import resolve_alone
from mgsl.spans import nms

SETTINGS: dict[Scale, str] = {"embedded": "embedded", "paper": "tacos_c3d"}  # dataset by scale
BATCHES = (1, 16)  # queries at a time
PARTS = ("batch", "answer", "nms", "total")
MIB = 2**20
_NMS_THRESHOLD, _NMS_KEEP = 0.45, 5  # what R@5 asks for


def settings(params: Params) -> Iterator[tuple[str, RunConfig, PrepareConfig]]:
    """Each method that sees the video, at the embedded scale and at the paper's for TACoS."""
    seeing = [name for name in params.methods if name in TRAINED]
    for scale, dataset in SETTINGS.items():
        parts = resolve_alone(params, dataset, CONFIGS, scale=scale, methods=seeing)
        for name in seeing:
            yield scale, parts.runs[name], parts.prepare


def count(params: Params) -> pd.DataFrame:
    """What every method costs at each setting, counted without a number being computed.

    Returns:
        Columns setting, dataset, name, parameters, mib, multiply_adds; the last of one query.
    """
    rows = []
    for scale, config, prepare in settings(params):
        with FakeTensorMode():
            model = build(config)
            assert isinstance(model, GroundingModel)
            number = sum(parameter.numel() for parameter in model.parameters())
            adds = multiply_adds(model.eval(), Stored(prepare).batch(1))
        rows.append((scale, config.dataset, config.name, number, 4 * number / MIB, adds))
    columns = ["setting", "dataset", "name", "parameters", "mib", "multiply_adds"]
    return pd.DataFrame(rows, columns=columns).round(3)


def multiply_adds(model: nn.Module, batch: Batch) -> int:
    """Those of an answer (`operations`)."""
    with torch.no_grad():
        return operations(lambda: model(batch)) // 2


def operations(work: Callable[[], object]) -> int:
    """Floating-point operations of matrix products and convolutions, two for a multiply-add.

    Those of recurrent layers and attention too: fused kernels hide their products from the counter,
    so they are taken apart. It misses products that are added in place, and counts the gradient of
    a grouped convolution's weight once for each group: both are set right here.
    """
    right = {
        torch.ops.aten.addmm_: lambda _, a, b, **__: 2 * a[0] * a[1] * b[1],
        torch.ops.aten.convolution_backward: _convolution_backward,
    }
    counter = FlopCounterMode(display=False, custom_mapping=right)
    with (
        warnings.catch_warnings(action="ignore"),  # that no Intel GPU is there
        torch.backends.mkldnn.flags(enabled=False),
        torch.backends.cudnn.flags(enabled=False),
        sdpa_kernel(SDPBackend.MATH),
        counter,
    ):
        work()
    return counter.get_total_flops()


def _convolution_backward(
    gradient: torch.Size, x: torch.Size, weight: torch.Size, *others: Any, **_: Any
) -> int:
    """As many as the convolution itself, for each of two gradients: of its input, of its weight."""
    *_bias_stride_padding_dilation, transposed, _output_padding, _groups, gradients = others
    return sum(gradients[:2]) * conv_flop_count(list(x), list(weight), list(gradient), transposed)


def measure(
    params: Params,
    *,
    rounds: int,
    seconds: float,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Time every method at each setting on this machine's processor.

    Args:
        params: the whole of params.yaml.
        rounds: how often each is called, after one call that warms up.
        seconds: one that has taken longer in all is not called again, once it has three calls; a
            batch that would take longer is not tried.
        say: tells the person who waits.

    Returns:
        One row for each setting, method, batch and part: setting, dataset, name, batch, part,
        calls, median_ms, low_ms, high_ms (quartiles; of one query), peak_mib (beyond the weights).
    """
    tables = []
    for scale in SETTINGS:
        configs = [(c, p) for setting, c, p in settings(params) if setting == scale]
        tables.append(_time(scale, configs, rounds=rounds, seconds=seconds, say=say))
    return pd.concat(tables, ignore_index=True)


def machine() -> dict[str, Any]:
    """What the times are of."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _time(
    scale: str,
    configs: Sequence[tuple[RunConfig, PrepareConfig]],
    *,
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> pd.DataFrame:
    """The rows of one setting."""
    models: dict[str, GroundingModel] = {}
    durations: dict[tuple[str, int], list[list[float]]] = {}
    peaks: dict[tuple[str, int], float] = {}
    stored = Stored(configs[0][1])
    for config, _ in configs:
        torch.manual_seed(0)
        model = build(config)
        assert isinstance(model, GroundingModel)
        models[config.name] = model.eval()
        alone = sum(_answer(models[config.name], stored, 1))  # warms up
        for size in BATCHES:
            if size == 1 or size * alone < seconds:
                peaks[config.name, size] = _peak_mib(model, stored, size)
                durations[config.name, size] = []
        say(f"{scale}: {config.name} takes about {alone:.3g} s a query")
    for turn in range(rounds):
        for (name, size), calls in durations.items():
            if turn < 3 or sum(map(sum, calls)) < seconds:
                calls.append(_answer(models[name], stored, size))
        say(f"{scale}: round {turn + 1} of {rounds}")
    rows = []
    for (name, size), calls in durations.items():
        parts = 1e3 * np.array(calls) / size
        for part, times in zip(PARTS, [*parts.T, parts.sum(1)], strict=True):
            low, median, high = np.quantile(times, [0.25, 0.5, 0.75])
            row = (scale, configs[0][0].dataset, name, size, part, len(calls), median, low, high)
            rows.append((*row, peaks[name, size]))
    columns = ["setting", "dataset", "name", "batch", "part", "calls"]
    columns += ["median_ms", "low_ms", "high_ms", "peak_mib"]
    return pd.DataFrame(rows, columns=columns).round(4)


class Stored:
    """Random videos and queries as a prepared dataset keeps them, of the longest length."""

    def __init__(self, prepare: PrepareConfig, videos: int = 64, words: int = 100) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (videos, prepare.num_clips, prepare.video_dim)
        self.features = torch.randn(shape, generator=generator).half()
        vectors = (words, prepare.preparation.word_dim)
        self.word_vectors = torch.randn(vectors, generator=generator)
        self.words = torch.randint(words, (videos, prepare.max_words), generator=generator)

    def batch(self, size: int) -> Batch:
        """The first queries: what has to be done before a method sees them."""
        video = self.features[:size].float()
        words = self.words[:size]
        query = self.word_vectors[words]
        return Batch(
            video=video,
            video_mask=torch.ones(video.shape[:2], dtype=torch.bool),
            query=query,
            query_mask=torch.ones(query.shape[:2], dtype=torch.bool),
            target=torch.tensor([[0.25, 0.75]]).expand(size, 2),
            words=words,
        )


@torch.inference_mode()
def _answer(model: GroundingModel, stored: Stored, size: int) -> list[float]:
    """Seconds for the batch, for what the method does with it, and for NMS."""
    marks = [time.perf_counter()]
    batch = stored.batch(size)
    marks.append(time.perf_counter())
    spans = model(batch).spans.double().numpy()
    marks.append(time.perf_counter())
    nms(spans, np.ones(spans.shape[:2], bool), threshold=_NMS_THRESHOLD, keep=_NMS_KEEP)
    marks.append(time.perf_counter())
    return list(np.diff(marks))


@torch.inference_mode()
def _peak_mib(model: nn.Module, stored: Stored, size: int) -> float:
    """The most that is allocated at one time while a method answers, beyond its weights."""
    batch = stored.batch(size)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        model(batch)
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    held = np.cumsum([0, *(event.nbytes() for event in events)])
    return float(held.max() / MIB)


def _processor() -> str:
    """The name that the processor gives itself, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
