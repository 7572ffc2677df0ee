"""The one error a user is meant to read."""


class UserError(Exception):
    """What went wrong with the user's input, the value met, and what to do about it.

    The command line prints the message without a traceback and exits with status 2.
    """
