"""What every stage needs to run: artifacts, provenance, worker processes, progress bars."""
