"""The configuration: one schema for every file in ``configs/``, and reading it."""
