"""Weights that engines use: what there is, fetching it, and what is on the disk."""
