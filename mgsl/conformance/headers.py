"""What a method's file says of itself at its top: paper, released code, deviations from it."""

import re
from dataclasses import dataclass

# A part begins at the margin and goes on in lines that are indented.
_PART = re.compile(r"^(\w+) {2,}(\S.*(?:\n +\S.*)*)", re.M)
_SENTENCE = re.compile(r"(?<=[.:)])\s+(?=[A-Z])")
_CODE = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Header:
    """The parts of a header; `code` is the repository, "" where none was released."""

    paper: str
    reference: str
    code: str
    deviations: tuple[str, ...]


def read(docstring: str) -> Header:
    """Take a docstring apart.

    Args:
        docstring: of a module of `mgsl.models`.

    Raises:
        ValueError: a part is missing.
    """
    parts = {name: " ".join(text.split()) for name, text in _PART.findall(docstring)}
    missing = {"Paper", "Reference", "Deviations"} - parts.keys()
    if missing:
        raise ValueError(f"the header has no {', '.join(sorted(missing))}")
    code = _CODE.match(parts["Reference"])
    return Header(
        paper=parts["Paper"],
        reference=parts["Reference"],
        code=code[0] if code else "",
        deviations=tuple(_SENTENCE.split(parts["Deviations"])),
    )
