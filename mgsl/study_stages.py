"""The stages of studies/dvc.yaml that dvc.yaml has not: what they are told, and a study."""

from mgsl import params, paths
from mgsl.distributed import process_group
from mgsl.files import write_json
from mgsl.models import CONFIGS
from mgsl.processes import alone
from mgsl.reporting.read import published
from mgsl.stages import train_all, write_configs
from mgsl.studies import age, annotation_counts, plan, run_groups, trials, write_terms
from mgsl.studies.examples import Example
from mgsl.training.devices import choose_device
from mgsl.training.jobs import jobs_of


def configure() -> None:
    """Check studies/params.yaml and write what each stage of studies/dvc.yaml is told.

    And what decides each study, so that `dvc status` knows which of them a change concerns.
    """
    parameters, planned = params.load(paths.PARAMS), plan.load()
    resolved = plan.resolved(parameters, planned, CONFIGS)
    write_configs(resolved)
    for key, one in planned.studies.items():
        config = plan.config_of(one, parameters)
        runs = resolved[one.dataset].runs
        code = age.made_with({name: runs[name] for name in config.names})
        decisive = {**config.model_dump(mode="json"), "base": one.base, "made_with": code}
        write_json(paths.decided(key), decisive)


def annotations() -> None:
    """Count what the annotations of the three benchmarks tell without a video."""
    with alone(paths.STUDIES):
        shown = [Example(**row) for row in published.shown_queries()]
        annotation_counts.run(params.load(paths.PARAMS), published.bin_shares(), shown)


def study(key: str, device: str) -> None:
    """Train what a study compares, and write what it tells.

    A finished training is kept, and one that the main pipeline has is taken over.

    Args:
        key: of studies/params.yaml.
        device: where to train, as on the command line.

    Raises:
        UserError: there is no such study, or a dataset is not prepared.
    """
    one = plan.load().find(key)
    config = plan.config_of(one, params.load(paths.PARAMS))
    folder = paths.study(one.study, one.dataset)
    with alone(folder), process_group(choose_device(device, "float32")):
        if one.study == write_terms.STUDY:
            write_terms.run(one, config, folder)
            return
        train_all(jobs_of(config), again=False, device=device)
        write = trials.lengths if one.study == trials.LENGTHS else run_groups.run
        write(one, config, folder)
