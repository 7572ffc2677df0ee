"""The catalogue of releases: complete, pinned, and honest about what is not known."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgsl.data import releases
from mgsl.data.datasets import DATASETS
from mgsl.data.releases import FilePart, Release, catalogue, find
from mgsl.errors import UserError

LISTED = [(dataset, name) for dataset, names in catalogue().items() for name in names]
FETCHED = [(dataset, name) for dataset, name in LISTED if find(dataset, name).pieces]


FACTS = {"title": "t", "page": "https://a.b/c", "terms": "t", "layout": "l", "file": "f"}
PART = FilePart(address="https://a.b/c")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalogue of the test's own."""
    monkeypatch.setattr(releases, "CATALOGUE", tmp_path / "releases.yaml")
    catalogue.cache_clear()
    yield tmp_path / "releases.yaml"
    catalogue.cache_clear()


def test_there_are_releases_of_what_other_people_compute() -> None:
    of_others = {name for name, dataset in DATASETS.items() if dataset.archive}
    assert set(catalogue()) == of_others | {"glove"}
    assert set(catalogue()["glove"]) == {"6B", "42B", "840B"}


def test_what_is_known_of_a_file_is_what_its_publisher_says() -> None:
    tacos, charades = find("tacos_c3d", "nlvl_v0"), find("charades_i3d", "nlvl_v0")
    assert (tacos.size, charades.size) == (1_451_161_600, 1_702_438_416)
    assert tacos.sha256 == "4aeeb247d008d492071c9508d42072d6c135c4868a87cecc0c98bc8fcfca201f"
    assert charades.sha256 == "fa34a3ea81c6f399f5e48e0b2dc62f6a1ed10fa06db36122ad1547393746c4da"
    activitynet = find("activitynet_c3d", "nlvl_v0")
    assert [part.address[-3:] for part in activitynet.parts] == [
        f"_a{letter}" for letter in "abcdef"
    ]
    assert [bool(part.sha256) for part in activitynet.parts] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
    assert activitynet.md5 == "d3dea78edeb1b78cac86215561c85d1c"


@pytest.mark.parametrize(("dataset", "name"), FETCHED)
def test_what_is_fetched_is_pinned_and_named_as_published(dataset: str, name: str) -> None:
    release = find(dataset, name)
    for piece in release.pieces:
        for address in piece.addresses:
            if "huggingface.co" in address:
                assert re.search(r"/resolve/[0-9a-f]{40}/", address)
            if "dropbox.com" in address:
                assert address.endswith("?dl=1")
            if "drive.usercontent.google.com" in address:  # which names no file
                assert address.endswith("&confirm=t")
                assert piece.sha256 or piece.md5
            elif not release.parts:
                assert f"/{release.file}" in address


@pytest.mark.parametrize(("dataset", "name"), LISTED)
def test_every_release_says_what_it_is_and_under_which_terms(dataset: str, name: str) -> None:
    release = find(dataset, name)
    assert len(release.title) > 20
    assert release.terms
    assert release.layout
    assert release.file is None or "/" not in release.file


def test_an_unknown_release_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"'nlvl_v9'; did you mean 'nlvl_v0'\?; there is: nlvl_v0,"):
        find("tacos_c3d", "nlvl_v9")
    with pytest.raises(UserError, match="embedded has no release 'x'; there is: none"):
        find("embedded", "x")


TEXT = """
x:
  one:
    title: a title
    page: https://example.org/page
    file: a.hdf5
    terms: none stated
    layout: a data set a video
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("addresses: [ftp://example.org/a]", r"x\.one\.addresses\.0: .*'ftp://.*\(line 9\)"),
        ("sha256: '12'", r"x\.one\.sha256: .*line 9"),
        ("size: 0", r"x\.one\.size: .*line 9"),
        ("unpack: rar", r"x\.one\.unpack: .*'rar'"),
        ("page_of: 3", r"x\.one\.page_of: unknown key"),
    ],
)
def test_a_mistake_in_the_catalogue_is_named_with_its_line(
    line: str, message: str, file: Path
) -> None:
    file.write_text(f"{TEXT}    {line}\n")
    with pytest.raises(UserError, match=message) as caught:
        catalogue()
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"size": 3, "about": 4}, "size and about"),
        ({"addresses": ("https://a.b/c",), "file": None}, "an address and no file"),
        ({"addresses": ("https://a.b/c",), "parts": (PART,)}, "addresses and parts"),
    ],
)
def test_facts_that_exclude_each_other_are_refused(facts: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Release.model_validate(FACTS | facts)


def test_pieces_are_parts_or_the_file_or_nothing() -> None:
    alone = Release.model_validate(FACTS | {"addresses": ("https://a.b/c", "https://d.e/f")})
    assert alone.pieces == (alone,)
    assert alone.hosts == ["a.b", "d.e"]
    assert Release.model_validate(FACTS | {"parts": (PART, PART)}).pieces == (PART, PART)
    assert Release.model_validate(FACTS).pieces == ()
