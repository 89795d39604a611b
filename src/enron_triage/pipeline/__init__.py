"""The stages, as a table (`stages`), and running them (`running`)."""

from enron_triage.pipeline.running import run, run_stage, status
from enron_triage.pipeline.stages import SPLIT_FILES, STAGES, TRAINED_ON, stage_run, with_advice

__all__ = ["SPLIT_FILES", "STAGES", "TRAINED_ON", "run", "run_stage", "stage_run", "status", "with_advice"]
