"""Sampled sounds: a small bank cut from freely licensed packages, and how it is built.

`bank.py` is all that runs with the composer. The rest cuts the bank, once, when the studio is
set up or its image is built: see `build.py`.
"""
