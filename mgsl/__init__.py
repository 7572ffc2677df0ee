"""mgsl: a reproducibility benchmark and workbook for MGSL-Net (AAAI 2022)."""

__version__ = "0.1.0"
