"""Measures how loops are found and rendered, from outside: bench/README.md."""
