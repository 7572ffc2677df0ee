"""Which studies there are: studies/params.yaml, the plan of studies/dvc.yaml.

A study compares runs that were trained with its seeds on one dataset. Sizes, lengths and rates are
those of params.yaml. A training that several studies need is made once.
"""

from functools import partial
from typing import Annotated

from pydantic import Field, model_validator

from mgsl import params, paths
from mgsl.configs import EvaluateConfig
from mgsl.documents import line_of, read_yaml
from mgsl.errors import UserError
from mgsl.fields import Frozen
from mgsl.lists import EachOnce, Some
from mgsl.params import Name, Names, Params, Seeds
from mgsl.parsing import meant, parse
from mgsl.resolving import Configs, Resolved, resolve


class StudyParams(Frozen):
    """One study on one dataset: what is trained, and what it is compared with."""

    study: Name  # under which the exhibits look it up
    dataset: Name
    base: Name  # the run that the others are compared with
    runs: Annotated[Names, Some]  # methods, ablations and groups of them
    seeds: Seeds


class StudyPlan(Frozen):
    """All of studies/params.yaml."""

    datasets: Annotated[Names, Some, EachOnce]
    studies: dict[Name, StudyParams] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> "StudyPlan":
        for key, study in self.studies.items():
            if key != f"{study.study}_{study.dataset}":
                raise ValueError(f"studies.{key} is of {study.study} on {study.dataset}: "
                                 f"call it {study.study}_{study.dataset}")  # fmt: skip
            if study.dataset not in self.datasets:
                raise ValueError(f"studies.{key}: {study.dataset} is not listed under datasets")
        if idle := set(self.datasets) - {study.dataset for study in self.studies.values()}:
            raise ValueError(f"datasets lists {', '.join(sorted(idle))}, which no study is of")
        return self

    def find(self, key: str) -> StudyParams:
        """A study by its key.

        Raises:
            UserError: there is none; the message lists those that there are.
        """
        if key not in self.studies:
            there = ", ".join(self.studies)
            raise UserError(
                f"{paths.STUDIES_PARAMS} has no study {key!r}{meant(key, self.studies)}; "
                f"there is: {there}"
            )
        return self.studies[key]


def load() -> StudyPlan:
    """Read and check studies/params.yaml.

    Raises:
        UserError: the artifacts at hand are the main pipeline's; the file is missing, or a key is
            unknown, missing or out of range.
    """
    path = paths.STUDIES_PARAMS
    if paths.ARTIFACTS == paths.PIPELINE:
        raise UserError(
            "studies have their own artifacts: run this through `dvc repro studies/dvc.yaml`, or "
            "with MGSL_ARTIFACTS=studies/artifacts before the command"
        )
    try:
        return parse(StudyPlan, read_yaml(path), where=str(path), line_of=partial(line_of, path))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: restore it by git") from None


def names(parameters: Params, study: StudyParams) -> Names:
    """The runs of a study, its groups opened; what they are compared with comes first.

    Raises:
        UserError: it names what params.yaml does not have.
    """
    ablations = {name for block in parameters.models.values() for name in block.ablations}
    runs = [study.base]
    for entry in study.runs:
        runs += parameters.groups.get(entry, (entry,))
    known = {*parameters.models, *ablations}
    if unknown := [name for name in runs if name not in known]:
        raise UserError(
            f"{paths.STUDIES_PARAMS}: {study.study} names {unknown[0]!r}, which is neither a "
            f"method nor an ablation nor a group of {paths.PARAMS}{meant(unknown[0], known)}"
        )
    return tuple(dict.fromkeys(runs))


def resolved(parameters: Params, plan: StudyPlan, configs: Configs) -> dict[str, Resolved]:
    """What the stages of studies/dvc.yaml are told, by dataset.

    Args:
        parameters: params.yaml; what it runs is put aside for what the studies need.
        plan: the studies.
        configs: the Config of each method.

    Raises:
        UserError: a study names what there is not, or as `resolving.resolve` does.
    """
    return {dataset: _resolved(parameters, plan, dataset, configs) for dataset in plan.datasets}


def config_of(study: StudyParams, parameters: Params) -> EvaluateConfig:
    """How a study is scored: the evaluation of its dataset, with the study's runs and seeds.

    Raises:
        UserError: the dataset is not configured.
    """
    config = params.read(EvaluateConfig, paths.config(study.dataset, "evaluate"))
    own = {"names": names(parameters, study), "seeds": study.seeds}
    return config.model_copy(update=own)


def _resolved(parameters: Params, plan: StudyPlan, dataset: str, configs: Configs) -> Resolved:
    studies = [study for study in plan.studies.values() if study.dataset == dataset]
    runs = dict.fromkeys(name for study in studies for name in names(parameters, study))
    listed = {
        "datasets": (dataset,),
        "methods": tuple(name for name in runs if name in parameters.models),
        "ablations": tuple(name for name in runs if name not in parameters.models),
        "inspected": (),
    }
    return resolve(parameters.model_copy(update=listed), dataset, configs)
