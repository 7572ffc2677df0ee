"""Benchmarks assert nothing of times; what they count and how they share it out is known."""

import pandas as pd
import pytest
import torch

from benchmarks import methods
from tests import tiny

SIDE = 64


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.setattr(methods, "SIDES", {"cpu": (SIDE, 2 * SIDE)})
    parameters = tiny.parameters().model_copy(update={"methods": ("drn",)})
    (table,) = methods.measure(
        parameters, torch.device("cpu"), rounds=2, limit_s=1.0, scales=["embedded"],
        say=lambda _: None,
    )  # fmt: skip
    return table.set_index("method")


def test_a_product_of_matrices_is_counted_right_and_reaches_the_peak(rows: pd.DataFrame) -> None:
    products = rows.filter(like=methods.PRODUCT, axis=0)
    assert list(products["GFLOP forward"]) == [2 * side**3 / 1e9 for side in (SIDE, 2 * SIDE)]
    assert products["share forward"].between(0, 1.2, inclusive="right").all()
    assert products["share forward"].max() == 1
    assert products["share step"].isna().all()


def test_a_method_has_both_parts_of_a_query(rows: pd.DataFrame) -> None:
    drn = rows.loc["drn"]
    assert drn["scale"] == "embedded"
    assert drn["queries"].endswith(" of 64")
    assert 2 < drn["GFLOP step"] / drn["GFLOP forward"] < 3.1
    assert (drn[[f"{title} {part}" for title in methods.FORMS for part in methods.PARTS]] > 0).all()
    assert "–" in methods.text(rows.reset_index())


def test_what_takes_too_long_sits_out_after_its_first_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "seconds", lambda work, _: work())
    slow = methods.Subject("slow", {"forward": lambda: 9.0}, {"forward": 18})
    quick = methods.Subject("quick", {"forward": lambda: 1.0}, {"forward": 1})
    methods.take_turns([slow, quick], torch.device("cpu"), rounds=3, limit_s=5.0)
    assert slow.times_s == {"forward": [9.0]}
    assert quick.times_s == {"forward": [1.0, 1.0, 1.0]}
    assert slow.rate("forward") == 2
