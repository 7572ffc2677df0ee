"""Table 4: what each stream of the two memories is worth, and sharing them."""

from collections.abc import Sequence

from mgsl.reporting.draw import ablations
from mgsl.reporting.draw.tables import Table

TITLE = "the streams of the two memories, and sharing them"
SWITCHES = {
    "video memory": {
        "video_v": "frames", "video_q_hat": "textual view", "video_shared": "shared",
    },
    "query memory": {
        "query_q": "words", "query_v_hat": "visual view", "query_shared": "shared",
    },
}  # fmt: skip


def build(datasets: Sequence[str]) -> Table:
    """The printed rows beside ours.

    Args:
        datasets: names of evaluated datasets.
    """
    return ablations.build(4, TITLE, SWITCHES, datasets)


def of_studies() -> Table | None:
    """The same over the trainings of the kept studies; None without them."""
    return ablations.of_studies(4, TITLE, SWITCHES)
