"""The command ``triage inspect``."""

from __future__ import annotations

from pathlib import Path

from enron_triage.config import paths
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.inspection.facts import Facts
from enron_triage.inspection.model_card import evaluations_of, model_card
from enron_triage.inspection.reproduce import reproduction, to_yaml
from enron_triage.inspection.text import plain_values, text_of
from enron_triage.runtime import artifacts
from enron_triage.stage_run import Result


def run(
    config: Config, checkpoint: str, *, as_config: bool = False, card: bool = False, output: Path | None = None
) -> Result:
    """Tell what a checkpoint is and how it was made.

    Parameters
    ----------
    config : Config
        Where checkpoints and evaluations are.
    checkpoint : str
        The checkpoint's name or path: see `paths.named_checkpoint`.
    as_config : bool
        Whether to give a configuration that makes it again, in YAML.
    card : bool
        Whether to give a model card, in Markdown.
    output : Path, optional
        A file for the text, which must not exist yet.

    Raises
    ------
    UsageError
        If the checkpoint is missing or damaged, does not tell how it was made, or the file exists already.
    """
    if as_config and card:
        raise UsageError("--config and --card: give one of them")
    if output is not None and output.exists():
        raise UsageError(f"--output {output}: exists already; remove it or give another name")
    if output is not None:
        artifacts.refuse_missing_folder(output)
    facts = Facts.of(paths.named_checkpoint(config, checkpoint))
    if as_config:
        found = reproduction(facts)
        result = Result(stage="inspect", table=to_yaml(facts, found), data=found.values)
    elif card:
        text = model_card(facts, evaluations_of(facts.sha256, config.data / "eval"))
        result = Result(stage="inspect", table=text, data={"card": text})
    else:
        result = Result(stage="inspect", table=text_of(facts), data=plain_values(facts))
    if output is None:
        return result
    with artifacts.atomic_open(output) as file:
        file.write(f"{result.table}\n".encode())
    return Result(stage="inspect", table=str(output), data={**result.data, "output": str(output)})
