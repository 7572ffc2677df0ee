"""What Markdown needs to know of text: signs that it reads otherwise, and ends of lines."""

import re

# An underscore within a word is plain, and so is an ampersand that begins no sign of HTML.
_SIGN = re.compile(r"[\\`*\[\]<|$~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")


def escape(text: str) -> str:
    """Text, within a line, as Markdown that shows it letter by letter."""
    line = re.sub(r"\s*\n\s*", " ", text)
    return _SIGN.sub(lambda sign: "\\" + sign[0], line)


def prose(text: str) -> str:
    """The same, but that what stands between backticks stays code."""
    parts = enumerate(text.split("`"))
    return "".join(f"`{part}`" if place % 2 else escape(part) for place, part in parts)
