"""A process keeps what it has freed, where the C library can be told to."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
from mgsl.training.allocator import keep_freed_memory
keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(50_000_000, np.uint8)  # 12,000 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no mallopt")
def test_a_large_buffer_is_not_faulted_in_again() -> None:
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1_000
