"""Preferences that people judge, where no label tells them."""
