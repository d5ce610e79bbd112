"""Runs engines, each in a process of its own, and encodes what they make."""
