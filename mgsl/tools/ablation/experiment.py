"""An ablation that is tried: what is compared with what, which trainings that takes, how long.

Trainings are kept under the digest of all that decides them, in a folder of their own. One that the
pipeline keeps is taken from there; nothing of the pipeline is written.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mgsl import params, paths
from mgsl.configs import RunConfig
from mgsl.errors import UserError
from mgsl.params import EvaluationParams, Params
from mgsl.parsing import meant
from mgsl.prepared import digests
from mgsl.processes import num_workers
from mgsl.resolving import resolve_alone
from mgsl.tools.ablation.choices import Choices, as_text

_LONGEST = 60  # letters of a name


class Trial(NamedTuple):
    """One training, where it is kept, and the digest of what decides it."""

    config: RunConfig
    seed: int
    digest: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.config.name}, seed {self.seed}"


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: its trainings, a seed each, and how they are scored."""

    config: RunConfig
    scoring: EvaluationParams
    trainings: tuple[Trial, ...]


@dataclass(frozen=True)
class Experiment:
    """Some changes to a method, compared with the method or with another one.

    `changes` are by dotted key, `ablation` is the same as params.yaml would have it.
    """

    params: Params
    changes: Mapping[str, Any]
    ablation: Mapping[str, Any]
    changed: Side
    against: Side

    @property
    def dataset(self) -> str:
        """The dataset of both sides."""
        return self.changed.config.dataset

    @property
    def title(self) -> str:
        """The changes in words."""
        return ", ".join(f"{key} {as_text(value)}" for key, value in self.changes.items())

    def to_do(self) -> list[Trial]:
        """The trainings that are not kept."""
        from mgsl.training import receipt

        both = [*self.changed.trainings, *self.against.trainings]
        return [one for one in both if not receipt.holds(one.folder, one.digest)]

    def forecast(self) -> str:
        """How long the trainings will take on this machine, by a few steps of each side."""
        from mgsl.tools.ablation.fitting import seconds

        rest = self.to_do()
        number = len(self.changed.trainings) + len(self.against.trainings)
        if not rest:
            return f"All {number} trainings are there already: nothing to train."
        at_once = num_workers(len(rest))
        each = {one.config.name: one.config for one in rest}
        costs = {name: seconds(config) for name, config in each.items()}
        total = sum(costs[one.config.name] for one in rest) / at_once
        return (
            f"{len(rest)} of {number} trainings to do, {at_once} at once: about "
            f"{_duration(total)} on this machine."
        )

    def train(self, *, device: str = "auto", say: Callable[[str], None] = print) -> None:
        """Do the trainings that are not kept, as many at once as there are processors.

        Args:
            device: auto, cpu or cuda.
            say: tells the person who waits which training is done.

        Raises:
            UserError: a training stops, or another process is at work on it.
        """
        from mgsl.training.parallel import in_parallel

        rest = self.to_do()
        in_parallel(partial(_fit, device=device), rest, device, lambda one: say(f"{one}: done"))

    def command(self) -> str:
        """The line that makes the ablation one of the pipeline, as an experiment of DVC."""
        name, method = self.changed.config.name, self.changed.config.method
        document = as_text(self.ablation)
        listed = [*self.params.ablations, name]
        seeds = [one.seed for one in self.changed.trainings]
        others: dict[str, tuple[list[Any], list[Any]]] = {
            "datasets": ([*self.params.datasets], [self.dataset]),
            "seeds": ([*self.params.seeds], seeds),
        }
        overrides = [
            f"+models.{method}.ablations.{name}={document}",
            f"ablations=[{','.join(listed)}]",
            *(
                f"{key}=[{','.join(map(str, wanted))}]"
                for key, (now, wanted) in others.items()
                if not set(wanted) <= set(now)
            ),
        ]
        return " ".join(["dvc exp run", *(f"-S '{override}'" for override in overrides)])


def plan(
    dataset: str,
    changes: Mapping[str, Any],
    *,
    method: str,
    against: str | None = None,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
) -> Experiment:
    """See that an ablation can be tried, and what it takes; nothing is trained yet.

    Args:
        dataset: prepared.
        changes: new values by key (`Choices.changes`).
        method: a key of `models` in params.yaml.
        against: a method or an ablation of params.yaml; None: the method as it is.
        seeds: of the trainings of both sides.
        epochs: of both sides; None: each as params.yaml has it.

    Raises:
        UserError: the dataset is not prepared; a key, a value, a name, a seed or the number of
            epochs is none; or both sides are the same.
    """
    parameters = params.load(paths.PARAMS)
    choices = Choices(parameters, dataset, method)
    _ = choices.config  # the names are checked first
    data = digests(paths.prepared(dataset))
    if not seeds or len(set(seeds)) < len(seeds) or any(_is_not_natural(s) for s in seeds):
        raise UserError(f"seeds must be different whole numbers from 0, got {list(seeds)}")
    if epochs is not None and (_is_not_natural(epochs) or epochs == 0):
        raise UserError(f"epochs must be a whole number above 0, or None, got {epochs!r}")
    by_key = choices.changes(changes)
    ablation = choices.as_ablation(by_key)
    if epochs is not None:
        ablation = {key: ablation[key] for key in ablation if key not in ("epochs", "steps")}
        ablation |= {"epochs": epochs, "steps": None}
    name = _name(by_key)
    changed, scoring = _resolve(_with_ablation(parameters, method, name, ablation), dataset, name)
    other, other_scoring = _resolve(parameters, dataset, against or method)
    if epochs is not None:
        other = other.model_copy(update={"epochs": epochs, "steps": None})
    if changed.model_copy(update={"name": other.name}) == other:
        raise UserError(f"{other.name} has {as_text(by_key)} already: nothing to compare")
    return Experiment(
        params=parameters,
        changes=by_key,
        ablation=ablation,
        changed=_side(changed, scoring, data, seeds),
        against=_side(other, other_scoring, data, seeds),
    )


def _fit(trial: Trial, *, device: str) -> None:
    from mgsl.tools.ablation.fitting import fit

    fit(*trial, device=device)


def _is_not_natural(number: Any) -> bool:
    return not isinstance(number, int) or isinstance(number, bool) or number < 0


def _with_ablation(
    parameters: Params, method: str, name: str, ablation: Mapping[str, Any]
) -> Params:
    """params.yaml as if it had one more ablation of a method."""
    block = parameters.models[method]
    block = block.model_copy(update={"ablations": {**block.ablations, name: dict(ablation)}})
    return parameters.model_copy(update={"models": {**parameters.models, method: block}})


def _resolve(parameters: Params, dataset: str, name: str) -> tuple[RunConfig, EvaluationParams]:
    """What a training of a method or an ablation is told, and how it is scored."""
    from mgsl.models import CONFIGS

    ablations = [one for block in parameters.models.values() for one in block.ablations]
    if name not in [*parameters.models, *ablations]:
        close = meant(name, [*parameters.models, *ablations])
        raise UserError(f"params.yaml has no method or ablation {name!r}{close}")
    is_method = name in parameters.models
    resolved = resolve_alone(
        parameters,
        dataset,
        CONFIGS,
        scale=parameters.scale,
        methods=[name] if is_method else [],
        ablations=[] if is_method else [name],
    )
    return resolved.runs[name], resolved.evaluate.scoring_of(name)


def _side(
    config: RunConfig, scoring: EvaluationParams, data: Mapping[str, str], seeds: Sequence[int]
) -> Side:
    from mgsl.training import receipt
    from mgsl.training.fingerprint import digest

    trainings = []
    for seed in seeds:
        decisive = digest(config, data, seed)
        kept = paths.run(config.dataset, config.name, seed)
        tried = paths.tried(config.dataset, config.name, seed, decisive[:16])
        folder = kept if receipt.holds(kept, decisive) else tried
        trainings.append(Trial(config, seed, decisive, folder))
    return Side(config, scoring, tuple(trainings))


def _name(changes: Mapping[str, Any]) -> str:
    """What the ablation is called: after its changes, so that the same have the same name."""
    words = "_".join(f"{key.rpartition('.')[2]}_{as_text(v)}" for key, v in changes.items())
    name = re.sub(r"[^a-z0-9]+", "_", f"try_{words}".lower()).strip("_")
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(json.dumps(dict(changes), sort_keys=True).encode()).hexdigest()[:8]
    return f"{name[:_LONGEST]}_{digest}"


def _duration(seconds: float) -> str:
    """A time as one says it."""
    if seconds < 100:
        return f"{max(5, 5 * round(seconds / 5))} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"
