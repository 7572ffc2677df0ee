"""Torch's products, roots and logarithms by NumPy: right, and all that methods compute with."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from mgsl import kernels, numerics
from mgsl.models import TRAINED, build
from mgsl.training.loop import fit, predict
from tests import ROOT, tiny

# What MKL would compute with kernels of its own for each maker of processors, or with estimates.
MKL_ALONE = {
    "aten::_scaled_dot_product_flash_attention_for_cpu", "aten::acos", "aten::addbmm",
    "aten::addmv", "aten::addr", "aten::asin", "aten::atan", "aten::cdist", "aten::erf",
    "aten::erfc", "aten::float_power", "aten::linalg_svd", "aten::tan",
}  # fmt: skip
NATIVE = {numerics.SWITCH: numerics.NATIVE}


def slow(a: Tensor, b: Tensor) -> Tensor:
    """A product, number by number."""
    rows = [[(row * column).sum() for column in b.double().T] for row in a.double()]
    return torch.tensor(rows, dtype=torch.float64).reshape(len(a), b.shape[1])


def matrices(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(sum(shape)).standard_normal(shape)).float()


LAYOUTS = {
    "rows": matrices,
    "columns": lambda *shape: matrices(*shape[:-2], shape[-1], shape[-2]).mT,
    "every other": lambda *shape: matrices(*shape[:-1], 2 * shape[-1])[..., ::2],
    "the same again": lambda *shape: matrices(*shape[-1:]).expand(shape),
}


@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize(("rows", "inner", "columns"), [(5, 7, 3), (1, 4, 2), (3, 1, 1), (2, 0, 2)])
def test_products_are_those_of_slow_loops(
    left: str, right: str, rows: int, inner: int, columns: int
) -> None:
    a, b, c = LAYOUTS[left](rows, inner), LAYOUTS[right](inner, columns), matrices(columns)
    expected = slow(a, b)
    assert torch.allclose((a @ b).double(), expected, atol=1e-5)
    assert torch.allclose(torch.addmm(c, a, b).double(), expected + c, atol=1e-5)
    both = torch.addmm(c, a, b, beta=0.5, alpha=-2).double()
    assert torch.allclose(both, 0.5 * c - 2 * expected, atol=1e-5)
    written = torch.ones(rows, columns)
    assert written.addmm_(a, b, alpha=3) is written
    assert torch.allclose(written.double(), 1 + 3 * expected, atol=1e-5)


@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
def test_stacks_are_multiplied_pair_by_pair(left: str, right: str) -> None:
    a, b, c = LAYOUTS[left](4, 5, 7), LAYOUTS[right](4, 7, 3), matrices(5, 1)
    expected = torch.stack([slow(*pair) for pair in zip(a, b, strict=True)])
    assert torch.allclose((a @ b).double(), expected, atol=1e-5)
    with_sum = torch.baddbmm(c, a, b, alpha=0.5).double()
    assert torch.allclose(with_sum, c + 0.5 * expected, atol=1e-5)


def test_what_is_not_read_may_be_anything() -> None:
    a, b = matrices(2, 3), matrices(3, 2)
    unread = torch.full((2, 2), torch.nan)
    assert torch.equal(torch.addmm(unread, a, b, beta=0), a @ b)


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16, torch.int64])
def test_numbers_keep_their_kind(kind: torch.dtype) -> None:
    a, b = torch.arange(6).reshape(2, 3).to(kind), torch.arange(6).reshape(3, 2).to(kind)
    product = a @ b
    assert product.dtype == kind
    assert product.tolist() == [[10, 13], [28, 40]]


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (2, 3)), ((4, 2, 3), (1, 3, 2)), ((4, 2, 3), (5, 3, 2))]
)
def test_shapes_that_do_not_fit_are_named(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    multiply = torch.mm if len(a) == 2 else torch.bmm
    with pytest.raises(RuntimeError, match=r"shapes \(.*\) and \(.*\) cannot be multiplied"):
        multiply(torch.ones(a), torch.ones(b))


def test_gradients_are_those_of_differences() -> None:
    a, b = (matrices(*shape).double().abs().requires_grad_() for shape in ((3, 4), (4, 2)))
    assert torch.autograd.gradcheck(lambda a, b: ((a @ b).sqrt() + (a @ b).log()).sum(), (a, b))


@pytest.mark.filterwarnings("error")
def test_roots_and_logarithms_are_rounded_as_they_should_be() -> None:
    x = torch.rand(100_000) * 10 ** torch.empty(100_000).uniform_(-12, 12)
    assert torch.equal(x.sqrt(), x.double().sqrt().float())  # MKL's are not, on AMD's processors
    steps = (x.log() - x.double().log()).abs() / torch.finfo(torch.float32).eps
    assert (steps <= x.log().abs().clamp(min=1)).all()
    assert torch.tensor([0.0, torch.inf]).log().tolist() == [-torch.inf, torch.inf]
    assert torch.tensor(-1.0).log().isnan()
    assert torch.tensor(4.0).sqrt().item() == 2.0
    assert torch.tensor([4, 9]).sqrt().tolist() == [2.0, 3.0]
    assert x.clone().sqrt_().equal(x.sqrt())
    assert torch.sqrt(x, out=torch.empty(0)).equal(x.sqrt())


@pytest.mark.parametrize("name", TRAINED)
def test_no_method_computes_what_processors_round_differently(name: str, tmp_path: Path) -> None:
    config = tiny.run_config(name, epochs=2)
    model, cpu, val = build(config), torch.device("cpu"), tiny.split(6, seed=1)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        state = tmp_path / "state.pt"
        fit(model, tiny.split(40), val, config, seed=0, device=cpu, state_path=state)
        predict(model, val, config, cpu)
    assert not MKL_ALONE & {event.key for event in profiled.key_averages()}


@pytest.mark.parametrize(("switch", "pinned"), [({}, True), (NATIVE, False)])
def test_a_machine_may_keep_its_own_kernels(switch: dict[str, str], pinned: bool) -> None:
    code = (
        "import mgsl, torch, mgsl.models; from mgsl import kernels; seen = []; "
        "kernels.np.matmul = lambda a, b: seen.append(a) or a; torch.eye(2) @ torch.eye(2); "
        "print(bool(seen))"
    )
    environment = {k: v for k, v in os.environ.items() if k != numerics.SWITCH} | switch
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == str(pinned)
    assert "Overriding" not in done.stderr


def test_pinning_twice_changes_nothing() -> None:
    kernels.pin()
    assert torch.equal(torch.eye(2) @ torch.eye(2), torch.eye(2))
