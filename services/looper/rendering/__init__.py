"""From a cycle to a file of hours: what sounds when, and how each format is written."""
