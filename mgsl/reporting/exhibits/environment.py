"""What the report was computed with: code, interpreter, platform, packages, parameters.

Nothing of it names a folder or a machine, so that it is the same bytes wherever it is the same.
"""

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator, Sequence
from typing import Any

import mgsl
from mgsl import numerics
from mgsl.reporting.draw.tables import TextTable
from mgsl.reporting.read import stamps
from mgsl.reporting.read.results import Results
from mgsl.tools import promise

_ABSENT = "not installed"


def build(datasets: Sequence[str]) -> TextTable:
    """Code, platform, numerics and packages, and the resolved parameters of every run.

    Args:
        datasets: names of evaluated datasets.
    """
    rows = [
        *(("Code and platform", *row) for row in _platform()),
        *(("Numerics", *row) for row in _numerics([Results(name) for name in datasets])),
        *(("Packages", *row) for row in packages()),
        *(row for dataset in datasets for row in _parameters(Results(dataset))),
    ]
    caption = (
        "Environment. Installed versions, with the locked version of requirements.txt where it "
        "differs; the numerical settings and the environment variables that affect them; "
        "and the parameters of every run as resolved from params.yaml."
    )
    return TextTable(caption, ("Part", "Name", "Value"), tuple(rows), (1.0, 4.0), _statement())


def _statement() -> str:
    """The version, the interpreter, and whether the packages are those that are locked."""
    versions = dict(packages())
    others = sum("locked:" in version or version == _ABSENT for version in versions.values())
    as_locked = f"all but {others} as locked" if others else "all as locked"
    return (
        f"mgsl {mgsl.__version__}, Python {dict(_platform())['Python']}, "
        f"{len(versions)} packages, {as_locked}; {numerics.current().label}."
    )


def packages() -> Iterator[tuple[str, str]]:
    """Every package that mgsl names, with its version."""
    locked = promise.read_lock(promise.REQUIREMENTS)
    for line in sorted(importlib.metadata.requires("mgsl") or [], key=str.lower):
        if "extra ==" not in line:  # what is needed to develop
            name = re.split(r"[^\w.-]", line)[0]
            yield name, _version(name, locked)


def flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested parameters as (dotted name, value), a list on one line."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from flatten(part, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        yield name, ", ".join(map(str, value))
    else:
        yield name, "none" if value is None else str(value)


def _platform() -> Iterator[tuple[str, str]]:
    yield "Version", mgsl.__version__
    yield "Commit", stamps.commit()
    version = ".".join(platform.python_version_tuple()[:2])  # a patch changes no number
    yield "Python", f"{version}, {platform.python_implementation()}"
    yield "System", f"{platform.system()}, {platform.machine()}"


def _numerics(all_results: Sequence[Results]) -> Iterator[tuple[str, str]]:
    for results in all_results:
        yield f"Runs of {results.dataset}", stamps.numerics_of(results)
    yield "This report", numerics.current().label
    if not numerics.native():
        for name in numerics.ENVIRONMENT:
            yield name, f"set to {os.environ.get(name)}: {numerics.REASONS[name]}"
        removed = "would change how the same kernels block or round"
        yield "Removed if set", f"{', '.join(numerics.REMOVED)}: {removed}"


def _version(name: str, locked: dict[str, str]) -> str:
    try:
        version = importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return _ABSENT
    wanted = locked.get(name, version).partition("+")[0]
    return version if version == wanted else f"{version} (locked: {wanted})"


def _parameters(results: Results) -> Iterator[tuple[str, str, str]]:
    config, prepared = results.config, results.preparation
    for part, document in (("evaluation", config.evaluation), ("preparation", prepared)):
        values = flatten(document.model_dump(mode="json"))
        text = "; ".join(f"{name} {value}" for name, value in values)
        yield f"Parameters of {results.dataset}", part, text
    for name in config.names:
        values = flatten(results.run(name).model_dump(mode="json", exclude={"dataset", "name"}))
        text = "; ".join(f"{key} {value}" for key, value in values)
        yield f"Parameters of {results.dataset}", name, text
