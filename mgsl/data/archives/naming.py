"""Which array belongs to which video, however a release writes the names of videos."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgsl.data.archives.containers import Archive, StoredArray
from mgsl.errors import UserError

LISTED = 5  # how many names a message has
_TRIED = 50  # videos whose names are searched for suffixes
_EXTENSION = re.compile(r"\.(avi|mp4|mkv|webm|mov|mpg)$", re.IGNORECASE)
_CAMERA = re.compile(r"-cam-\d+$")
_SUFFIX = re.compile(r"[_.-][A-Za-z]\w*")
_SLIDING = re.compile(r"_\d+_\d+$")  # first and last frame, as TALL writes them


Named = list[tuple[str, StoredArray]]  # entries, with their names within a part


@dataclass(frozen=True)
class Located:
    """Where the arrays of the videos stand in one part of an archive.

    `key` names the array among several of an entry; `videos` counts all that the part has.
    """

    entries: Mapping[str, StoredArray]
    key: str | None
    videos: int


def locate_videos(archive: Archive, videos: Sequence[str], parts: Sequence[str]) -> list[Located]:
    """Look up all videos in each part of an archive; those it does not have are left out.

    Args:
        archive: open.
        videos: as the annotations name them.
        parts: as `data.DATASET.parts` names them: folders, files, endings of names, or keys of
            several arrays. None: the archive has one part.

    Raises:
        UserError: no video is there, or an array may be of several videos or a video have several
            arrays.
    """
    if not parts:
        return [_locate(archive, videos, None)]
    return [_locate(archive, videos, part) for part in parts]


def listing(names: Iterable[str]) -> str:
    """The first few of some names."""
    names = list(names)
    return ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")


def _locate(archive: Archive, videos: Sequence[str], part: str | None) -> Located:
    first: list[StoredArray] = []
    for level in archive.levels():
        first = first or level
        entries, key = _of_part(level, part)
        names = _Names(entries)
        for look_up in (names.alike, names.suffixed(videos)):
            if located := _look_up(archive.path, videos, look_up):
                return Located(located, key, len(names.by_name))
    raise UserError(_none(archive.path, videos, first, part))


def _of_part(entries: Sequence[StoredArray], part: str | None) -> tuple[Named, str | None]:
    """The entries of a part with their names in it, and the key of its arrays."""
    whole = [(entry.name, entry) for entry in entries]
    if part is None:
        return whole, None
    if inside := [(name, entry) for name, entry in whole if f"/{part}/" in entry.folders]:
        return inside, None
    ending = re.compile(rf"[_.-]{re.escape(part)}$")
    if ended := [(ending.sub("", name), e) for name, e in whole if ending.search(name)]:
        return ended, None
    return whole, part


class _Names:
    """The names of an archive, looked up in several ways, the strictest first."""

    def __init__(self, entries: Iterable[tuple[str, StoredArray]]) -> None:
        self.by_name: dict[str, list[StoredArray]] = defaultdict(list)
        self._by_bare: dict[str, list[StoredArray]] = defaultdict(list)
        for name, entry in entries:
            self.by_name[name].append(entry)
            self._by_bare[_bare(name)].append(entry)

    def alike(self, video: str) -> list[StoredArray]:
        """Without extension and camera, with or without `v_`; what is exact goes first."""
        bare = _bare(video)
        alike = (self._by_bare.get(n) for n in (bare, bare.removeprefix("v_"), f"v_{bare}"))
        return self.by_name.get(video) or next(filter(None, alike), [])

    def suffixed(self, videos: Sequence[str]) -> Callable[[str], list[StoredArray]]:
        """A way to look up names that all end alike, such as AO8RW_rgb."""
        endings: set[str] = set()
        for base in {b for video in videos[:_TRIED] for b in _bases(video)}:
            rests = {n[len(base) :] for n in self.by_name if n.startswith(base)}
            endings |= {r for r in rests if _SUFFIX.fullmatch(r) and not _SLIDING.search(r)}

        def look_up(video: str) -> list[StoredArray]:
            names = [base + ending for base in _bases(video) for ending in sorted(endings)]
            return [entry for name in names for entry in self.by_name.get(name, [])]

        return look_up


def _look_up(
    path: Path, videos: Sequence[str], look_up: Callable[[str], list[StoredArray]]
) -> dict[str, StoredArray]:
    entries, owners = {}, dict[StoredArray, str]()
    for video in videos:
        match look_up(video):
            case [entry]:
                if owners.setdefault(entry, video) != video:
                    raise UserError(
                        f"{path}: {entry} may be of {owners[entry]!r} and of {video!r}: name the "
                        "arrays as the annotations name the videos"
                    )
                entries[video] = entry
            case []:
                pass
            case several:
                raise UserError(
                    f"{path} has {len(several)} arrays for the video {video!r}: "
                    f"{listing(map(str, several))}. Name the folder or the ending of names that is "
                    "meant in params.yaml, or several to be joined side by side: "
                    "data.DATASET.parts: [rgb, flow]"
                )
    return entries


def _none(
    path: Path, videos: Sequence[str], entries: Sequence[StoredArray], part: str | None
) -> str:
    names = [entry.name for entry in entries]
    if names and all(map(_SLIDING.search, names)):
        return (
            f"{path} has an array for each sliding window, such as {names[0]}, as TALL published "
            "them, and not one for each video: take those that 2D-TAN joined, "
            "tall_c3d_features.hdf5, or write the windows of one length of each video, in order, "
            "as the rows of VIDEO.npy"
        )
    of = f", in the part {part!r} of data.DATASET.parts," if part else ""
    message = (
        f"{path} lacks {len(videos)} of {len(videos)} videos{of}: {listing(videos)}; it has "
        f"{listing(map(str, entries)) or 'nothing'}"
    )
    if any(entry.file.endswith((".pt", ".pth")) for entry in entries[:LISTED]):
        message += (
            ". A .pt file is read as one video: of a dictionary of videos write each, `for video, "
            "tensor in torch.load(FILE, weights_only=True).items(): torch.save(tensor, "
            "f'{video}.pt')`"
        )
    return message


def _bare(name: str) -> str:
    return _CAMERA.sub("", _EXTENSION.sub("", name))


def _bases(video: str) -> tuple[str, ...]:
    """The beginnings that a video's name with a suffix may have."""
    return tuple(dict.fromkeys((video, _bare(video), _bare(video).removeprefix("v_"))))
