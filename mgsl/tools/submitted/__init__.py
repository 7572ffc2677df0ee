"""Anybody's prediction file: its answers, whose they are, and in what unit."""
