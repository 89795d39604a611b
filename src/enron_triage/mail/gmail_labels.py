"""The labels of a Gmail export (``X-Gmail-Labels``, as Google Takeout writes it)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from enron_triage.mail.charsets import decode_words

ARCHIVED = "Archived"  # Takeout's own label for what is in no other place
_LABEL = re.compile(r'\s*(?:"([^"]*)"\s*(?=,|$)|([^,]+))')


def gmail_labels(headers: Mapping[str, str]) -> list[str]:
    """The Gmail labels of a message.

    Parameters
    ----------
    headers : mapping of str to str
        The message's headers by lower-case name. The labels are separated by commas; one that holds a comma stands in
        quotation marks, and those beyond ASCII are in encoded words (RFC 2047).

    Returns
    -------
    list of str
        The labels in their order. A header without a label means that the message is in no place but All Mail, so the
        list is ``["Archived"]`` then; without the header it is empty.
    """
    value = headers.get("x-gmail-labels")
    if value is None:
        return []
    labels = [(quoted or plain).strip() for quoted, plain in _LABEL.findall(decode_words(value))]
    return [label for label in labels if label] or [ARCHIVED]
