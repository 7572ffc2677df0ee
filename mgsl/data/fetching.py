"""Large files from the network: resumed, retried, verified, put in place whole."""

from pathlib import Path

from mgsl.data.releases import Release


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
    raise NotImplementedError
