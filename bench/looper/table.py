"""The tables: a row a finder, and a line a track."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from bench.looper.answers import Row

HEAD = (
    f"{'':26} loops found exact ≤1 ms ≤10 any ≤50 click seam  good  median"
    "  twice partial  none right  rejected"
)


def count(rows: Sequence[Row], holds: Callable[[Row], bool]) -> int:
    """Return for how many rows something holds."""
    return sum(map(holds, rows))


def loops(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of tracks that have a loop."""
    return [one for one in rows if one.loopable]


def nones(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of tracks that have none."""
    return [one for one in rows if one.loopable is False]


def row(name: str, rows: Sequence[Row]) -> str:
    """Describe what a finder did in a line."""
    some, none = loops(rows), nones(rows)
    verdicts = [one.verdict for one in some if one.verdict]
    scores = [one.score for one in some if one.score]
    errors_ms = [abs(one.error_ms) for one in verdicts]
    median = f"{statistics.median(errors_ms):6.2f}" if errors_ms else "     –"
    return (
        f"{name:26} {len(some):5} {count(some, lambda one: one.found):5} "
        f"{sum(one.exact for one in verdicts):5} {sum(one.hit1 for one in verdicts):5} "
        f"{sum(one.hit10 for one in verdicts):3} {count(some, lambda one: one.hit10_any):3} "
        f"{sum(one.hit50 for one in verdicts):3} {sum(one.clicked for one in scores):5} "
        f"{sum(one.ok for one in scores):4} {count(some, lambda one: one.good):5} {median} ms"
        f" {sum(one.hit50 and one.cycles > 1 for one in verdicts):3} "
        f"{sum(one.partial for one in verdicts):7} "
        f"{f'{count(none, lambda one: one.good)}/{len(none)}':>11} "
        f"{count(some, lambda one: not one.found):9}"
    )


def details(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line a track."""
    for one in rows:
        mark = "ok   " if one.good else "-    " if one.loopable is None else "FAILS"
        text = f"{mark} {one.track:26} {one.klass:34}"
        if one.error:
            yield f"{text} {one.error}"
        elif one.verdict and one.score:
            verdict, score = one.verdict, one.score
            jump = "–" if score.jump_ms is None else f"{score.jump_ms:.2f}"
            ideal = "" if one.ideal_db is None else f" ideal {one.ideal_db:.1f} dB"
            yield (
                f"{text} {verdict.error_ms:9.3f} ms"
                f"{' exact' if verdict.exact else ''}{'' if verdict.placed else ' misplaced'}"
                f"{f' x{verdict.cycles}' if verdict.cycles > 1 else ''}"
                f"{' partial' if verdict.partial else ''}"
                f"{' any10' if one.hit10_any and not verdict.hit10 else ''}"
                f" | seam {score.seam:.0f}{' CLICK' if score.clicked else ''}"
                f" {score.click:.2f}/{score.click_db:.0f} dB T {score.transition:.2f}"
                f" jump {jump} loud {score.loud_db:.1f}{ideal}"
            )
        else:
            yield f"{text} {'found a loop' if one.found else 'found none'}"
