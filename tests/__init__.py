"""Tests, in the same folders as the modules they test."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
