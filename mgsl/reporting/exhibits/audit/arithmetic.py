"""What can be known of the paper's tables by adding and subtracting their own numbers."""

import itertools
from collections.abc import Iterable

import pandas as pd

from mgsl.evaluation.metrics import METRICS
from mgsl.reporting.draw.numbers import signed
from mgsl.reporting.exhibits.audit.findings import Finding
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import FULL, METRIC, WITHOUT
from mgsl.reporting.read.published import BENCHMARKS, COLUMNS

OURS = "MGSL-Net"
_ROUNDING = 0.005  # half of the last printed digit
_TABLES = (3, 4, 5)
_MEASURES = list(COLUMNS.values())


def findings() -> list[Finding]:
    """All of them, in the order of the paper."""
    return [*rarity(), *order(), *margins(), *accuracies(), *coincidences(), *contributions()]


def rarity() -> list[Finding]:
    """Figure 1b against Table 1: share x rare + rest x common must be the overall recall."""
    shares, table = published.bin_shares(), published.table_1()
    share = shares[0] / 100
    entries = [
        Finding(
            "Figure 1b", "Figure 1b", "The four printed shares add up to all pairs.",
            f"{' + '.join(f'{s:.2f}' for s in shares)} = {sum(shares):.2f} %", "Figure 1b",
        )
    ]  # fmt: skip
    for method, (rare, common) in published.rare_and_common().items():
        overall = table[method, "activitynet", METRIC]
        mixed = share * rare + (1 - share) * common
        fits = "agree" if abs(mixed - overall) <= 2 * _ROUNDING else "do not agree"
        low, high = implied_share(rare, common, overall)
        entries.append(
            Finding(
                "Figure 1b", "Figure 1b and Table 1",
                f"Rare, common and overall recall of {title(method)} {fits}, so the rare share is "
                "that of the test queries.",
                f"{share:.4f} × {rare} + {1 - share:.4f} × {common} = {mixed:.2f}; Table 1 prints "
                f"{overall:.2f}; they allow rare shares of {100 * low:.2f}–{100 * high:.2f} %",
                "Figure 1b, Table 1",
            )
        )  # fmt: skip
    wanted = "; ".join(
        f"{BENCHMARKS[name][0]}: "
        + ", ".join(f"{title(m)} {table[m, name, METRIC]:.2f}" for m in published.rare_and_common())
        for name in ("tacos", "charades")
    )
    entries.append(
        Finding(
            "Figure 1b", "Figures 4 and 5 and Table 1",
            "The bars of Figures 4 and 5 are not given as numbers; their mean, weighted by the "
            "rare share, must equal the recall of Table 1.",
            wanted, "Table 1",
        )
    )  # fmt: skip
    return entries


def implied_share(rare: float, common: float, overall: float) -> tuple[float, float]:
    """The rare shares that three rounded numbers allow: least and most, as fractions."""
    ends = [
        (c - o) / (c - r)
        for r, c, o in itertools.product(
            *((x - _ROUNDING, x + _ROUNDING) for x in (rare, common, overall))
        )
    ]
    return min(ends), max(ends)


def order() -> list[Finding]:
    """No recall may fall with more answers, nor rise with a stricter overlap."""
    table = published.table_1()
    pairs = [
        (f"{method} on {benchmark}, {part} {value} > {whole} {table[method, benchmark, whole]}",
         value <= table[method, benchmark, whole])
        for (method, benchmark, part), value in table.items()
        for whole in published.metrics(benchmark)
        if _within(part, whole) and (method, benchmark, whole) in table
    ]  # fmt: skip
    broken = [text for text, holds in pairs if not holds]
    text = "Every recall of Table 1 is at least as high as each stricter one."
    if broken:
        text = "Some recalls of Table 1 are lower than a stricter one."
    evidence = "; ".join(broken) or f"{len(pairs)} pairs of cells compared"
    return [Finding("Table 1", "Table 1", text, evidence, "Table 1")]


def _within(part: str, whole: str) -> bool:
    """Whether every hit for one metric is a hit for another."""
    (n, iou), (more, less) = (m.removeprefix("R@").split(", IoU=") for m in (part, whole))
    return part != whole and int(n) <= int(more) and float(iou) >= float(less)


def margins() -> list[Finding]:
    """The lead of the paper's method over the best other row, in every column of Table 1."""
    table = published.table_1()
    entries = []
    for name, (benchmark, _) in BENCHMARKS.items():
        leads = []
        for metric in published.metrics(name):
            rivals = {m: v for (m, b, k), v in table.items() if (b, k) == (name, metric)}
            best = max((m for m in rivals if m != OURS), key=rivals.__getitem__)
            leads.append((metric, rivals[OURS] - rivals[best], title(best)))
        ahead = all(lead > 0 for _, lead, _ in leads)
        verb = "leads every column" if ahead else "does not lead every column"
        entries.append(
            Finding(
                "Table 1", f"Table 1, {benchmark}",
                f"{OURS} {verb}, by {min(x for _, x, _ in leads):.2f} to "
                f"{max(x for _, x, _ in leads):.2f} points.",
                "; ".join(f"{metric}: {signed(x)} over {rival}" for metric, x, rival in leads),
                "Table 1",
            )
        )  # fmt: skip
    return entries


def accuracies() -> list[Finding]:
    """Table 2 repeats a column of Table 1; Tables 3 to 5 end on its row."""
    table = published.table_1()
    speed = published.table_2()
    pairs = [
        (method, float(row["tacos_r1_iou0.5"]), table[str(method), "tacos", METRIC])
        for method, row in speed.iterrows()
    ]
    same = all(a == b for _, a, b in pairs)
    full = [published.ablations(n).loc[FULL, _MEASURES] for n in _TABLES]
    wanted = [table[OURS, "activitynet", metric] for metric in METRICS]
    ends = all(list(map(float, row)) == wanted for row in full)
    return [
        Finding(
            "Tables 2 to 5", "Tables 1 and 2",
            f"The accuracies of Table 2 are {'those' if same else 'not all those'} of Table 1.",
            "; ".join(f"{title(str(m))}: {a:.2f} and {b:.2f}" for m, a, b in pairs),
            "Tables 1 and 2",
        ),
        Finding(
            "Tables 2 to 5", "Tables 1, 3, 4 and 5",
            f"The last rows of Tables 3, 4 and 5 are {'the' if ends else 'not all the'} row of "
            f"{OURS} in Table 1.",
            f"{wanted[0]:.2f} and {wanted[1]:.2f}", "Tables 1, 3, 4, 5",
        ),
    ]  # fmt: skip


def coincidences() -> list[Finding]:
    """Rows of Tables 3 to 5 with the same numbers: they must be one configuration."""
    rows = [
        (number, place, tuple(map(float, row[_MEASURES])))
        for number in _TABLES
        for place, (_, row) in enumerate(published.ablations(number).iterrows(), start=1)
    ]
    entries = []
    for (n, a, values), (m, b, others) in itertools.combinations(rows, 2):
        full = all(place == len(published.ablations(k)) for k, place in ((n, a), (m, b)))
        if values == others and n != m and not full:
            entries.append(
                Finding(
                    "Tables 2 to 5", f"Tables {n} and {m}",
                    f"Row {a} of Table {n} and row {b} of Table {m} are the same run: "
                    f"{_switches(n, a)} is {_switches(m, b)}.",
                    f"{values[0]:.2f} and {values[1]:.2f} in both", f"Tables {n}, {m}",
                )
            )  # fmt: skip
    return entries


def contributions() -> list[Finding]:
    """What each part adds in Tables 3 to 5, by subtraction."""
    three, four, five = (published.ablations(n)[_MEASURES].astype(float) for n in _TABLES)

    def gain(table: pd.DataFrame, after: str, before: str) -> str:
        first, second = table.loc[[before, after]].to_numpy(dtype=float)
        return " / ".join(map(signed, second - first))

    steps = list(itertools.pairwise(four.index))
    larger = (three.loc["memory_only"] > three.loc[WITHOUT]).all()
    attention = (five.loc["no_calibration"] > five.loc["no_self_attention"]).all()
    always = all((four.loc[b] > four.loc[a]).all() for a, b in steps)
    return [
        Finding(
            "Tables 2 to 5", "Table 3",
            f"The memory {'adds' if larger else 'does not always add'} more than heterogeneous "
            "attention.",
            f"memory {gain(three, 'memory_only', 'baseline')} without, "
            f"{gain(three, 'mgsl_net', 'attention_only')} with attention; attention "
            f"{gain(three, 'attention_only', 'baseline')} without, "
            f"{gain(three, 'mgsl_net', 'memory_only')} with the memory (R@1, IoU=0.5 / 0.7)",
            "Table 3",
        ),
        Finding(
            "Tables 2 to 5", "Table 4",
            f"Every step of Table 4 {'gains' if always else 'does not gain'} at both overlaps.",
            ", ".join(gain(four, after, before) for before, after in steps), "Table 4",
        ),
        Finding(
            "Tables 2 to 5", "Table 5",
            f"Self-attention {'adds' if attention else 'does not add'} more than calibration, if "
            "the third row is the one with self-attention, as the text implies.",
            f"calibration alone {gain(five, 'no_self_attention', 'memory_only')}, self-attention "
            f"alone {gain(five, 'no_calibration', 'memory_only')}, both "
            f"{gain(five, 'mgsl_net', 'memory_only')}",
            "Table 5",
        ),
    ]  # fmt: skip


def _switches(number: int, place: int) -> str:
    """A row of an ablation table in words: what is on."""
    row = published.ablations(number).iloc[place - 1].drop(_MEASURES)
    on: Iterable[str] = (str(name).replace("_", " ") for name, value in row.items() if value)
    return "“" + (" + ".join(on) or "nothing on") + "”"


def title(printed: str) -> str:
    """How a printed name is written here."""
    return next((m.title for m in published.methods() if m.printed == printed != OURS), printed)
