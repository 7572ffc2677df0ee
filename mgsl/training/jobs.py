"""Which trainings there are to do."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mgsl import params, paths
from mgsl.configs import EvaluateConfig, RunConfig
from mgsl.prepared import digests
from mgsl.training.fingerprint import digest


class Job(NamedTuple):
    """One training, and the digest of what decides it."""

    dataset: str
    name: str
    seed: int
    digest: str

    @property
    def folder(self) -> Path:
        """What it writes, and nothing else does."""
        return paths.run(self.dataset, self.name, self.seed)

    def __str__(self) -> str:
        return f"{self.name}, seed {self.seed}"


def jobs_of(
    config: EvaluateConfig, name: str | None = None, seed: int | None = None
) -> Sequence[Job]:
    """The trainings that are listed for a dataset, methods first.

    Args:
        config: names and seeds of a prepared dataset.
        name: of a method or ablation: its trainings alone, listed or not.
        seed: the trainings with this one alone, listed or not.

    Raises:
        UserError: the dataset is not prepared, or nothing is configured by the name.
    """
    dataset = config.dataset
    names = config.names if name is None else (name,)
    seeds = config.seeds if seed is None else (seed,)
    runs = [params.read(RunConfig, paths.config(dataset, one)) for one in names]
    data = digests(paths.prepared(dataset))
    return [Job(dataset, run.name, s, digest(run, data, s)) for run in runs for s in seeds]
