"""Raw mail to records: the stages ``download`` and ``parse``."""
