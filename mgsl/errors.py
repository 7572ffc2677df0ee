"""The one error a user is meant to read."""

from pathlib import Path


class UserError(Exception):
    """What went wrong with the user's input, the value met, and what to do about it.

    The command line prints the message without a traceback and exits with status 2; a notebook
    shows it alone.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"error: {self}"]


def missing(path: Path, advice: str) -> UserError:
    """The error to raise where a file is not there.

    Args:
        path: the file.
        advice: what brings it, in the imperative.
    """
    return UserError(f"{path} is missing: {advice}")
