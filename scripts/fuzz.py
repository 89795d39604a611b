#!/usr/bin/env python3
"""Test the program with hostile mail, hostile archives and kills, and report the results.

    python scripts/fuzz.py --work /tmp/fuzz --seed 1 --messages 100000 --archives 2000 --kills 300

Every step depends only on the seed and the number of the step. Completed steps are in ``<work>/findings.jsonl``. The
same command therefore continues where it was stopped; at the end it prints the table for ``docs/reliability.md``.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: a process with threads must not be forked

from fuzzing import archives, kills, messages
from fuzzing.findings import Findings
from fuzzing.pipelines import import_stages


def main() -> int:
    """Run the campaigns that the command line asks for; return 1 if a check failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="working folder; small, but written to often")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=0, metavar="N", help="number of messages to try")
    parser.add_argument("--archives", type=int, default=0, metavar="N", help="number of archives to try")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="number of kills of each stage")
    parser.add_argument("--stages", nargs="+", default=list(kills.STAGES), choices=kills.STAGES, help="stages to kill")
    parser.add_argument("--mail", type=Path, help="messages to damage, one per file; by default, a demo corpus")
    options = parser.parse_args()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    options.work.mkdir(parents=True, exist_ok=True)
    work = options.work.resolve()
    findings = Findings(work / "findings.jsonl")
    training = bool(options.messages) or (options.kills > 0 and not set(options.stages) <= kills.DATA_STAGES)
    import_stages(training=training)
    messages.campaign(findings, work, options.seed, options.messages, options.mail)
    archives.campaign(findings, work, options.seed, options.archives)
    kills.campaign(findings, work, options.seed, options.kills, options.stages)
    print(findings.table())
    return int(any(trial.failures for trial in findings.trials))


if __name__ == "__main__":
    sys.exit(main())
