"""What 2D-TAN costs, against what a direct reading of its architecture must at least cost.

Run from the repository's root: python -m benchmarks.tan_2d [--scale embedded]
The direct reading convolves the whole padded map; its floor is that many multiply-adds at the rate
of a large matrix product here. All in processor time of one thread, so that what else the machine
does hardly matters. Sizes are those of Charades-STA with I3D features.
"""

import argparse
import time
from collections.abc import Callable
from typing import get_args

import torch
from torch import nn

from mgsl import params, paths
from mgsl.models import CONFIGS, build
from mgsl.models.tan_2d import TAN2D, TAN2DConfig
from mgsl.params import Scale
from mgsl.parsing import parse
from mgsl.records import Batch
from mgsl.resolving import resolve_alone

PEAK = 1024  # side of the matrices whose product shows the machine's rate
DATASET = "charades_i3d"
BATCHES = {"paper": 2, "embedded": 32}


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Processor time of the fastest of some calls, after one that warms up."""
    call()
    taken = []
    for _ in range(repeats):
        start = time.thread_time()
        call()
        taken.append(time.thread_time() - start)
    return min(taken)


def peak() -> float:
    """Multiply-adds a second of a large matrix product."""
    a, b = torch.randn(PEAK, PEAK), torch.randn(PEAK, PEAK)
    return PEAK**3 / seconds(lambda: a @ b, 20)


def random_batch(size: int, num_clips: int, video_dim: int, words: int = 12) -> Batch:
    """Queries of one length."""
    target = torch.rand(size, 2).sort(dim=1).values
    video, query = torch.randn(size, num_clips, video_dim), torch.randn(size, words, 300)
    clips, real = torch.ones(size, num_clips).bool(), torch.ones(size, words).bool()
    return Batch(video, clips, query, real, target, real.long())


class DirectStack(nn.Sequential):
    """The convolutions as published: padded once, over the whole map, channels last.

    The division by counts, which costs little, is left out.
    """

    def __init__(self, config: TAN2DConfig) -> None:
        dim, kernel, number = config.hidden_dim, config.kernel, config.conv_layers
        edge = kernel // 2 * number
        stack = [
            nn.Conv2d(dim, dim, kernel, padding=0 if layer else edge) for layer in range(number)
        ]
        for layer in stack:
            layer.weight.data = layer.weight.contiguous(memory_format=torch.channels_last)
        super().__init__(*(part for layer in stack for part in (layer, nn.ReLU())))
        sides = [config.side + 2 * edge - (kernel - 1) * layer for layer in range(1, number + 1)]
        self.multiply_adds = sum(side**2 for side in sides) * kernel**2 * dim**2


def main() -> None:
    """Print processor times, and their ratios to the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=get_args(Scale), default="paper")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    parts = resolve_alone(
        params.load(paths.PARAMS), DATASET, CONFIGS, scale=given.scale, methods=["tan_2d"]
    )
    run = parts.runs["tan_2d"]
    torch.manual_seed(0)
    model = build(run)
    assert isinstance(model, TAN2D)
    config = parse(TAN2DConfig, run.model, where=DATASET)
    size, rate = BATCHES[given.scale], peak()
    num_clips = parts.prepare.num_clips
    batch = random_batch(size, num_clips, config.video_dim)
    direct = DirectStack(config)
    shape = (size, config.hidden_dim, config.side, config.side)
    whole = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    floor = direct.multiply_adds * size / rate
    places = config.kernel**2 * config.hidden_dim**2
    ours = sum(len(table) for name, table in model.named_buffers() if name.endswith("gather"))
    print(
        f"{given.scale}: batch of {size}; a matrix product does {rate / 1e9:.1f} G multiply-adds/s"
    )
    share = ours * places / direct.multiply_adds
    print(f"convolutions: {share:.2f} of the direct reading's multiply-adds")

    def forward() -> None:
        with torch.inference_mode():
            model(batch)

    def direct_forward() -> None:
        with torch.inference_mode():
            direct(whole)

    def step() -> None:
        model.zero_grad()
        torch.stack(list(model.losses(batch).values())).sum().backward()

    def direct_step() -> None:
        direct.zero_grad()
        direct(whole.requires_grad_()).sum().backward()

    for title, call, least in (
        ("forward", forward, floor),
        ("direct convolutions, forward", direct_forward, floor),
        ("forward and backward", step, 3 * floor),
        ("direct convolutions, both", direct_step, 3 * floor),
    ):
        taken = seconds(call, given.repeats)
        print(
            f"{title:<30} {1e3 * taken / size:9.1f} ms a query  {taken / least:6.2f} of the floor"
        )


if __name__ == "__main__":
    main()
