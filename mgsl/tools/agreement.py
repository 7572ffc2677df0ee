"""What two trees of results have in common where their bytes differ: means, and verdicts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mgsl import paths
from mgsl.evaluation import trainings
from mgsl.evaluation.trainings import ONE, OUTSIDE, SAME, WITHIN

CLAIMS = paths.EXHIBITS / "claims.csv"
_CLAIM_KEYS = ("claim", "measure", "dataset")
_MORE_KEYS = ("group", "a", "b", "kind")  # where a claim is tested in several ways
_VERDICTS = ("verdict_here", "verdict")  # the first that there is
_LISTED = 20  # measures outside the noise, the furthest first


@dataclass(frozen=True)
class Agreement:
    """How the means over trainings of two trees compare.

    `measures` are the rows of `trainings.compare` with the column dataset; `lacking` names what
    stands in one tree alone.
    """

    measures: pd.DataFrame
    lacking: tuple[str, ...]

    def count(self, outcome: str) -> int:
        """How many measures came out so."""
        return int((self.measures["outcome"] == outcome).sum())

    @property
    def unjudged(self) -> bool:
        """Whether something could not be compared."""
        return bool(self.lacking) or self.measures.empty or self.count(ONE) > 0

    @property
    def within(self) -> bool:
        """Whether all that differs may differ by chance, and nothing could not be compared."""
        if self.unjudged:
            return False
        judged = self.measures[self.measures["outcome"].isin([WITHIN, OUTSIDE])]
        if judged.empty:
            return True
        runs = len(judged[["dataset", "name"]].drop_duplicates())
        return self.count(OUTSIDE) <= trainings.allowed(runs) * len(judged)

    def lines(self) -> Iterator[str]:
        """The same in words."""
        counted = ", ".join(
            f"{count} {words}"
            for outcome, words in (
                (SAME, "the same number"),
                (WITHIN, "within the noise of training"),
                (OUTSIDE, "outside it"),
                (ONE, "of one training, which has no noise to compare with"),
            )
            if (count := self.count(outcome)) or outcome == WITHIN
        )
        yield f"{len(self.measures)} measures (run, group, metric; mean over trainings): {counted}"
        judged = self.count(WITHIN) + self.count(OUTSIDE)
        if judged:
            chance = (1 - trainings.CONFIDENCE) * judged
            yield f"by chance alone about {chance:.0f} of {judged} would lie outside"
        yield from self.lacking
        yield from self._outside()

    def _outside(self) -> Iterator[str]:
        rows = self.measures[self.measures["outcome"] == OUTSIDE]
        apart = (rows["mean"] - rows["mean_after"]).abs()
        furthest = rows.loc[(apart / (rows["noise"] + 1e-6)).sort_values(ascending=False).index]
        for row in furthest.head(_LISTED).to_dict("records"):
            means = f"{100 * row['mean']:.2f} -> {100 * row['mean_after']:.2f} percent"
            what = ", ".join(row[key] for key in ("dataset", "name", "group", "metric"))
            yield f"  {what}: {means}, noise up to {100 * row['noise']:.2f}"
        if len(rows) > _LISTED:
            yield f"  and {len(rows) - _LISTED} more"


def compare(here: Path, there: Path) -> Agreement | None:
    """Compare the means over trainings of the datasets that were evaluated there.

    Args:
        here: the root of a workspace with committed results.
        there: the root of another in which the pipeline has just run.

    Returns:
        None where nothing was evaluated there.
    """
    made = sorted((there / paths.METRICS).glob("*.csv"))
    if not made:
        return None
    tables, lacking = [], []
    for path in made:
        committed = here / paths.METRICS / path.name
        if not committed.is_file():
            lacking.append(f"there are no committed means over trainings of {path.stem}")
            continue
        before, after = (pd.read_csv(file) for file in (committed, path))
        tables.append(trainings.compare(before, after).assign(dataset=path.stem))
        alone = set(before["name"]) ^ set(after["name"])
        lacking += [f"{path.stem}, {name}: in one of the two alone" for name in sorted(alone)]
    none = pd.DataFrame(columns=["dataset", *trainings.COMPARED])
    return Agreement(pd.concat(tables, ignore_index=True) if tables else none, tuple(lacking))


def changed_verdicts(here: Path, there: Path) -> list[str] | None:
    """The verdicts of claims that are others there, a line each.

    Returns:
        None where one of the two has no claims.
    """
    if not all((root / CLAIMS).is_file() for root in (here, there)):
        return None
    before, after = (pd.read_csv(root / CLAIMS, dtype=str).fillna("") for root in (here, there))
    keys = [*_CLAIM_KEYS, *(k for k in _MORE_KEYS if k in before and k in after)]
    verdict = next(name for name in _VERDICTS if name in before and name in after)
    both = before[[*keys, verdict]].merge(
        after[[*keys, verdict]], on=keys, how="outer", suffixes=("", "_after")
    )
    both = both.drop_duplicates(keys).fillna("not tested")
    rows = both[both[verdict] != both[f"{verdict}_after"]]
    return [_verdict(row, verdict) for row in rows.to_dict("records")]


def _verdict(row: dict, verdict: str) -> str:
    where: Sequence[str] = [row[key] for key in ("measure", "group", "dataset") if row.get(key)]
    return f"  {row['claim']} ({', '.join(where)}): {row[verdict]} -> {row[f'{verdict}_after']}"
