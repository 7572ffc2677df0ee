"""Text reaches LaTeX as it is read, whatever signs it has."""

import pytest

from mgsl.reporting.draw import latex


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 % of a_b & #1, $2", r"5 \% of a\_b \& \#1, \$2"),
        ("{x} ~ y^2", r"\{x\} \textasciitilde{} y\textasciicircum{}2"),
        (r"a\b", r"a\textbackslash{}b"),
        ("1–2 ± 3 >= 4 > 5 <= 6", r"1--2 $\pm$ 3 $\geq$ 4 $>$ 5 $\leq$ 6"),
    ],
)
def test_every_sign_that_latex_reads_otherwise_is_escaped(text: str, expected: str) -> None:
    assert latex.escape(text) == expected


def test_a_line_may_break_within_a_path_or_a_name() -> None:
    assert latex.breakable("a/b_c") == r"a/\allowbreak{}b\_\allowbreak{}c"
