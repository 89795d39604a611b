"""The results section of ``TRAINING_LOG.md``, which ``triage report --log`` replaces; people write the rest."""

from __future__ import annotations

import re
from pathlib import Path

from enron_triage.errors import UsageError
from enron_triage.runtime import artifacts

LOG = Path("TRAINING_LOG.md")
BEGIN, END = "<!-- triage report: begin -->", "<!-- triage report: end -->"


def write_results(results: str) -> None:
    """Put results between the two markers of the log; without markers, at its end.

    Nothing else in the file changes. A log that does not exist is begun.

    Parameters
    ----------
    results : str
        Markdown, without a newline at the end.

    Raises
    ------
    UsageError
        If only one of the markers is there, or one of them twice, or the file is not UTF-8.
    """
    section = f"{BEGIN}\n{results}\n{END}"
    try:
        text = LOG.read_bytes().decode() if LOG.exists() else "# Training log\n"
    except UnicodeDecodeError:
        raise UsageError(f"{LOG}: not UTF-8; convert it first") from None
    markers = (text.count(BEGIN), text.count(END))
    if markers == (0, 0):
        text = f"{text.rstrip()}\n\n{section}\n"
    elif markers == (1, 1) and text.index(BEGIN) < text.index(END):
        text = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda match: section, text, flags=re.DOTALL)
    else:
        raise UsageError(f"{LOG}: needs one `{BEGIN}` with one `{END}` after it, or neither; correct it by hand")
    with artifacts.atomic_open(LOG) as file:
        file.write(text.encode())
