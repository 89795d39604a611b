"""The configuration: the schema of the files in ``configs/``, and reading it."""
