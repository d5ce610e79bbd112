"""The looper on a command line, without services."""
