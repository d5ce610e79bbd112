"""Breaks a whole studio at random while it works, and counts what that cost: docs/chaos.md."""
