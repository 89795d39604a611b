"""Writing files of tensors: checkpoints, and what is cached."""

from __future__ import annotations

import io
from pathlib import Path

from enron_triage.runtime import artifacts


def write_tensors(path: Path, content: object) -> None:
    """Write plain values and tensors with ``torch.save``, replacing the file in one step.

    Parameters
    ----------
    path : Path
        The file; its folder is made if it is missing.
    content : object
        What ``torch.load`` with ``weights_only`` can read.

    Raises
    ------
    TriageError
        If the file cannot be written.
    """
    import torch  # a command that only looks for what is cached does without

    with artifacts.atomic_open(path) as file:
        # Not into the file itself: if a write fails there (a full disk, an interrupt), torch raises an error of its own
        # in its place, or its destructor writes to the closed file and ends the process.
        content_bytes = io.BytesIO()
        torch.save(content, content_bytes)
        file.write(content_bytes.getbuffer())
