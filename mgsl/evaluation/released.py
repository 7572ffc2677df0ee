"""The ids of queries in predictions that others have released.

JaywongWang/CBP and JaywongWang/TGN name a query `<video>-<i>` as we do, but for two things. A video
of TACoS goes without its ".avi", one of ActivityNet Captions without its "v_". And as they test on
val_1 and val_2 together, `i` counts the sentences of both, those of val_1 first.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from mgsl.queries import Query

# Our id of a test query by its released id; None where that is a query of another split.
Released = Mapping[str, str | None]


def released_ids(queries: Sequence[Query], benchmark: str | None) -> Released:
    """What releases call the test queries; empty where they call them as we do.

    Args:
        queries: of every split of a prepared dataset. No val_1 pair of ActivityNet is ever dropped,
            so that the number of them is the number that was published.
        benchmark: the paper's dataset that the queries are of, if any.
    """
    return RULES[benchmark](queries) if benchmark in RULES else {}


def _without_extension(queries: Sequence[Query]) -> Released:
    return {_name(q, q.video.removesuffix(".avi")): q.qid for q in queries if q.split == "test"}


def _after_validation(queries: Sequence[Query]) -> Released:
    before = Counter(query.video for query in queries if query.split == "val")
    return {
        _name(q, q.video.removeprefix("v_"), before[q.video] if q.split == "test" else 0): (
            q.qid if q.split == "test" else None
        )
        for q in queries
        if q.split != "train"
    }


def _name(query: Query, video: str, before: int = 0) -> str:
    index = int(query.qid.removeprefix(f"{query.video}-"))
    return f"{video}-{before + index}"


RULES: dict[str | None, Callable[[Sequence[Query]], Released]] = {
    "tacos": _without_extension,
    "activitynet": _after_validation,
}
