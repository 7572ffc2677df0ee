"""The way from every page to every other: all exhibits by section, the one before and the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mgsl.reporting.site import contents

FRONT = "index"  # the front page, before the first exhibit


@dataclass(frozen=True)
class Neighbour:
    """An exhibit that a page leads to."""

    name: str
    title: str

    @property
    def short(self) -> str:
        """The title up to its first full stop, as lists have it."""
        return self.title.split(".")[0]


@dataclass(frozen=True)
class Navigation:
    """What stands around a page.

    Args:
        here: the page's name.
        sections: title and exhibits of each section.
    """

    here: str
    sections: tuple[tuple[str, tuple[Neighbour, ...]], ...]

    @property
    def previous(self) -> Neighbour | None:
        """The exhibit before this one; None on the first, which follows the front page."""
        return self._beside(-1)

    @property
    def next(self) -> Neighbour | None:
        """The exhibit after this one; None on the last."""
        return self._beside(1)

    @property
    def is_front(self) -> bool:
        """Whether this is the front page."""
        return self.here == FRONT

    @property
    def is_first(self) -> bool:
        """Whether this is the exhibit that follows the front page."""
        return self._place == 1

    def _beside(self, distance: int) -> Neighbour | None:
        place = -1 if self._place is None else self._place + distance
        return self._steps[place - 1] if 1 <= place <= len(self._steps) else None

    @property
    def _steps(self) -> list[Neighbour]:
        return [step for _, section in self.sections for step in section]

    @property
    def _place(self) -> int | None:
        """Of the page on the way from the front page, which is 0; None where it is not on it."""
        names = [FRONT, *(step.name for step in self._steps)]
        return names.index(self.here) if self.here in names else None


def around(here: str, exhibits: Mapping[str, Sequence[str]]) -> Navigation:
    """What stands around one page.

    Args:
        here: the name of an exhibit, or `FRONT`.
        exhibits: names by section, in the order of the front page.
    """
    return Navigation(
        here,
        tuple(
            (contents.section_title(section), tuple(_step(name) for name in names))
            for section, names in exhibits.items()
            if names
        ),
    )


def _step(name: str) -> Neighbour:
    return Neighbour(name, contents.outline(name)[0])
