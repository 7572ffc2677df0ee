"""How large MGSL-Net is at the paper's scale (A5), and how every method is trained."""

from collections import defaultdict
from dataclasses import astuple

import pandas as pd

from mgsl import paths
from mgsl.data.datasets import find
from mgsl.errors import missing
from mgsl.reporting.draw.numbers import signed
from mgsl.reporting.draw.tables import Cell, Columns, Table, TextTable
from mgsl.reporting.read import published, recipe_words
from mgsl.reporting.read.recipe_words import Words

_TITLES = {
    "activitynet_c3d": "ActivityNet Captions, 500-d",
    "tacos_c3d": "TACoS, 4096-d",
    "charades_i3d": "Charades-STA, 1024-d",
}
_SCALES = {"paper": "At the paper’s scale", "embedded": "At the embedded scale"}
_COLUMNS = ("Scale", "Method", "Data", "Optimiser", "Schedule of the rate", "Clipping", "Length")
_PRINTED = "tacos_c3d"  # whose sizes Table 2 prints


def build() -> Table:
    """One row for each reading that changes the number of parameters.

    Raises:
        UserError: the sizes were not counted.
    """
    try:
        rows = pd.read_csv(paths.SIZES)
    except FileNotFoundError:
        raise missing(paths.SIZES, "run `python -m mgsl trace`") from None
    printed = float(published.table_2()["model_size_m"]["MGSL-Net"])
    rows["printed_mib"] = [printed if name == _PRINTED else None for name in rows["dataset"]]
    rows["gap_mib"] = rows["mib"] - rows["printed_mib"]
    readings = list(dict.fromkeys(rows["reading"]))
    table = rows.set_index(["reading", "dataset"])
    body = []
    for reading in readings:
        cells = []
        for dataset in _TITLES:
            one = table.loc[(reading, dataset)]
            cells += [Cell(f"{one['parameters'] / 1e6:.2f}"), Cell(f"{one['mib']:.1f}")]
        gap = table.loc[(reading, _PRINTED)]["gap_mib"]
        body.append(
            (reading, (*cells, Cell(f"{printed:g}"), Cell(f"{gap:+.1f}".replace("-", "−"))))
        )
    return Table(
        caption=(
            "Model sizes at the paper’s scale, counted in the model itself: millions of parameters "
            "(M), and their MiB in float32, for the literal reading and others. No data were used."
        ),
        notes=(
            "The paper prints one size, 203 “M”, beside results on TACoS; of 2D-TAN it prints "
            "232, which is 232.4 MiB of the 60,925,953 parameters of its public TACoS "
            "configuration, so that its unit is the MiB. Slots are not parameters: both memories "
            f"together hold {_slots(rows, readings)}."
        ),
        statement=_statement(rows, printed),
        columns=(
            *(Columns(title, ("M", "MiB"), ours=True) for title in _TITLES.values()),
            Columns("Table 2 (TACoS)", ("paper",), ours=False),
            Columns("TACoS minus paper", ("MiB",), ours=True),
        ),
        rows=tuple(body),
        tidy=rows,
        stub="Reading",
    )


def recipes() -> TextTable:
    """One row for each recipe of each method, at the paper's scale and then at the embedded one.

    Raises:
        UserError: the recipes were not resolved.
    """
    datasets: dict[tuple[str, str, Words], list[str]] = defaultdict(list)
    for recipe in recipe_words.read():
        datasets[recipe.scale, recipe.method, recipe.words].append(_name(recipe.dataset))
    order = [method.name for method in published.methods()]
    keys = sorted(datasets, key=lambda key: (list(_SCALES).index(key[0]), order.index(key[1])))
    rows = []
    for scale, method, words in keys:
        data = ", ".join(datasets[scale, method, words])
        rows.append((_SCALES[scale], published.title(method), data, *astuple(words)))
    caption = (
        "The training recipe of each method, including those that are not run by default, as "
        "params.yaml defines it."
    )
    notes = (
        "At the paper’s scale that is the recipe of its release, where there is one; a "
        "method has several rows where that differs between datasets. Adam has betas of 0.9 and "
        "0.999 and an epsilon of 1e-8 where nothing else is said; L2 is a term of the loss. The "
        "priors see no video: they count, and are not trained."
    )
    widths = (1.2, 1.3, 1.6, 3.0, 1.3, 1.6)
    return TextTable(caption, _COLUMNS, tuple(rows), widths, notes=notes)


def _statement(rows: pd.DataFrame, printed: float) -> str:
    """How far apart the readings lie, and which comes nearest to the paper's size."""
    tacos = rows[rows["dataset"] == _PRINTED]
    nearest = tacos.iloc[int(tacos["gap_mib"].abs().to_numpy().argmin())]
    return (
        f"On TACoS, readings have between {tacos['mib'].min():.0f} and {tacos['mib'].max():.0f} "
        f"MiB; closest to the paper’s {printed:g} ({signed(float(nearest['gap_mib']), 1)}) is "
        f"“{nearest['reading']}”."
    )


def _name(dataset: str) -> str:
    """What a dataset is called, without its features."""
    benchmark = find(dataset).benchmark
    return published.BENCHMARKS[benchmark][0] if benchmark else find(dataset).title


def _slots(rows: pd.DataFrame, readings: list[str]) -> str:
    first = rows[rows["reading"] == readings[0]].set_index("dataset")["slots_mib"]
    return ", ".join(f"{first[d]:g} MiB ({t.partition(',')[0]})" for d, t in _TITLES.items())
