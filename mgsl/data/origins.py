"""Which release features are, by digest or by sampling."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mgsl.data import feature_files, releases
from mgsl.data.archives.identity import Identity
from mgsl.data.datasets import Dataset, FeatureRequest
from mgsl.data.feature_files import Census

_TOLERANCE = 0.03  # of rows a second: releases give theirs to two digits


@dataclass(frozen=True)
class Origin:
    """What is known of the features that were read.

    `releases` are the names that they may have in the catalogue; `by` says whether it was the
    digest that told, or the sampling.
    """

    releases: tuple[str, ...]
    by: str
    rows_per_s: float
    width: int
    videos: int

    def __str__(self) -> str:
        rate = f"{self.rows_per_s:.2f} rows a second"
        if self.by == "digest":
            return f"release {' or '.join(self.releases)}, by its digest ({rate})"
        facts = f"{rate}, {self.width} wide, {self.videos:,} videos"
        if not self.releases:
            return f"unknown release: {facts}"
        return f"by its sampling ({facts}) the release {' or '.join(self.releases)}"


def origin_of(
    dataset: str, identity: Identity, census: Census, *, seconds: float, width: int, usual: int
) -> Origin:
    """Which release of the catalogue an archive is, or may be.

    Args:
        dataset: its name.
        identity: of the archive.
        census: what was counted in it.
        seconds: the length of all the videos that were counted together.
        width: of its rows, in numbers.
        usual: the width that the catalogue's releases of this dataset have.
    """
    listed = releases.catalogue().get(dataset, {})
    rate = census.rows / seconds
    names = [
        name
        for name, release in listed.items()
        if not release.unpack  # else the digest is that of what was unpacked
        and (identity.sha256 == release.sha256 or (identity.md5 and identity.md5 == release.md5))
    ]
    by = "digest" if names else "sampling"
    if not names and width == usual:
        names = [
            name
            for name, release in listed.items()
            if release.seconds_per_row
            and abs(rate * release.seconds_per_row - 1) <= _TOLERANCE
            and release.videos in (None, census.videos)
        ]
    return Origin(tuple(names), by, rate, width, census.videos)


def summarise(
    dataset: Dataset, request: FeatureRequest, left_out: Mapping[str, Any]
) -> dict[str, Any]:
    """What a summary says of features that were read: the phrase for captions, and the facts.

    Args:
        dataset: whose features they are.
        request: by which they were read.
        left_out: what `leave_out` counted.
    """
    config, census = request.config, request.census
    identity = feature_files.recorded(request.placed, config.dataset)
    origin = origin_of(
        config.dataset,
        identity,
        census,
        seconds=sum(request.durations_s.values()),
        width=config.video_dim,
        usual=dataset.width,
    )
    facts = asdict(origin) | {"casts": dict(census.casts), "left_out": dict(left_out)}
    return {
        "features": phrase(dataset.features, origin, census, left_out),
        "archive": asdict(identity) | facts,
    }


def phrase(features: str, origin: Origin, census: Census, left_out: Mapping[str, Any]) -> str:
    """What every caption says of features that were read.

    Args:
        features: what the dataset says of them, whatever release they are.
        origin: which release they are.
        census: what was counted in them.
        left_out: what `leave_out` counted.
    """
    parts = [features, str(origin)]
    if census.casts:
        parts.append(f"{' and '.join(sorted(census.casts))} cast to floats")
    if left_out:
        parts.append(
            f"{left_out['videos']:,} of {left_out['of_videos']:,} videos have no features, their "
            f"queries are left out ({left_out['queries']['test']:,} of the test split)"
        )
    return "; ".join(parts)
