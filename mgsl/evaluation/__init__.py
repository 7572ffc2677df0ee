"""The metric, over prediction files. NumPy only: no torch, no models."""
