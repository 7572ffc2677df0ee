"""Releases of features and of word vectors: `releases.yaml`, typed and checked."""

import functools
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from mgsl.documents import line_of, read_yaml
from mgsl.errors import UserError
from mgsl.fields import Frozen, Positive
from mgsl.parsing import meant, parse

CATALOGUE = Path(__file__).with_name("releases.yaml")

Address = Annotated[str, Field(pattern=r"^https?://[^/\s]+/\S+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class FilePart(Frozen):
    """A piece of a file: what the network has in one go. Where a value is none, it is not known."""

    address: Address
    size: Positive | None = None
    sha256: Sha256 | None = None
    md5: Md5 | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The one address."""
        return (self.address,)


class Release(Frozen):
    """What somebody published; where a value is none, it is not known.

    It has `addresses` in the order in which they are tried, or `parts` to be joined in order, or
    neither: then only a person can fetch it, from `page`. `file` is the name of the one file, none
    if it is a folder; `size`, `sha256` and `md5` are of it before it is unpacked; `about` is its
    size in bytes where only that is known. `layout` says how videos are stored and called, and
    `seconds_per_row` is the time from one row of features to the next.
    """

    title: str
    page: Address
    terms: str
    layout: str
    file: str | None = None
    addresses: tuple[Address, ...] = ()
    parts: tuple[FilePart, ...] = ()
    unpack: Literal["zip", "tar"] | None = None
    size: Positive | None = None
    about: Positive | None = None
    sha256: Sha256 | None = None
    md5: Md5 | None = None
    videos: Positive | None = None
    seconds_per_row: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> "Release":
        if self.addresses and self.parts:
            raise ValueError("has addresses and parts: it is one file, or parts to be joined")
        if self.pieces and self.file is None:
            raise ValueError("has an address and no file: name the file that is there")
        if self.size and self.about:
            raise ValueError("has size and about: one of the two is enough")
        return self

    @property
    def pieces(self) -> tuple["FilePart | Release", ...]:
        """What is fetched, in order: its parts, or itself; nothing if only a person can."""
        return self.parts or ((self,) if self.addresses else ())

    @property
    def name(self) -> str:
        """Its file, or what it is, for a message."""
        return self.file or self.layout

    @property
    def hosts(self) -> list[str]:
        """Who has it, in the order in which they are asked."""
        addresses = [address for piece in self.pieces for address in piece.addresses]
        return list(dict.fromkeys(urlsplit(address).netloc for address in addresses))


class Catalogue(Frozen):
    """What is listed, by the name of its dataset (or `glove`), then by its own."""

    releases: dict[str, dict[str, Release]]


@functools.cache
def catalogue() -> dict[str, dict[str, Release]]:
    """All releases, by dataset and name.

    Raises:
        UserError: the file is not as it should be; the message names key and line.
    """
    return parse(
        Catalogue,
        {"releases": read_yaml(CATALOGUE)},
        where=str(CATALOGUE),
        line_of=lambda keys: line_of(CATALOGUE, keys[1:]),
    ).releases


def find(dataset: str, name: str) -> Release:
    """A release by name.

    Args:
        dataset: such as `tacos_c3d`; or `glove`.
        name: its name in the catalogue.

    Raises:
        UserError: there is none of this name.
    """
    releases = catalogue().get(dataset, {})
    if name not in releases:
        raise UserError(
            f"{dataset} has no release {name!r}{meant(name, releases)}; "
            f"there is: {', '.join(releases) or 'none'}"
        )
    return releases[name]
