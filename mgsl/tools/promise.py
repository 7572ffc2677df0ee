"""Whether this machine keeps the promise: the same commit gives the same bytes here as elsewhere.

`numerics` asks libraries for the kernels that every x86-64 processor with AVX2 has; here they are
asked which ones they took. Where the promise is not kept, results agree within the noise of
training, and `python -m mgsl verify` says how far.
"""

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_info

from mgsl import numerics

REQUIREMENTS = Path("requirements.txt")
CONDA = Path("environment.yml")
COMPUTING = ("torch", "numpy", "scipy")  # whose version decides how numbers are rounded
_COMPARE = "`python -m mgsl verify` compares within the noise of training"


@dataclass(frozen=True)
class Reason:
    """Why results may be other bytes here, and what to do about it."""

    what: str
    advice: str


def broken() -> list[Reason]:
    """Why this machine does not keep the promise; none where it does."""
    met = numerics.current()
    if not met.reproducible:
        first = f"unset {numerics.SWITCH}; else " if numerics.native() else ""
        return [Reason(met.reason, first + _COMPARE)]
    return [*_python(), *_versions(), *_kernels(), *_threads(), *_gpu()]


def read_lock(path: Path) -> dict[str, str]:
    """The version that each line `name==version` of a requirements file locks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line.strip() and not line.startswith("#")]
    return {name.strip(): version.strip() for name, _, version in pins}


def installed(name: str) -> str | None:
    """A package's version without the label of its build, such as +cpu."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def kernels() -> dict[str, str]:
    """The instruction set that each library took in this process, as it says itself."""
    import numpy as np  # loaded after mgsl, which has set the environment
    import scipy.linalg  # noqa: F401  it brings an OpenBLAS of its own
    import torch

    core = np._core._multiarray_umath  # type: ignore[attr-defined]
    features = core.__cpu_features__  # all of the processor's, less those that are disabled
    loops = [name for name in core.__cpu_dispatch__ if features.get(name)]
    wide = [name for name in loops if name == "X86_V4" or "512" in name]
    numpy = "wider than AVX2" if wide else "AVX2"
    return {
        "torch": torch.backends.cpu.get_cpu_capability(),
        "NumPy": numpy if features.get("AVX2") else "less than AVX2",
        **{f"OpenBLAS in {library}": architecture for library, architecture in sorted(_openblas())},
    }


def _python() -> Iterator[Reason]:
    """The exhibit `environment` names Python's version, without its patch level."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    text = CONDA.read_text(encoding="utf-8") if CONDA.is_file() else ""
    match = re.search(r"\bpython=(\d+\.\d+)", text)
    if match and match[1] != version:
        advice = f"make PYTHON=python{match[1]}; else the exhibit `environment` alone differs"
        yield Reason(f"Python {version}, {CONDA} has {match[1]}", advice)


def _versions() -> Iterator[Reason]:
    try:
        locked = read_lock(REQUIREMENTS)
    except FileNotFoundError:
        yield Reason(f"{REQUIREMENTS} is missing", "run this from the repository's root")
        return
    for name in COMPUTING:
        if (version := installed(name)) != locked.get(name):
            advice = f"pip install -r {REQUIREMENTS}; else {_COMPARE}"
            yield Reason(f"{name} {version}, locked is {locked.get(name)}", advice)


def _kernels() -> Iterator[Reason]:
    used = kernels()
    if "OpenBLAS in numpy" not in used:
        yield Reason(
            "NumPy has another BLAS than OpenBLAS",
            f"pip install -r {REQUIREMENTS}; else {_COMPARE}",
        )
    for library, took in used.items():
        wanted = "Haswell" if library.startswith("OpenBLAS") else "AVX2"
        if took != wanted:
            advice = (
                f"another build of the library, or a processor that it does not know; {_COMPARE}"
            )
            yield Reason(f"{library} took its kernels for {took}, not {wanted}", advice)


def _threads() -> Iterator[Reason]:
    import torch

    if (threads := torch.get_num_threads()) != 1:
        yield Reason(f"torch takes {threads} threads, not 1", _COMPARE)


def _gpu() -> Iterator[Reason]:
    import torch

    if torch.cuda.is_available():
        advice = f"hide it with CUDA_VISIBLE_DEVICES=''; else {_COMPARE}"
        yield Reason("torch finds a GPU, and trainings would run there", advice)


def _openblas() -> Iterator[tuple[str, str]]:
    """The library that brings each loaded OpenBLAS, and the architecture that it took."""
    for info in threadpool_info():
        if info["internal_api"] == "openblas":
            folder = Path(info["filepath"]).parent.name  # numpy.libs, scipy.libs
            yield folder.partition(".")[0], str(info.get("architecture"))
