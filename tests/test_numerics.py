"""The environment in which numbers are the same bytes everywhere."""

import os
import subprocess
import sys

from mgsl import numerics


def _start(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    variables = {k: v for k, v in os.environ.items() if k not in numerics.ENVIRONMENT} | environment
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True)


def _run(code: str, **environment: str) -> str:
    return _start(code, **environment).stdout


def test_what_stands_in_the_environment_gives_way() -> None:
    shown = "os.environ['ATEN_CPU_CAPABILITY'], 'OPENBLAS_L2_SIZE' in os.environ"
    code = f"import os, mgsl; print({shown})"
    assert _run(code, ATEN_CPU_CAPABILITY="default", OPENBLAS_L2_SIZE="1").split() == [
        "avx2",
        "False",
    ]


def test_torch_and_numpy_take_the_environment() -> None:
    shown = "torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()"
    code = f"import mgsl, torch; print({shown})"
    assert _run(code, ATEN_CPU_CAPABILITY="default", OMP_NUM_THREADS="7").split() == ["AVX2", "1"]


def test_one_switch_leaves_a_machine_its_own_kernels_and_says_so() -> None:
    shown = "'MKL_CBWR' in os.environ, current().label"
    code = f"import os; from mgsl.numerics import current; print({shown})"
    said = _run(code, MGSL_NUMERICS="native")
    assert said.startswith("False NOT reproducible to the byte: MGSL_NUMERICS=native")


def test_a_library_that_was_loaded_first_takes_the_promise_away() -> None:
    code = "import numpy, mgsl; from mgsl.numerics import current; print(current().label)"
    done = _start(code)
    assert "numpy had been loaded before mgsl; import mgsl first" in done.stdout
    assert done.stderr.count("numpy had been loaded before mgsl") == 1  # a warning, once


def test_a_command_warns_once_where_the_promise_is_not_kept() -> None:
    code = "import sys; from mgsl.cli import main; sys.argv = ['mgsl', '--help']; main()"
    assert _start(code).stderr == ""
    warned = _start(code, MGSL_NUMERICS="native").stderr
    assert warned.startswith("warning: NOT reproducible to the byte: MGSL_NUMERICS=native")
    assert warned.count("\n") == 1


def test_what_a_process_starts_is_fixed_from_its_beginning() -> None:
    code = "import numpy, mgsl; from mgsl.numerics import current; print(current().reproducible)"
    variables = {k: v for k, v in os.environ.items() if k not in numerics.REMOVED}
    fixed = variables | numerics.ENVIRONMENT
    done = subprocess.run([sys.executable, "-c", code], env=fixed, capture_output=True, text=True)
    assert done.stdout.split() == ["True"]
