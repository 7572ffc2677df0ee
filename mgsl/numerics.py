"""The same bytes on every machine: instruction sets and threads, set before NumPy and torch load.

Libraries choose their kernels by the processor they find, and kernels of other vector widths round
otherwise. One rounding makes a training another one. So every process of mgsl asks for the kernels
that every x86-64 processor with AVX2 has, and for one thread for each computation; several cores
are used by several trainings at once. `import mgsl` does it, by force: what stands in the user's
environment does not change a result. MGSL_NUMERICS=native leaves each machine its own kernels.

The names are those of the libraries: ATen and oneDNN within torch; MKL, whose only branch for the
processors of every maker is a slow one, so that `mgsl.kernels` leaves it little to do; OpenBLAS and
NumPy's own loops.
"""

import functools
import json
import os
import platform
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

SWITCH = "MGSL_NUMERICS"
NATIVE = "native"
ENVIRONMENT = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # what cuBLAS needs to be deterministic
}
REMOVED = (  # they would change how the same kernels block or round
    "DNNL_MAX_CPU_ISA",
    "DNNL_DEFAULT_FPMATH_MODE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_ENABLE_CPU_FEATURES",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_VERBOSE",
)
LIBRARIES = ("numpy", "torch", "scipy")
TRAINED = "trained"  # the key of a checkpoint's metadata: JSON of "config" and "numerics"
UNRECORDED = "not recorded"
PROMISE = "AVX2 kernels, one thread a training"  # the label wherever the promise is kept
BROKEN = "NOT reproducible to the byte"
CHECKPOINT = "checkpoint.safetensors"
REASONS = {  # of what stands in ENVIRONMENT
    "ATEN_CPU_CAPABILITY": "torch's own kernels",
    "ONEDNN_MAX_CPU_ISA": "oneDNN, torch's matrix products and convolutions",
    "MKL_CBWR": "MKL, what torch does not have from NumPy: one branch for all processors",
    "OPENBLAS_CORETYPE": "OpenBLAS, the matrix products of NumPy, SciPy and torch",
    "NPY_DISABLE_CPU_FEATURES": "NumPy's own loops: none wider than AVX2",
    "OMP_NUM_THREADS": "two threads sum in another order than one",
    "MKL_NUM_THREADS": "the same, for MKL",
    "OPENBLAS_NUM_THREADS": "the same, for OpenBLAS",
    "CUBLAS_WORKSPACE_CONFIG": "on a GPU: what cuBLAS needs to be deterministic",
}


@dataclass(frozen=True)
class Numerics:
    """Whether this process computes the bytes that every machine does, and why not."""

    reproducible: bool
    reason: str

    @property
    def label(self) -> str:
        """A line for a stamp: the same on every machine that keeps the promise."""
        return self.reason if self.reproducible else f"{BROKEN}: {self.reason}"


def fix() -> None:
    """Set the environment of this process and of those it starts, unless it is to be native."""
    if native():
        return
    _LATE.extend(name for name in LIBRARIES if name in sys.modules and not _is_fixed())
    if _LATE:
        warnings.warn(current().label, RuntimeWarning, stacklevel=3)
    os.environ.update(ENVIRONMENT)
    for name in REMOVED:
        os.environ.pop(name, None)


def native() -> bool:
    """Whether this machine's own kernels are asked for."""
    return os.environ.get(SWITCH) == NATIVE


@functools.cache
def current() -> Numerics:
    """What this process computes with."""
    if native():
        return Numerics(False, f"{SWITCH}={NATIVE} leaves this machine its own kernels")
    if _LATE:
        return Numerics(
            False, f"{' and '.join(_LATE)} had been loaded before mgsl; import mgsl first"
        )
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or machine != "x86_64":
        return Numerics(False, f"the promise is for Linux on x86-64, not {system} on {machine}")
    if not has_avx2():
        return Numerics(False, "this processor has no AVX2")
    return Numerics(True, PROMISE)


def of_training(*, on_gpu: bool, processes: int) -> Numerics:
    """What a training computes with in this process.

    Args:
        on_gpu: whether its weights lie on a GPU.
        processes: how many share it.
    """
    if on_gpu:
        return Numerics(False, "trained on a GPU")
    if processes > 1:
        return Numerics(False, f"one training shared by {processes} processes")
    return current()


def recorded(checkpoint: Path) -> str:
    """The label of what a training was computed with, as its checkpoint tells it.

    `UNRECORDED` where there is no checkpoint, or one that does not tell.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(checkpoint, framework="numpy") as file:
            label: str = json.loads((file.metadata() or {})[TRAINED])["numerics"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return UNRECORDED
    return label


def has_avx2() -> bool:
    """Whether the processor says that it has AVX2 (Linux)."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return "avx2" in flags.split()


_LATE: list[str] = []  # libraries that had chosen their kernels before `fix`


def _is_fixed() -> bool:
    stands = all(os.environ.get(name) == value for name, value in ENVIRONMENT.items())
    return stands and not any(name in os.environ for name in REMOVED)
