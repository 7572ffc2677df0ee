"""mgsl: a reproducibility benchmark and workbook for MGSL-Net (AAAI 2022)."""

from mgsl.numerics import fix

__version__ = "0.2.0"

fix()  # before anything loads NumPy or torch
