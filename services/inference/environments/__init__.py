"""A Python environment of its own for each family of neural engines.

The core needs no torch. What an engine's host needs beyond it is made on demand, with the
build of torch that fits this machine, and engines whose pins clash live side by side.
"""
