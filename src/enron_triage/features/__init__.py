"""Labelled records in, tensors out."""
