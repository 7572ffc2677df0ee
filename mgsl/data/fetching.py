"""Releases from the network: announced, fetched, verified, and put in place whole or not at all."""

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import Path

import requests

from mgsl.data import transfer
from mgsl.data.releases import FilePart, Release
from mgsl.data.resuming import cause, complete, finish, held, size_of, truncate
from mgsl.errors import UserError
from mgsl.files import write_json

_LARGEST_RELEASE = 100_000_000_000  # bytes


def fetch(release: Release, path: Path) -> None:
    """Put the file of a release at a path: whole, parts joined, as published (still packed).

    Says first what it fetches, how large it is, how much disk is free and under which terms. Its
    addresses are asked in order; what came before an interruption is kept beside the path and gone
    on with. Of two processes, the second waits. What stands at the path already is only verified.

    Args:
        release: what is wanted.
        path: where it shall stand; its folder is made.

    Raises:
        UserError: it is nowhere to be had (the message says what a person can do), the disk is too
            small, or what stands at the path is not what was published.
    """
    part = _beside(path, ".part")
    with held(part):
        if path.is_file():
            if problem := misfit(path, release):
                raise UserError(
                    f"{path} is not {release.name} as published: it {problem}. "
                    f"Delete it, or replace it by the original: {release.page}"
                )
            return
        if not release.pieces:
            raise UserError(by_hand(release, path))
        total = _total(release)
        _announce(release, path, total, held_already=size_of(part))
        journal = _beside(path, ".part.json")
        try:
            _join(release, part, journal, total)
        except _NowhereError as error:
            came = size_of(part)
            kept = f"What came ({came:,} bytes) is kept, to go on with.\n" if came else ""
            raise UserError(
                f"{release.name} could not be fetched:\n{error}\n{kept}{by_hand(release, path)}"
            ) from None
        finish(part, path)
        journal.unlink(missing_ok=True)


def by_hand(release: Release, path: Path) -> str:
    """What a person does where no address answers: page, file, size, digest, place, next step."""
    if release.size:
        size = f"{release.size:,} bytes"
    else:
        size = f"about {release.about / 1e9:.1f} GB" if release.about else "size not published"
    if release.sha256 or release.md5:
        digest = f"SHA-256 {release.sha256}" if release.sha256 else f"MD5 {release.md5}"
    else:
        digest = "no digest published"
    parts = f", {len(release.parts)} parts to be joined in order" if release.parts else ""
    return (
        f"A person can fetch {release.name} ({size}, {digest}{parts})\n"
        f"  from {release.page}\n"
        f"  terms: {release.terms}\n"
        f"  and place it as {path}; then run the same command again"
    )


def misfit(path: Path, published: FilePart | Release, begin: int = 0) -> str:
    """In what a file is not what was published, from one of its bytes on; empty if in nothing.

    Of two digests that are known, the better one is enough.
    """
    size = path.stat().st_size - begin
    if published.size is not None and size != published.size:
        return f"has {size:,} bytes, expected {published.size:,}"
    for name, title in (("sha256", "SHA-256"), ("md5", "MD5")):
        if expected := getattr(published, name):
            with path.open("rb") as file:
                file.seek(begin)
                digest = hashlib.file_digest(file, name).hexdigest()
            return f"has {title} {digest}, expected {expected}" if digest != expected else ""
    return ""


class _NowhereError(Exception):
    """No address of a piece has it; says of each why not."""


def _join(release: Release, part: Path, journal: Path, total: int | None) -> None:
    """Append each piece of a release to a file; the journal says where those that are whole end."""
    ends = _read_ends(journal, part, len(release.pieces))
    for number, piece in enumerate(release.pieces[len(ends) :], start=len(ends) + 1):
        begin = ends[-1] if ends else 0
        title = f"{release.name}, part {number} of {len(release.pieces)}" if release.parts else ""
        _fetch_piece(piece, part, begin, title or release.name, total)
        ends.append(size_of(part))
        if release.parts:
            write_json(journal, ends)
    if release.parts and (problem := misfit(part, release)):
        truncate(part)
        journal.unlink(missing_ok=True)
        raise _NowhereError(f"  of all parts, joined: it {problem}")


def _read_ends(journal: Path, part: Path, num_pieces: int) -> list[int]:
    """Where whole pieces end; none where the journal is missing or of another file."""
    with suppress(OSError, ValueError, TypeError, IndexError):
        ends = [int(end) for end in json.loads(journal.read_bytes())]
        if ends == sorted(set(ends)) and len(ends) <= num_pieces and ends[-1] <= size_of(part):
            return ends
    return []


def _fetch_piece(
    piece: FilePart | Release, part: Path, begin: int, title: str, total: int | None
) -> None:
    """Append one piece to a file, verified, from the first of its addresses that has it."""
    has_digest = bool(piece.sha256 or piece.md5)
    if has_digest and size_of(part) > begin and not misfit(part, piece, begin):
        return  # interrupted after the last byte
    limit = 2 * total if total else _LARGEST_RELEASE
    reasons = []
    for address in piece.addresses:
        for last in (False, True):
            try:
                at_once = complete(
                    part,
                    address,
                    title=title,
                    begin=begin,
                    size=piece.size,
                    total=total,
                    limit=limit,
                )
            except requests.RequestException as error:
                reasons.append(f"  {address}: {_reason(error)}")
                break
            problem = misfit(part, piece, begin)
            if not problem and size_of(part) - begin > limit:
                problem = "does not end"
            if not problem:
                return
            truncate(part, begin)
            if at_once or last:  # else an earlier attempt may have left something else
                reasons.append(f"  {address}: what came {problem}")
                break
    raise _NowhereError("\n".join(reasons))


def _announce(release: Release, path: Path, total: int | None, held_already: int) -> None:
    """Say what will be fetched, and stop where the disk is too small for it."""
    exactly = f"{release.size:,} bytes" if release.size else ""
    about = f"about {total / 1e9:.2f} GB" if total else "size not published"
    free = shutil.disk_usage(path.parent).free
    print(f"{release.name}: {release.title}")
    print(f"  {exactly or about} from {', then '.join(release.hosts)}")
    if held_already:
        print(f"  {held_already:,} bytes of it came before: going on from there")
    print(f"  to {path}, on a disk with {free / 1e9:.1f} GB free")
    print(f"  terms: {release.terms}", flush=True)
    if total and total - held_already > free:
        raise UserError(
            f"{release.name} needs {(total - held_already) / 1e9:.2f} GB more, and the disk of "
            f"{path.parent} has {free / 1e9:.2f} GB free: free some, or move the folder to a "
            "larger disk (MGSL_FEATURES for features, MGSL_CACHE for all that is fetched)"
        )


def _total(release: Release) -> int | None:
    """Bytes of a release, from the catalogue or else from its servers; None if neither knows."""
    if release.size or release.about:
        return release.size or release.about
    total = 0
    for piece in release.pieces:
        length = piece.size or transfer.length(piece.addresses[0])
        if length is None:
            return None
        total += length
    return total


def _reason(error: requests.RequestException) -> str:
    if error.response is not None or isinstance(error, transfer.NotTheFileError):
        return str(error)
    return f"cannot be reached ({cause(error)})"


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
