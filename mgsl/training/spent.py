"""What trainings took: for plans and for the page of costs. No result rests on it."""

import json
from collections import defaultdict
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


def of_runs(artifacts: Path) -> dict[tuple[str, str], list[float]]:
    """What the trainings of each run took that are noted, by dataset and name; in seconds.

    Args:
        artifacts: the folder of a pipeline.
    """
    seconds = defaultdict(list)
    for path in sorted((artifacts / paths.SPENT.name).glob("*/*.json")):
        name, _, _ = path.stem.rpartition("-")
        document = json.loads(path.read_text(encoding="utf-8"))
        seconds[path.parent.name, name].append(float(document["processor_s"]))
    return dict(seconds)
