"""Learn from a mail archive what its owner does with each message, and predict it for new mail."""

__version__ = "0.1.0"
