"""Where mail comes from: one module for each layout, and the table of layouts.

To add a layout, write a module with two functions, `matches` and `mailboxes` (see `Source`), and add its row to
`SOURCES`. The configuration accepts the row's name as ``parse.format``, and ``auto`` recognises the layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from enron_triage.errors import UsageError
from enron_triage.mail.message_ref import MessageRef
from enron_triage.mail.sources import enron, maildir, mbox

AUTO = "auto"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One layout of mail on disk. Listing it reads no message.

    Attributes
    ----------
    matches : callable
        ``matches(path) -> bool``: whether the files at a path have this layout.
    mailboxes : callable
        ``mailboxes(path) -> Iterator[tuple[str, Iterator[MessageRef]]]``: the name of each mailbox and its messages,
        by mailbox and then by path. Raises `UsageError` if the path cannot be read in this layout.
    needs_grouping : callable
        ``needs_grouping(path) -> bool``: whether the messages come in an order of their own, as those of an archive
        do, so that a mailbox may be listed in several pieces. The parse stage then sorts the records.
    """

    matches: Callable[[Path], bool]
    mailboxes: Callable[[Path], Iterator[tuple[str, Iterator[MessageRef]]]]
    needs_grouping: Callable[[Path], bool] = lambda path: False


# From the most general layout to the most special one: where several match, the last of them is taken.
SOURCES: dict[str, Source] = {
    "enron": Source(matches=enron.matches, mailboxes=enron.mailboxes, needs_grouping=enron.needs_grouping),
    "mbox": Source(matches=mbox.matches, mailboxes=mbox.mailboxes),
    "maildir": Source(matches=maildir.matches, mailboxes=maildir.mailboxes),
}


def find_source(path: Path, name: str = AUTO) -> tuple[str, Source]:
    """The layout in which a corpus is read.

    Parameters
    ----------
    path : Path
        A folder or file of mail.
    name : str
        A key of `SOURCES`, or ``auto`` to tell the layout by the files at `path`.

    Returns
    -------
    name : str
        The key of `SOURCES`.
    source : Source
        Its row.

    Raises
    ------
    UsageError
        If the name is ``auto`` and there is no file or folder at `path`, or a folder that cannot be listed.
    """
    if name == AUTO:
        found = next((name for name in reversed(SOURCES) if SOURCES[name].matches(path)), None)
        if found is None:
            raise UsageError(f"{path}: no such file or folder; run `triage download` or set parse.source")
        name = found
    return name, SOURCES[name]
