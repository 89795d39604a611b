"""The demo corpus: the mail of an invented company, to try everything without real mail."""
