"""The table of pieces: a row a family, or a rival."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.composer.pieces import Piece

HEAD = (
    f"{'':15}      bpm  length   metre     key  LUFS min…max   dBTP clip click  S/M dB  "
    "<120 Hz roll kHz  speed"
)


def row(name: str, pieces: Sequence[Piece]) -> str:
    """Describe pieces in a line: shares that hold, extremes, and medians."""

    def share(holds: Sequence[bool]) -> str:
        return f"{sum(holds)}/{len(holds)}"

    facts = [piece.measures for piece in pieces]
    loudness = [one.loudness_lufs for one in facts]
    return (
        f"{name:15} {share([piece.bpm_near for piece in pieces]):>8}"
        f"{share([piece.is_exactly_long for piece in pieces]):>8}"
        f"{share([piece.metre_holds for piece in pieces]):>8}"
        f"{share([piece.key_near for piece in pieces]):>8} "
        f"{min(loudness):7.2f}…{max(loudness):6.2f} "
        f"{max(one.true_peak_dbtp for one in facts):6.2f} {sum(one.clipped for one in facts):4} "
        f"{sum(len(one.click_frames) for one in facts):5} "
        f"{statistics.median(one.side_mid_db for one in facts):7.1f} "
        f"{max(one.side_mid_low_db for one in facts):8.1f} "
        f"{statistics.median(one.rolloff_hz for one in facts) / 1000:8.1f} "
        f"{statistics.median(piece.speed for piece in pieces):6.1f}"
    )
