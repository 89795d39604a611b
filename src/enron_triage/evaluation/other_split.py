"""Whether a policy is evaluated on a split other than the one that it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from enron_triage.config.nested import merge
from enron_triage.policy.origin import Origin
from enron_triage.runtime.file_states import FileState
from enron_triage.runtime.lineage import lineage
from enron_triage.runtime.settings import changed_settings

_MAIL = ("download", "parse")  # the sections that decide which mail it is


def other_split_notes(origin: Origin, records: Path, state: FileState) -> list[str]:
    """Say it if a policy may have been trained on the mailboxes that it is evaluated on.

    So it is where the same mail has been split again since, with another seed or other shares.

    Parameters
    ----------
    origin : Origin
        How the policy was made.
    records : Path
        What it is evaluated on.
    state : FileState
        The state of these records.

    Returns
    -------
    list of str
        One sentence, or none.
    """
    made = lineage(records, state)
    if "split" not in made.stages or "split" not in origin.data_stages:
        return []
    now: dict[str, Any] = {}
    for meta in made.stages.values():
        merge(now, meta.settings)
    if any(name in now and origin.config.get(name) != now[name] for name in _MAIL):
        return []
    changed = changed_settings({"split": origin.config.get("split")}, {"split": now.get("split")})
    if not changed:
        return []
    return [
        f"the policy was trained on another split of this mail ({'; '.join(changed)}): it may have been trained on "
        "these very messages, and the figures would be too optimistic; train it again"
    ]
