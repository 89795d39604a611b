"""``python -m enron_triage``: the same program as ``triage``."""

from enron_triage.cli import main

if __name__ == "__main__":
    main()
