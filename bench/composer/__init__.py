"""The composer, measured from outside: none of its own code judges it."""
