"""What every stage runs on: artifacts, provenance, worker processes, progress."""
