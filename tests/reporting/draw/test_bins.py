"""Bars of bins stand in their order, each split beside the others."""

from matplotlib.figure import Figure

from mgsl.reporting.draw import bins


def test_bars_of_bins_have_the_rarest_on_top_and_a_bar_for_each_split() -> None:
    axes = Figure().subplots()
    bins.draw_bins(
        axes, {"train": {"<10": 20.0, ">=10": 80.0}, "test": {"<10": 25.0, ">=10": 75.0}}
    )
    assert [text.get_text() for text in axes.texts] == [
        "20.0 train", "80.0", "25.0 test", "75.0"
    ]  # fmt: skip
    bars = [(bar.get_width(), round(bar.get_y() + bar.get_height() / 2, 2)) for bar in axes.patches]
    assert bars == [(20.0, -0.2), (80.0, 0.8), (25.0, 0.2), (75.0, 1.2)]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
