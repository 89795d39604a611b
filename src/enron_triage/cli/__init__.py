"""The command line."""

from enron_triage.cli.app import build_app, main

__all__ = ["build_app", "main"]
