"""Judges pieces by ear-like features: does a prompt's family show, do prompts differ?

The taggers of musicnn.py hear each piece. Two questions are asked of what they say:

* Which of seven coarse families does a piece sound like most? Each family has tags that mean it,
  chosen from the taggers' hundred by their meaning before any piece was judged. Likelihoods become
  log-odds and are compared with a reference set in which each coarse family has equal weight, so
  that a tag which is likely for everything decides nothing. A family's score is the mean of its
  three strongest tags (solo piano needs no cello), again against the reference.
* Do two prompts differ more than two seeds of one prompt? The distance of two pieces is the
  cosine distance of their features, standardised over the reference set.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.composer.goals import line
from bench.composer.musicnn import TAGS, Heard

Floats = npt.NDArray[np.float64]

COARSE = {
    "electronic": "house techno dnb synthwave chiptune pop",
    "hip hop": "lofi hiphop trap study",
    "quiet": "ambient sleep meditation nature",
    "jazz, funk": "jazz bossa funk",
    "classical": "piano cinematic",
    "rock": "rock",
    "folk": "acoustic",
}
"""Coarse family → the composer's families. Its pop is danced to and played by synths. Families
that the taggers have no tag for, as latin and reggae, are not judged."""
FAMILY_OF = {fine: coarse for coarse, names in COARSE.items() for fine in names.split()}

TAGS_OF = {
    "electronic": "mtt:techno mtt:electronic mtt:dance msd:electronic msd:dance msd:house",
    "hip hop": "msd:hip-hop msd:rnb msd:chill msd:chillout",
    "quiet": "mtt:ambient mtt:new_age mtt:quiet mtt:soft msd:ambient",
    "jazz, funk": "msd:jazz msd:blues msd:soul msd:funk msd:easy_listening",
    "classical": "mtt:classical mtt:classic mtt:piano mtt:strings mtt:violin mtt:cello mtt:solo",
    "rock": "mtt:rock mtt:metal msd:rock msd:alternative_rock msd:hard_rock msd:metal "
    "msd:classic_rock msd:punk",
    "folk": "mtt:guitar mtt:country msd:folk msd:acoustic msd:country",
}
"""Coarse family → what the taggers call it; no tag that tells only how loud or fast it is."""
_STRONGEST = 3

GOAL_ARGMAX, GOAL_AUC = 0.90, 0.98


@dataclass(frozen=True, slots=True)
class Judged:
    """A piece as it was asked for and heard."""

    family: str
    prompt: str
    heard: Heard


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of a set of pieces."""

    coarse: list[str]
    """What each piece sounds like most."""
    right: float
    """Share of pieces that sound like what was asked."""
    among_two: float
    """Share of pieces for which it is one of the two likeliest."""
    confusion: Counter[tuple[str, str]]
    """(family asked for, coarse family heard) → pieces."""
    margins: list[float]
    """How far the coarse family asked for lies above the best other one, in deviations."""
    auc: float
    """Chance that two pieces of different coarse families differ more than two seeds."""
    auc_fine: float
    """The same with different families of the composer, such as house and techno."""
    seeds: float
    """Median distance of two seeds of one prompt."""
    kin: float
    """Median distance of two prompts of one family."""
    others: float
    """Median distance of two prompts of different coarse families."""


def judge(pieces: Sequence[Judged]) -> Verdict:
    """Judge pieces against each other. Needs several coarse families, and twins of prompts."""
    asked = [FAMILY_OF[piece.family] for piece in pieces]
    scores = coarse_scores([piece.heard for piece in pieces], asked)
    heard_as = [list(TAGS_OF)[column] for column in scores.argmax(axis=1)]
    right = float(np.mean([a == b for a, b in zip(asked, heard_as, strict=True)]))
    features = np.array([piece.heard.features for piece in pieces])
    distance = distances(standardised(features, equal_weights(asked)))
    groups: dict[str, list[float]] = {"seeds": [], "kin": [], "fine": [], "others": []}
    for one, two in itertools.combinations(range(len(pieces)), 2):
        if pieces[one].prompt == pieces[two].prompt:
            kind = "seeds"
        elif pieces[one].family == pieces[two].family:
            kind = "kin"
        else:
            kind = "fine" if asked[one] == asked[two] else "others"
        groups[kind].append(float(distance[one, two]))

    def middle(kind: str) -> float:
        return float(np.median(groups[kind])) if groups[kind] else float("nan")

    return Verdict(
        coarse=heard_as,
        right=right,
        among_two=float(
            np.mean([_rank(row, coarse) < 2 for row, coarse in zip(scores, asked, strict=True)])
        ),
        margins=[_margin(row, coarse) for row, coarse in zip(scores, asked, strict=True)],
        confusion=Counter(zip([piece.family for piece in pieces], heard_as, strict=True)),
        auc=auc(groups["others"], groups["seeds"]),
        auc_fine=auc(groups["fine"] + groups["others"], groups["seeds"]),
        seeds=middle("seeds"),
        kin=middle("kin"),
        others=middle("others"),
    )


def coarse_scores(heard: Sequence[Heard], asked: Sequence[str]) -> Floats:
    """Score each piece as each coarse family of TAGS_OF, against all of them."""
    weights = equal_weights(asked)
    likely = np.clip(np.array([one.tags for one in heard]), 1e-4, 1 - 1e-4)
    odds = standardised(np.log(likely / (1 - likely)), weights)  # [pieces, tags]
    columns = []
    for names in TAGS_OF.values():
        tags = [TAGS.index(name.replace("_", " ")) for name in names.split()]
        columns.append(np.sort(odds[:, tags], axis=1)[:, -_STRONGEST:].mean(axis=1))
    return standardised(np.stack(columns, axis=1), weights)


def _rank(scores: Floats, asked: str) -> int:
    return int((scores > scores[list(TAGS_OF).index(asked)]).sum())


def _margin(scores: Floats, asked: str) -> float:
    place = list(TAGS_OF).index(asked)
    return float(scores[place] - np.delete(scores, place).max())


def equal_weights(groups: Sequence[str]) -> Floats:
    """Weights of pieces with which each group counts alike; they add up to 1."""
    sizes = Counter(groups)
    return np.array([1 / sizes[group] / len(sizes) for group in groups])


def standardised(rows: Floats, weights: Floats) -> Floats:
    """Subtract each column's weighted mean and divide by its weighted deviation."""
    centred = rows - weights @ rows
    return np.asarray(centred / (np.sqrt(weights @ centred**2) + 1e-9))


def distances(rows: Floats) -> Floats:
    """Cosine distance of each row to each: 0 the same direction, 1 unrelated, 2 opposite."""
    unit = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-12)
    return np.asarray(1 - unit @ unit.T)


def auc(large: Sequence[float], small: Sequence[float]) -> float:
    """Return the chance that one of `large` exceeds one of `small`; ties count half."""
    if not large or not small:
        return float("nan")
    order = np.sort(small)
    below = np.searchsorted(order, large, "left") + np.searchsorted(order, large, "right")
    return float(below.mean() / 2 / len(order))


def table(verdict: Verdict, pieces: Sequence[Judged]) -> str:
    """Show what each family was heard as, how clearly, and the distances."""
    names = list(COARSE)
    lines = [f"{'heard as':14}" + "".join(f"{name:>11}" for name in names) + "  right  margin"]
    for family, coarse in FAMILY_OF.items():
        counts = [verdict.confusion[family, name] for name in names]
        if sum(counts):
            cells = "".join(
                f"{f'[{count}]' if name == coarse else count or '·':>11}"
                for name, count in zip(names, counts, strict=True)
            )
            right = f"{verdict.confusion[family, coarse]}/{sum(counts)}"
            margin = np.median(
                [m for m, p in zip(verdict.margins, pieces, strict=True) if p.family == family]
            )
            lines.append(f"{family:14}{cells}{right:>7}{margin:8.1f}")
    lines.append(
        f"distances: two seeds {verdict.seeds:.2f}, two prompts of a family {verdict.kin:.2f}, "
        f"of different coarse families {verdict.others:.2f}; "
        f"AUC {verdict.auc:.3f} (different families: {verdict.auc_fine:.3f})"
    )
    return "\n".join(lines)


def summary(verdict: Verdict) -> list[str]:
    """Return a line a goal."""
    nearer = verdict.seeds < verdict.kin
    return [
        line("genre", f"{GOAL_ARGMAX:.0%} of pieces", f"{verdict.right:.0%}; among the two "
             f"likeliest {verdict.among_two:.0%}",
             holds=verdict.right >= GOAL_ARGMAX),
        line("prompts differ", f"AUC ≥ {GOAL_AUC}", f"{verdict.auc:.3f}",
             holds=verdict.auc >= GOAL_AUC),
        line("seeds, prompts", "prompts differ more", f"two seeds {verdict.seeds:.2f}, two prompts "
             f"of a family {verdict.kin:.2f}, of others {verdict.others:.2f}",
             holds=nearer and verdict.seeds < verdict.others),
    ]  # fmt: skip


def as_json(verdict: Verdict) -> dict[str, object]:
    """Everything as plain values; heard_as and margins follow the order of the pieces."""
    names = ("right", "among_two", "auc", "auc_fine", "seeds", "kin", "others", "coarse", "margins")
    return {name: getattr(verdict, name) for name in names}
