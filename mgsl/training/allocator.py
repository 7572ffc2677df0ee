"""How the C library's allocator serves a training."""

import ctypes

_SETTINGS = {  # parameters of mallopt (glibc's malloc.h), and bytes
    -3: 1 << 30,  # M_MMAP_THRESHOLD: only what is larger has pages of its own
    -1: (1 << 31) - 1,  # M_TRIM_THRESHOLD: so much may lie free at the heap's end
    -2: 64 << 20,  # M_TOP_PAD: the heap grows by so much at once
}


def keep_freed_memory() -> None:
    """Let this process use the buffers of one training step again in the next.

    By default glibc gives large buffers back to the kernel as soon as they are freed, and each page
    of the next one is faulted in and cleared anew: a quarter of a step of 2D-TAN on a CPU, and next
    to nothing of methods whose buffers are small. Other C libraries have no `mallopt`, and are left
    as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, size in _SETTINGS.items():
            mallopt(parameter, size)
