"""What ``triage label`` prints: how many messages have which label, and why others have none."""

from __future__ import annotations

from collections.abc import Mapping

from enron_triage.labels.folders import shown_name
from enron_triage.labels.schemes import SCHEMES

_WIDEST = 54  # columns of a name, with which the table is 80 wide


def label_table(counts: Mapping[str, object]) -> str:
    """The counts of the stage as a short table, at most 80 columns wide.

    Parameters
    ----------
    counts : mapping of str to object
        What the stage counted, by the names that its metadata have.
    """
    lines = [f"scheme {counts['scheme']}: {counts['records']:,} records, {counts['labeled']:,} labelled"]
    leak_note = SCHEMES[str(counts["scheme"])].leak_note
    if leak_note is not None:
        lines.append(leak_note)
    rows: list[tuple[str, str, object]] = []
    sections = (("folder", "folders"), ("action", "actions"), ("not labelled", "dropped"), ("sent mail", "links"))
    for title, key in sections:
        values = counts[key]
        assert isinstance(values, dict)
        for name, value in values.items():
            rows.append((title, shown_name(name, _WIDEST), value))
    rows.append(("not labelled", "no action", counts["unacted"]))
    width = max(34, *(len(name) for _, name, _ in rows))
    lines += [f"  {title:<13} {name:<{width}} {value:>9,}" for title, name, value in rows]
    return "\n".join(lines)
