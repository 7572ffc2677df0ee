"""The choice of a memory: what the rule says, and whether any is worth something."""

from pathlib import Path

import pandas as pd
import pytest

from mgsl.evaluation.metrics import METRICS
from mgsl.evaluation.pairs import NUMBERS
from mgsl.reporting.exhibits import memories
from tests.reporting import report_workspace

RUNS = {"mgsl_net": 0.62, "attention_only": 0.66, "centered_values": 0.60}


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three trainings each: the slots of `mgsl_net` hold content, those of the other do not."""
    monkeypatch.chdir(tmp_path)
    report_workspace.keep(
        "memories", "means", report_workspace.study(dict.fromkeys(RUNS, (0, 0.0, -0.1, 0.1)))
    )
    damaged = {"mgsl_net": 0.05, "attention_only": 0.0, "centered_values": 0.001}
    validation = [
        {"dataset": "embedded", "name": name, "seed": seed,
         "video_slot_rank": None if name == "attention_only" else 9.0,
         "query_slot_rank": 9.0, "video_used_slots": 0.5, "query_used_slots": 0.5}
        | {f"{damage}, {metric}": recall - damaged[name] * (damage != "intact")
           for damage in ("intact", "zeroed", "shuffled", "initial") for metric in METRICS}
        for name, recall in RUNS.items() for seed in range(3)
    ]  # fmt: skip
    report_workspace.keep("memories", "validation", pd.DataFrame(validation))
    pairs = [
        {"dataset": "embedded", "a": a, "b": b, "group": "all", "metric": METRICS[0]}
        | dict.fromkeys(NUMBERS, 0.0)
        | {"value": value, "low": low, "high": high, "trainings": 3}
        for a, b, value, low, high in (
            ("attention_only", "mgsl_net", 0.04, -0.02, 0.10),
            ("centered_values", "attention_only", -0.06, -0.09, -0.03),
            ("centered_values", "mgsl_net", 0.5, 0.4, 0.6),
        )
    ]
    report_workspace.keep("memories", "pairs", pd.DataFrame(pairs))


def test_content_comes_before_recall() -> None:
    means = memories.summary().set_index("name")
    assert means["content"].to_dict() == {
        "mgsl_net": True, "attention_only": False, "centered_values": False
    }  # fmt: skip
    assert memories.choice(memories.summary()) == "mgsl_net"


def test_each_memory_is_held_against_none() -> None:
    statement = memories.draw(["embedded"]).statement
    assert "whose memory holds content on 1 of 1 datasets." in statement
    assert statement.endswith(
        "On embedded (simulated), 0 of 2 rows score higher than “No memory” in R@1, IoU=0.5 and 1 "
        "lower, by their whole interval (by chance alone about 0.1 each way); highest and lowest: "
        "MGSL-Net (repaired) −4.0 points (−10.0 to +2.0) and Values less their mean, β "
        "from 100 on −6.0 points (−9.0 to −3.0)."
    )
