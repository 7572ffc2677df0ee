"""What trainings took: for plans and for the page of costs. No result rests on it."""

import json
from pathlib import Path

from mgsl import paths
from mgsl.files import write_json
from mgsl.training.jobs import Job


def note(job: Job, processor_s: float) -> None:
    """Keep what a whole training took.

    Args:
        job: the training.
        processor_s: seconds of processor time, of one process.
    """
    document = {"digest": job.digest, "processor_s": round(processor_s, 1)}
    write_json(paths.spent(job.dataset, job.name, job.seed), document)


def processor_s(artifacts: Path, dataset: str, name: str) -> list[float]:
    """What trainings of a run took that are noted, in seconds; of one process each.

    Args:
        artifacts: the folder of a pipeline.
        dataset: where it was trained.
        name: of the run.
    """
    folder = artifacts / paths.SPENT.name / dataset
    files = sorted(folder.glob(f"{name}-*.json"))
    return [float(json.loads(path.read_text(encoding="utf-8"))["processor_s"]) for path in files]
