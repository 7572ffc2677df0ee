"""Matrix products, roots and logarithms of torch on a CPU: the same bytes from every processor.

On x86-64 torch leaves them to MKL. That has other kernels for Intel's processors than for those of
others, even for the same instructions, and roots and logarithms of AMD's start from what the
processor estimates; no setting of MKL makes its fast kernels agree. NumPy's do: OpenBLAS computes
by the kernels that `mgsl.numerics` names, as fast as MKL, and NumPy's own loops round exactly.
What else torch has from MKL is its slow branch for all processors (`MKL_CBWR`).
"""

import platform
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mgsl import numerics

_ATEN = torch.library.Library("aten", "IMPL")


def pin() -> None:
    """Let torch compute them so from here on, unless this machine's own kernels are asked for.

    Attention, too, then multiplies so; torch's flash kernel for CPUs has its products from MKL.
    """
    if numerics.native() or platform.machine() != "x86_64":
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*Overriding a previously registered kernel")
        for name, kernel in _KERNELS.items():
            _ATEN.impl(name, kernel, "CPU", allow_override=True)
    torch.backends.cuda.enable_flash_sdp(False)  # in spite of its name of CPUs, too


def product(a: Tensor, b: Tensor) -> Tensor:
    """Of two matrices, or of each pair of two equally long stacks of them.

    Raises:
        RuntimeError: they do not fit.
    """
    if a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise RuntimeError(f"shapes {tuple(a.shape)} and {tuple(b.shape)} cannot be multiplied")
    with np.errstate(all="ignore"):
        return torch.from_numpy(np.matmul(_array(a), _array(b))).to(a.dtype)


def sum_with_product(
    c: Tensor, a: Tensor, b: Tensor, *, beta: int | float = 1, alpha: int | float = 1
) -> Tensor:
    """beta c + alpha a b; where beta is 0, c is not read."""
    result = product(a, b)
    if alpha != 1:
        result.mul_(alpha)
    return result.add_(c, alpha=beta) if beta else result


def add_product(
    c: Tensor, a: Tensor, b: Tensor, *, beta: int | float = 1, alpha: int | float = 1
) -> Tensor:
    """The same, written to c."""
    return c.copy_(sum_with_product(c, a, b, beta=beta, alpha=alpha))


def _elementwise(function: np.ufunc) -> dict[str, Callable[..., Tensor]]:
    """A function of every number: new, written to where it was, and written to `out`."""

    def compute(x: Tensor) -> Tensor:
        exact = x if x.dtype in (torch.float32, torch.float64) else x.float()
        result = torch.empty_like(exact)
        with np.errstate(all="ignore"):
            function(exact.detach().numpy(), out=result.numpy())
        return result.to(x.dtype) if x.is_floating_point() else result

    name = function.__name__
    return {
        name: compute,
        f"{name}_": lambda x: x.copy_(compute(x)),
        f"{name}.out": lambda x, *, out: out.resize_(x.shape).copy_(compute(x)),
    }


def _array(x: Tensor) -> np.ndarray:
    """Matrices as NumPy multiplies them without a copy: one axis has its numbers side by side."""
    x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
    array: np.ndarray = (x if 1 in x.stride()[-2:] else x.contiguous()).detach().numpy()
    return array


_KERNELS: dict[str, Callable[..., Tensor]] = {
    "mm": product,
    "bmm": product,
    "addmm": sum_with_product,
    "baddbmm": sum_with_product,
    "addmm_": add_product,
    "baddbmm_": add_product,
    **_elementwise(np.sqrt),
    **_elementwise(np.log),
}
