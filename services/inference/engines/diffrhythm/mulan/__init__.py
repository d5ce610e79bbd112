"""MuQ-MuLan: a style from words or from music, written from the published facts of the model."""

from services.inference.engines.diffrhythm.mulan.encoder import MuqMulan

__all__ = ["MuqMulan"]
