"""Text reaches Markdown as it is read, whatever signs it has."""

import pytest

from mgsl.reporting.draw import markdown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b of `c`, *d* [e] <10 _f_ | $g$", r"a_b of \`c\`, \*d\* \[e\] \<10 \_f\_ \| \$g\$"),
        ("![x](y) <script>", r"!\[x\](y) \<script>"),
        ("1 & 2 &lt; &#60; &c", r"1 & 2 \&lt; \&#60; &c"),
        ("~~gone~~, ~5", r"\~\~gone\~\~, \~5"),
        ("one \n# two", "one # two"),
    ],
)
def test_every_sign_that_markdown_reads_otherwise_is_escaped(text: str, expected: str) -> None:
    assert markdown.escape(text) == expected
