"""Fakes and signals with a known truth, shipped: for the studio's tests, and for those of
whoever writes an engine."""
