"""Sweeps: many trainings that differ in some keys, ranked on validation."""
