"""Table 2: printed beside ours, ratios to MGSL-Net, dashes for what was not timed or run."""

from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.reporting.draw.tables import DASH, Table
from mgsl.reporting.exhibits import table_2
from tests.reporting import report_workspace


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"])
    for path in (paths.TIMES, paths.TIMED_ON):
        path.unlink(missing_ok=True)
    rows = [
        (setting, "embedded", name, 10**6 * size, 4.0 * size, 10**9 * size)
        for setting in ("embedded", "paper")
        for name, size in (("mgsl_net", 1), ("drn", 2))
    ]
    columns = ["setting", "dataset", "name", "parameters", "mib", "multiply_adds"]
    paths.COSTS.parent.mkdir(parents=True)
    pd.DataFrame(rows, columns=columns).to_csv(paths.COSTS, index=False)
    return tmp_path


def time(ratio: float = 3.0) -> None:
    rows = [
        (
            "paper",
            "tacos_c3d",
            name,
            batch,
            part,
            5,
            share * ms,
            share * ms / 2,
            share * ms * 2,
            7.0,
        )
        for name, pace in (("mgsl_net", 10.0), ("drn", 10.0 * ratio))
        for batch, ms in ((1, pace), (16, pace / 4))
        for part, share in (("batch", 0.02), ("answer", 0.95), ("nms", 0.03), ("total", 1.0))
    ]
    columns = ["setting", "dataset", "name", "batch", "part", "calls"]
    columns += ["median_ms", "low_ms", "high_ms", "peak_mib"]
    pd.DataFrame(rows, columns=columns).to_csv(paths.TIMES, index=False)
    machine = {"processor": "a processor", "threads": 2, "torch": "2.0", "python": "3.11"}
    write_json(paths.TIMED_ON, machine)


def cells(table: Table, title: str) -> dict[str, list[str]]:
    heads = [f"{block.title}: {name}" for block in table.columns for name in block.names]
    row = dict(table.rows)[title]
    return {head: [cell.text, cell.note] for head, cell in zip(heads, row, strict=True)}


def test_printed_and_ours_stand_side_by_side_with_ratios(workspace: Path) -> None:
    time()
    table = table_2.build(["embedded"])
    assert [name for name, _ in table.rows][:5] == ["TGN", "CTRL", "ACRN", "2D-TAN", "DRN"]
    drn = cells(table, "DRN")
    assert [drn[f"paper: TACoS, C3D: {name}"][0] for name in table_2._PRINTED] == [
        "0.15", "1.5", "214", "23.17"
    ]  # fmt: skip
    ours = "ours: the paper's sizes for TACoS: "
    assert drn[f"{ours}ms per query"] == ["30", "15–60"]
    assert drn[f"{ours}× MGSL-Net"][0] == "3.00"
    assert drn[f"{ours}input and NMS, %"][0] == "5"
    assert drn[f"{ours}ms, batched"] == ["7.5", "batch of 16"]
    assert drn[f"{ours}MiB"][0] == "8"
    assert drn[f"{ours}M multiply-adds"][0] == "2,000"
    assert "a processor, 2 threads" in table.caption
    tidy = table.tidy.set_index(["name", "setting", "quantity"])
    assert tidy.loc[("drn", "paper", "ms of a query alone"), "ratio"] == 3


def test_what_was_not_timed_or_run_is_a_dash(workspace: Path) -> None:
    table = table_2.build(["embedded"])
    assert "Nothing was timed" in table.caption
    drn, tgn = cells(table, "DRN"), cells(table, "TGN")
    for name, (text, _) in drn.items():
        untimed = name.startswith("ours") and not name.endswith(("MiB", "adds"))
        if untimed or name.endswith("peak MiB"):
            assert text == DASH, name
    assert {text for name, (text, _) in tgn.items() if name.startswith("ours")} == {DASH}
    time()
    again = cells(table_2.build(["embedded"]), "DRN")
    assert again["ours: embedded sizes: ms per query"][0] == DASH


def test_without_counts_a_person_is_told_what_to_run(workspace: Path) -> None:
    paths.COSTS.unlink()
    with pytest.raises(UserError, match=r"costs\.csv is missing: run `dvc repro`"):
        table_2.build(["embedded"])
