"""Where mail comes from: a layout each, and the list of them."""

SOURCES: dict[str, str] = {"enron": "a tree of folders", "maildir": "Maildirs", "mbox": "mbox files"}
