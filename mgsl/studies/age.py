"""Whether kept studies were made with the code and the numbers of today."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from mgsl import paths
from mgsl.configs import RunConfig
from mgsl.params import Params
from mgsl.resolving import Configs, resolve_alone
from mgsl.training.fingerprint import digest


def made_with(configs: Mapping[str, RunConfig]) -> dict[str, str]:
    """A digest for each run: of its configuration, and of the code that trains it.

    Args:
        configs: of the runs, by name.
    """
    return {name: digest(config, {}, 0) for name, config in configs.items()}


def outdated(parameters: Params, configs: Configs) -> dict[str, dict[str, list[str]]]:
    """The runs of each kept study that would be trained otherwise today.

    Args:
        parameters: params.yaml.
        configs: the Config of each method.

    Returns:
        By study and dataset, their names; all runs of a study that does not tell what it was made
        with. A study that is up to date is left out.
    """
    methods = {name: name for name in parameters.models}
    methods |= {name: m for m, block in parameters.models.items() for name in block.ablations}

    @cache
    def now(dataset: str, name: str) -> str:
        if name not in methods or dataset not in parameters.data:
            return ""
        ablations = [name] if name not in parameters.models else []
        runs = resolve_alone(
            parameters,
            dataset,
            configs,
            scale=parameters.scale,
            methods=[methods[name]],
            ablations=ablations,
        ).runs
        return made_with({name: runs[name]})[name]

    studies: dict[str, dict[str, list[str]]] = {}
    for path in sorted(paths.STUDIES.glob("*/*/about.json")):
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        study, dataset = path.parts[-3:-1]
        made = about.get("made_with") or dict.fromkeys(about.get("changes", {}), "")
        if changed := [name for name, then in made.items() if then != now(dataset, name)]:
            studies.setdefault(study, {})[dataset] = changed
    return studies
