"""From noise to latents: follows the network's velocity from time 0 to time 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from services.inference.engines.diffrhythm.dit import (
    Branch,
    Conditions,
    DiT,
    Watch,
    stacked,
    unwatched,
)
from services.inference.engines.diffrhythm.graphs import Evaluate, recorded

NO_GUIDANCE = 1e-5
SHORT_FRAMES = 1_024
"""Below, a processor too is faster with both branches in one batch."""

OnStep = Callable[[int, Tensor], None]
"""Is told the number of steps done and the latents so far."""

Solver = Literal["euler", "midpoint"]


@dataclass(frozen=True, slots=True)
class Course:
    """How the way from 0 to 1 is taken: at `points` times, so in points - 1 steps. `sway`
    below 0 takes more of them early. `guidance` is how far away from the empty conditions
    (0: they are not looked at); steps from the time `guided_until` on do without it, and take
    half as long."""

    points: int = 32
    guidance: float = 4.0
    solver: Solver = "euler"
    sway: float = 0.0
    guided_until: float = 1.0

    def times(self, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
        """Return the times, [points] from 0 to 1."""
        times = torch.linspace(0, 1, self.points, dtype=dtype, device=device)
        if self.sway:
            times = times + self.sway * (torch.cos(math.pi / 2 * times) - 1 + times)
        return times


@dataclass(frozen=True, slots=True)
class Edit:
    """Latents [1, any, LATENT_DIM] of which only `segments` (start, end in frames, end
    exclusive) are made anew."""

    latents: Tensor
    segments: Sequence[tuple[int, int]]

    def fitted(self, frames: int) -> Tensor:
        """Return the latents cut to so many frames, or filled up with zeros."""
        kept = self.latents[:, :frames]
        missing = frames - kept.shape[1]
        return torch.nn.functional.pad(kept, (0, 0, 0, missing)) if missing else kept

    def mask(self, frames: int) -> Tensor:
        """Return [1, frames, 1]: whether a frame is made anew."""
        mask = torch.zeros(1, frames, 1, dtype=torch.bool)
        for start, end in self.segments:
            mask[:, max(0, start) : max(0, end)] = True
        return mask


@dataclass(frozen=True, slots=True)
class Begun:
    """Where an earlier run of the same course was: its latents after so many steps."""

    steps: int
    latents: Tensor


@torch.inference_mode()
def sample(
    dit: DiT,
    asked: Conditions,
    negative_style: Tensor,
    noise: Tensor,
    course: Course,
    *,
    edit: Edit | None = None,
    begun: Begun | None = None,
    on_step: OnStep | None = None,
    watch: Watch = unwatched,
) -> Tensor:
    """Return latents [1, frames, LATENT_DIM] in the residual's precision; `noise` has that
    shape. `asked.latents` are taken from `edit` where there is one; frames that it keeps
    come back bit for bit. With `begun`, what `on_step` was told of an earlier run, only the
    steps after it are taken, and the result is that run's. What `on_step` or `watch` raises ends
    the work. Raises Overflow.
    """
    frames, device = noise.shape[1], dit.device
    mask = edit.mask(frames).to(device) if edit else None
    kept = edit.fitted(frames).to(device) if edit else None
    if mask is not None and kept is not None:
        asked = Conditions(
            asked.tokens,
            asked.style,
            torch.where(mask, torch.zeros_like(kept), kept),
            asked.start,
            asked.duration,
        )
    guided = course.guidance >= NO_GUIDANCE
    branches = [dit.branch(asked)]
    if guided:
        branches.append(dit.branch(asked.without(negative_style)))
    velocity = _Velocity(dit, branches, course.guidance, watch)
    first, y = (begun.steps, begun.latents) if begun else (0, noise)
    y = y.to(device, dit.precision.residual)
    times = course.times(dit.precision.residual, device)
    for step in range(first, course.points - 1):
        time, span = times[step : step + 1], times[step + 1] - times[step]
        guides = guided and float(time) < course.guided_until
        direction = velocity(y, time, guides=guides)
        if course.solver == "midpoint":
            direction = velocity(y + span / 2 * direction, time + span / 2, guides=guides)
        y = y + span * direction
        if not torch.isfinite(y).all():
            raise Overflow(f"the latents of step {step + 1} are no numbers any more")
        if on_step:
            on_step(step + 1, y)
    if mask is not None and kept is not None:
        return torch.where(mask, y, kept.to(y.dtype))
    return y


class Overflow(ArithmeticError):
    """Numbers grew beyond what the precision can hold."""


class _Velocity:
    """Guided velocity: away from the empty conditions."""

    def __init__(self, dit: DiT, branches: Sequence[Branch], guidance: float, watch: Watch) -> None:
        self._dit, self._guidance, self._watch = dit, guidance, watch
        frames = branches[0].projected.shape[1]
        at_once = len(branches) > 1 and (dit.device.type != "cpu" or frames < SHORT_FRAMES)
        self._alone = [branches[0]]
        self._both = [stacked(branches)] if at_once else list(branches)
        self._evaluate: dict[bool, Evaluate] = {}

    def __call__(self, y: Tensor, time: Tensor, *, guides: bool) -> Tensor:
        """Return the velocity [1, frames, LATENT_DIM] at a time [1]."""
        if guides not in self._evaluate:
            branches = self._both if guides else self._alone
            evaluate = partial(self._outputs, branches)
            # What comes from the processor's memory each time can't be recorded.
            offloads = self._dit.offloads
            self._evaluate[guides] = evaluate if offloads else recorded(evaluate, y, time)
        outputs = self._evaluate[guides](y, time).to(y.dtype)
        if not guides:
            return outputs
        asked, empty = outputs.chunk(2)
        return asked + self._guidance * (asked - empty)

    def _outputs(self, branches: Sequence[Branch], y: Tensor, time: Tensor) -> Tensor:
        """Return [branches, frames, LATENT_DIM]."""
        return torch.cat([self._dit(y, time, branch, self._watch) for branch in branches])
