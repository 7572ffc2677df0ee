"""Which release features are: by a digest that is known, else by sampling, width and videos."""

from collections import Counter

import pytest

from mgsl.data.archives.identity import Identity
from mgsl.data.feature_files import Census
from mgsl.data.origins import Origin, origin_of, phrase

OTHER = Identity("charades_i3d.hdf5", 1, 5, "0" * 64, "0" * 32)
CHARADES_S = 204_092.0  # of the 6,672 videos together


def told(dataset: str, identity: Identity = OTHER, **changes: float) -> Origin:
    given = {"rows": 1.0, "videos": 6672.0, "seconds": CHARADES_S, "width": 1024.0, "usual": 1024.0}
    numbers = given | changes
    return origin_of(
        dataset,
        identity,
        Census(videos=int(numbers["videos"]), rows=int(numbers["rows"])),
        seconds=numbers["seconds"],
        width=int(numbers["width"]),
        usual=int(numbers["usual"]),
    )


def test_a_known_digest_tells_the_release() -> None:
    sha256 = "fa34a3ea81c6f399f5e48e0b2dc62f6a1ed10fa06db36122ad1547393746c4da"
    origin = told("charades_i3d", Identity("any.h5", 1, 1702438416, sha256, None), rows=415_043)
    assert str(origin) == "release nlvl_v0, by its digest (2.03 rows a second)"
    md5 = "d3dea78edeb1b78cac86215561c85d1c"
    assert told("activitynet_c3d", Identity("a", 1, 1, "0" * 64, md5)).releases == ("nlvl_v0",)


def test_releases_of_one_width_are_told_apart_by_their_sampling() -> None:
    tuned = told("charades_i3d", rows=415_043)
    assert {"nlvl_v0", "nlvl_v1", "vslnet_new", "vslnet_org"} == set(tuned.releases)
    lgi = told("charades_i3d", rows=612_000, videos=9848)
    assert {"nlvl_v2", "lgi"} <= set(lgi.releases)
    assert not set(tuned.releases) & set(lgi.releases)
    assert "by its sampling (3.00 rows a second, 1024 wide, 9,848 videos) the release" in str(lgi)
    windows = {"seconds": 36_397.0, "videos": 127.0, "width": 4096.0, "usual": 4096.0}
    assert "nlvl_v0" in told("tacos_c3d", rows=88_569, **windows).releases
    assert told("tacos_c3d", rows=36_390, **windows).releases == ("cbp",)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rows": 1_000_000.0}, "unknown release: 4.90 rows a second, 1024 wide, 6,672 videos"),
        ({"rows": 415_043.0, "width": 2048.0}, "unknown release: 2.03 rows a second, 2048 wide"),
        ({"rows": 415_043.0, "videos": 6000.0}, "by its sampling"),  # of the folders that have none
    ],
)
def test_what_fits_no_release_is_called_unknown(changes: dict[str, float], text: str) -> None:
    assert str(told("charades_i3d", **changes)).startswith(text)


def test_the_phrase_of_captions_says_what_was_done() -> None:
    left_out = {"videos": 1450, "of_videos": 14926, "queries": {"train": 1, "val": 2, "test": 412}}
    census = Census(1, 1, Counter(int16=3))
    assert phrase("I3D", told("charades_i3d"), census, left_out) == (
        "I3D; unknown release: 0.00 rows a second, 1024 wide, 6,672 videos; int16 cast to floats; "
        "1,450 of 14,926 videos have no features, their queries are left out (412 of the test "
        "split)"
    )
