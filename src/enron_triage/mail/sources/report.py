"""The report of `triage parse` on a source: what it was recognised as, and what was not read."""

from __future__ import annotations

from collections import Counter

from enron_triage.config.data import FoldersConfig
from enron_triage.mail.folder_roles import FolderRoles
from enron_triage.mail.message_ref import json_safe
from enron_triage.mail.modified_utf7 import decode_modified_utf7
from enron_triage.mail.sources.opening import conversion
from enron_triage.mail.sources.tree import Tree

_MAX_MAILBOXES = 10  # that are described one by one
_MAX_FOLDERS = 12  # of one role


def describe(tree: Tree, layout: str, roles: FoldersConfig, with_labels: int = 0) -> str:
    """The layout of a source, and the folders of its mailboxes by role, with the number of their messages.

    Parameters
    ----------
    tree : Tree
        The source, after it was read.
    layout : str
        The layout in which it was read.
    roles : FoldersConfig
        The names of the folders that have a role.
    with_labels : int
        How many messages have Gmail labels, which count in place of the folder.

    Returns
    -------
    str
        Lines that follow a table; an Enron tree has only one.
    """
    lines = [f"layout: {layout}"]
    if len(tree.folders) <= _MAX_MAILBOXES:
        for user, folders in sorted(tree.folders.items()):
            if list(folders) == [""]:  # where Gmail's labels may tell the place of each message
                lines.append(f"mailbox {json_safe(user)}: {folders['']:,} messages, in no folder")
                continue
            lines.append(f"mailbox {json_safe(user)}:")
            found, by_role = FolderRoles(roles), dict[str, Counter[str]]()
            for folder, count in folders.items():
                by_role.setdefault(found.of_folder(folder), Counter())[folder] = count
            lines += [f"  {role}: {_listed(counts)}" for role, counts in sorted(by_role.items())]
    if with_labels:
        lines.append(
            f"{with_labels:,} messages have Gmail labels, which count instead of the folder; `triage label` lists them"
        )
    return "".join(f"\n{line}" for line in lines)


def unread_files(tree: Tree) -> str:
    """How many files of a source were not read, which ones, and how to convert those that can be.

    Parameters
    ----------
    tree : Tree
        The source, after it was read.

    Returns
    -------
    str
        One clause.
    """
    advice = _conversions(tree)
    return f"files that are not mail and were not read: {tree.unread.count:,} ({tree.unread}){advice and '; ' + advice}"


def why_nothing_found(tree: Tree, layout: str, errors: int) -> str:
    """Why a source gave no record, and what to do.

    Parameters
    ----------
    tree : Tree
        The source, after it was read.
    layout : str
        The layout in which it was read.
    errors : int
        How many files were read in vain.

    Returns
    -------
    str
        One clause.
    """
    advice = _conversions(tree)
    if advice:
        return f"contains no mail but {advice}"
    if errors:
        found = f"no message found, read as {layout} ({errors} files could not be parsed)"
        return f"{found}; set parse.source and parse.format"
    if tree.path.is_file() and tree.unread.kinds["empty"] == tree.unread.count == 1:
        return "an empty file; export the mail again"
    if tree.is_file and layout == "mbox":
        return "not an mbox: it does not begin with a `From ` line"
    found = f"; not read: {tree.unread.count:,} files ({tree.unread})" if tree.unread.count else ""
    if tree.path.is_file():
        return (
            f"no mail in it{found}; set parse.source to a folder of mailboxes, a Maildir, an mbox or an archive of them"
        )
    return f"contains no mail, read as {layout}{found}; set parse.source to a folder of mailboxes, a Maildir or an mbox"


def _conversions(tree: Tree) -> str:
    found = [conversion(kind, "FILE") for kind in tree.unread.kinds]
    return "; ".join(advice for advice in found if advice)


def _listed(folders: Counter[str]) -> str:
    most = sorted(folders.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{decode_modified_utf7(folder) or '(top)'} {count:,}" for folder, count in most[:_MAX_FOLDERS]]
    if len(most) > _MAX_FOLDERS:
        shown.append(f"{len(most) - _MAX_FOLDERS} more with {sum(count for _, count in most[_MAX_FOLDERS:]):,}")
    return ", ".join(shown)
