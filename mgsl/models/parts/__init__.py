"""The contract of a method, and what several methods share."""
