"""What can be known of the paper's numbers by looking at where they come from."""

import pandas as pd

from mgsl.reporting.draw.numbers import signed
from mgsl.reporting.exhibits.audit.arithmetic import OURS, title
from mgsl.reporting.exhibits.audit.findings import COMPUTED, SURE, Finding, records
from mgsl.reporting.read import published
from mgsl.reporting.read.kept_studies import Studies
from mgsl.reporting.read.published import BENCHMARKS

MIB = 2**20 / 4  # parameters of 32 bits in a MiB
_TRAINED_ON = {"train": "training", "val": "validation", "test": "test"}


def sizes() -> pd.DataFrame:
    """Table 2's sizes beside the public configurations, each as MiB and as millions.

    Returns:
        A row for each configuration; `printed` is Table 2's number, `fits` what it agrees with when
        rounded or cut: "MiB", "millions", or "neither".
    """
    table = published.sizes()
    table["printed"] = table["method"].map(published.table_2()["model_size_m"])
    table["mib"] = table["parameters"] / MIB
    table["millions"] = table["parameters"] / 1e6
    table["fits"] = "neither"
    for name, column in (("millions", "millions"), ("MiB", "mib")):
        whole = (table[column].round() == table["printed"]) | (
            table[column].astype(int) == table["printed"]
        )
        table.loc[whole, "fits"] = name
    return table


def size_findings() -> list[Finding]:
    """Which sizes of Table 2 are MiB of weights, and which are counts of parameters."""
    findings = []
    for method, rows in sizes().groupby("method", sort=False):
        fits = [row for row in records(rows) if row.fits != "neither"]
        if fits:
            row = fits[0]
            kind = "MiB of 32-bit weights" if row.fits == "MiB" else "millions of parameters"
            maybe = "would be" if row.sure == "inferred" else "is"
            what = f"{title(str(method))}, {row.configuration}"
            text = f"The printed {row.printed} {maybe} {kind}: {what}."
        else:
            text = (
                f"No public configuration of {title(str(method))} has the printed "
                f"{rows.iloc[0]['printed']}, neither as MiB nor as millions of parameters."
            )
        evidence = "; ".join(
            f"{row.configuration}: {row.parameters:,} parameters = {row.mib:.1f} MiB"
            for row in records(rows)
        )
        used = fits[:1] or list(records(rows))
        findings.append(
            Finding(
                "Table 2", "Table 2", text, evidence,
                "; ".join(dict.fromkeys(f"{row.source} ({SURE[row.sure]})" for row in used)),
            )
        )  # fmt: skip
    printed = published.table_2()["model_size_m"]
    smaller = [title(str(m)) for m in printed.index if printed[m] < printed[OURS]]
    larger = [title(str(m)) for m in printed.index if printed[m] > printed[OURS]]
    findings.append(
        Finding(
            "Table 2", "Table 2",
            f"If the {printed[OURS]} of {OURS} are MiB, they are {printed[OURS] * MIB / 1e6:.1f} "
            "million parameters. The units seem to differ from row to row, so the sizes may not be "
            "compared; as printed it is smaller than "
            f"{' and '.join(larger)} and larger than {', '.join(smaller)}.",
            ", ".join(f"{title(str(m))} {size}" for m, size in printed.items()), "Table 2",
        )
    )  # fmt: skip
    return findings


def provenance() -> list[Finding]:
    """Features, test sets and origins of the other rows of Table 1."""
    table = published.table_1()
    findings = []
    for row in records(published.provenance()):
        numbers = dict(map(_number, _parts(row.numbers)))
        printed = {metric: table[row.method, row.benchmark, metric] for metric in numbers}
        evidence = "; ".join(
            f"{metric}: {value:.2f} {row.condition}, printed {printed[metric]:.2f} "
            f"({signed(printed[metric] - value)})"
            for metric, value in numbers.items()
        )
        findings.append(
            Finding(
                "Other methods in Table 1",
                f"Table 1, {title(row.method)} on {BENCHMARKS[row.benchmark][0]}",
                row.statement, evidence or f"{row.aspect}: {row.short}", row.source, SURE[row.sure],
            )
        )  # fmt: skip
    return [*findings, *single_answers(), *below_first_stage()]


def single_answers() -> list[Finding]:
    """Methods whose R@5 is a dash everywhere."""
    table = published.table_1()
    names = dict.fromkeys(method for method, *_ in table)
    lacking = [m for m in names if not any(k[0] == m and k[2].startswith("R@5") for k in table)]
    text = "These rows have no R@5 on any benchmark; no ranked list of theirs was published."
    return [
        Finding(
            "Other methods in Table 1", "Table 1", text, ", ".join(map(title, lacking)), "Table 1"
        )
    ]


def below_first_stage() -> list[Finding]:
    """BPNet, which rates the proposals of such a method as VSLNet, is below it in every cell."""
    table = published.table_1()
    cells = [(b, k, v, table["VSLNet", b, k]) for (m, b, k), v in table.items() if m == "BPNet"]
    below = sum(one < other for _, _, one, other in cells)
    text = (
        f"BPNet adds a second stage to such methods as VSLNet, and is below it in {below} of "
        f"{len(cells)} cells: a sign that the two rows rest on different features."
    )
    evidence = "; ".join(
        f"{BENCHMARKS[b][0]}, {k}: {one:.2f} and {two:.2f}" for b, k, one, two in cells
    )
    return [
        Finding("Other methods in Table 1", "Table 1, BPNet and VSLNet", text, evidence, "Table 1")
    ]


def examples(studies: Studies) -> list[Finding]:
    """In which video and split each qualitative example stands."""
    findings = []
    for row in records(studies.table("examples")):
        title_, _ = BENCHMARKS[row.benchmark]
        text = f"“{row.sentence}” is a {_TRAINED_ON[row.split]} pair of {title_}."
        if row.split == "train":
            text += " Its answers then show what was learned, not what is found in new videos."
        exact = (row.start_s, row.end_s) == (row.printed_start_s, row.printed_end_s)
        findings.append(
            Finding(
                "Qualitative examples", row.figure, text,
                f"{row.video}, {row.start_s:g}–{row.end_s:g} s of {row.duration_s:g} s; printed: "
                f"{'the same' if exact else f'{row.printed_start_s:g}–{row.printed_end_s:g} s'}",
                "public annotations",
            )
        )  # fmt: skip
    return findings


def releases(studies: Studies) -> list[Finding]:
    """Two releases of TACoS are in use."""
    table = studies.table("releases").set_index(["release", "split"])["pairs"]
    return [
        Finding(
            "Other methods in Table 1", "Table 1, TACoS",
            "Two releases of TACoS are in use, and rows of Table 1 come from both.",
            "; ".join(f"{name}: " + ", ".join(f"{table[name, s]:,} {s}" for s in _TRAINED_ON)
                      for name in dict.fromkeys(table.index.get_level_values("release"))),
            "public annotations", COMPUTED,
        )
    ]  # fmt: skip


def _parts(numbers: str) -> list[str]:
    return [part for part in numbers.split("; ") if part]


def _number(part: str) -> tuple[str, float]:
    metric, _, value = part.rpartition("=")
    return metric, float(value)
