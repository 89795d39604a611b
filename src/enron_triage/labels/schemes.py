"""The label schemes: what is being labelled, and how."""

from __future__ import annotations

import msgspec


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """A way to label messages.

    Attributes
    ----------
    has_history : bool
        Whether its records say what the owner had done before.
    leak_note : str, optional
        What to say wherever its results are shown, if a rule can read its labels off the messages.
    """

    has_history: bool
    leak_note: str | None = None


SCHEMES: dict[str, Scheme] = {
    "received": Scheme(has_history=True),
    "folder": Scheme(
        has_history=False,
        leak_note="The labels of scheme folder leak: subject_rule, a rule on sender and subject, "
        "reads them off sent mail.",
    ),
}
