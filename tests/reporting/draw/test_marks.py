"""Marks say what they are given, in the same places each time."""

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgsl.evaluation.intervals import Measured
from mgsl.reporting.draw import marks
from mgsl.reporting.draw.marks import Bar


@pytest.fixture
def axes() -> Axes:
    return Figure().subplots()


def test_an_interval_is_a_line_with_its_number_on_it(axes: Axes) -> None:
    marks.interval(axes, Measured(2.0, 1.0, 4.0, 0.5, 3), 7, "#0072B2", filled=False)
    line, number = axes.lines
    assert list(line.get_xdata()) == [1.0, 4.0]
    assert list(line.get_ydata()) == [7, 7]
    assert (list(number.get_xdata()), list(number.get_ydata())) == ([2.0], [7])
    assert number.get_markerfacecolor() == "white"


def test_spans_stand_below_one_another_and_a_repeated_row_is_named_once(axes: Axes) -> None:
    ends = {"first": (0.0, 2.0, "a"), "second": (6.0, 9.0, "b"), "third": (3.0, 4.0, "b")}
    bars = [Bar(*bar, text, "red") for text, bar in ends.items()]
    marks.spans(axes, bars, None, (0.0, 10.0))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["", "b", "a"]
    assert [patch.get_x() for patch in axes.patches] == [3, 6, 0]
    marks.spans(axes, bars, (1.0, 2.0), (0.0, 10.0))
    assert len(axes.patches) == 3 + 1 + 3
