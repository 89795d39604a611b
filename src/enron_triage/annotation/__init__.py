"""Preferences judged by people, for cases that no label covers."""
