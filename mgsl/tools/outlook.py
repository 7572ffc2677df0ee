"""What the studies will take: trainings that are kept, those that are left, and how long."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from mgsl import params, paths
from mgsl.configs import RunConfig
from mgsl.errors import UserError
from mgsl.params import Params
from mgsl.processes import cores
from mgsl.studies import plan, trials, write_terms
from mgsl.studies.plan import StudyParams, StudyPlan
from mgsl.training import receipt, spent
from mgsl.training.jobs import Job, jobs_of

_UNKNOWN = "?"


@dataclass(frozen=True)
class Outlook:
    """What one study has and lacks; `hours` of one processor, None where they are not known."""

    key: str
    trainings: int
    left: int
    hours: float | None


def outlook(parameters: Params, studies: StudyPlan) -> list[Outlook]:
    """What is left of each study, in their order; a training that several need counts once.

    Args:
        parameters: params.yaml.
        studies: the plan.

    Raises:
        UserError: a study is not configured.
    """
    counted: set[Job] = set()
    rows = []
    for key, study in studies.studies.items():
        if study.study == write_terms.STUDY:  # it watches first steps
            continue
        try:
            jobs = jobs_of(plan.config_of(study, parameters))
        except UserError:  # the dataset is not prepared yet
            number = len(plan.names(parameters, study)) * len(study.seeds)
            rows.append(Outlook(key, number, number, None))
            continue
        left = [job for job in jobs if job not in counted and not _is_made(job)]
        counted.update(left)
        rows.append(Outlook(key, len(jobs), len(left), _hours(study, left)))
    return rows


def as_text(rows: Iterable[Outlook]) -> str:
    """A table for reading, and how long all of it takes here."""
    rows = list(rows)
    lines = [f"{'study':34}{'trainings':>10}{'left':>7}{'processor hours':>17}"]
    for row in rows:
        hours = _UNKNOWN if row.hours is None else f"{row.hours:.1f}"
        lines.append(f"{row.key:34}{row.trainings:>10}{row.left:>7}{hours:>17}")
    known = sum(row.hours or 0 for row in rows)
    unknown = sum(row.left for row in rows if row.hours is None)
    at_once = cores()
    lines.append(f"left: {known / at_once:.1f} hours with {at_once} trainings at once" + (
        f", and {unknown} trainings of which nothing is known yet" if unknown else ""
    ))  # fmt: skip
    return "\n".join(lines)


def _is_made(job: Job) -> bool:
    folders = (job.folder, paths.in_pipeline(job.folder))
    return any(receipt.holds(folder, job.digest) for folder in folders)


def _hours(study: StudyParams, left: list[Job]) -> float | None:
    """Of one processor; of `lengths` with the trainings of twice the length, all of them."""
    times = 3 if study.study == trials.LENGTHS else 1
    seconds = [_processor_s(job) for job in left]
    known = [value for value in seconds if value is not None]
    return None if len(known) < len(seconds) else times * sum(known) / 3600


def _processor_s(job: Job) -> float | None:
    """What a training takes, from the same run's, or else from its method's, on the dataset."""
    method = params.read(RunConfig, paths.config(job.dataset, job.name)).method
    for name in (job.name, method):
        for artifacts in (paths.ARTIFACTS, paths.PIPELINE):
            if seconds := spent.of_runs(artifacts).get((job.dataset, name)):
                return mean(seconds)
    return None
