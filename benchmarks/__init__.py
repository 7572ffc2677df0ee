"""What takes how long: each prints, and asserts nothing."""

import mgsl  # noqa: F401  # before NumPy and torch, since it sets what they read as they are loaded
