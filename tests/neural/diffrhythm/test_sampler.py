from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from musicgen.errors import Cancelled
from services.inference.engines.diffrhythm.config import TINY
from services.inference.engines.diffrhythm.dit import stacked
from services.inference.engines.diffrhythm.precision import Precision
from services.inference.engines.diffrhythm.sampler import Course, Edit, sample
from tests.neural.diffrhythm.networks import FRAMES, conditions, numbers, style, tiny_dit

pytestmark = pytest.mark.unit

NOISE = numbers("noise", 1, FRAMES, 64)


def run(course: Course, edit: Edit | None = None, precision: Precision | None = None) -> Tensor:
    """Sample from the tiny network."""
    dit = tiny_dit(precision=precision) if precision else tiny_dit()
    return sample(dit, conditions(), style("empty"), NOISE, course, edit=edit)


def test_the_same_noise_gives_the_same_latents() -> None:
    """Bit for bit, and other latents without guidance or from other noise."""
    latents = run(Course(5))
    assert torch.equal(latents, run(Course(5)))
    assert not torch.allclose(latents, run(Course(5, guidance=0.0)), atol=0.1)
    assert latents.shape == NOISE.shape


def test_guidance_may_end_early() -> None:
    """Steps after it ask for one evaluation; ended at once, it is as if there was none."""
    none = run(Course(5, guidance=0.0))
    assert torch.equal(run(Course(5, guided_until=0.0)), none)
    early, whole = run(Course(9, guided_until=0.6)), run(Course(9))
    assert not torch.allclose(early, whole, atol=1e-3)
    assert (early - whole).norm() < (run(Course(9, guidance=0.0)) - whole).norm()


def test_a_finer_course_comes_nearer() -> None:
    """Both solvers end where many steps do, the finer the nearer."""
    exact = run(Course(129))
    for solver, coarse, fine in (("euler", 9, 33), ("midpoint", 5, 17)):
        errors = [(run(Course(points, solver=solver)) - exact).norm() for points in (coarse, fine)]  # type: ignore[arg-type]  # a literal
        assert errors[1] < errors[0] / 2


def test_an_edit_keeps_the_rest_bit_for_bit() -> None:
    """Frames outside the segments come back as they were; those inside are new. Latents may be
    longer or shorter than the piece."""
    for length in (FRAMES - 30, FRAMES, FRAMES + 9):
        kept = numbers("kept", 1, length, 64)
        latents = run(Course(5), Edit(kept, [(20, 35), (50, 60)]))
        inside = torch.zeros(FRAMES, dtype=torch.bool)
        inside[20:35] = inside[50:60] = True
        whole = Edit(kept, []).fitted(FRAMES)
        assert torch.equal(latents[:, ~inside], whole[:, ~inside])
        assert not torch.isclose(latents[:, inside], whole[:, inside]).any(dim=-1).all()


@pytest.mark.parametrize("place", ["layer", "step"])
def test_a_cancel_acts_within_a_layer(place: str) -> None:
    """What is raised while a layer or a step is told ends the work there."""
    told = []

    def stop(*what: object) -> None:
        told.append(what[0])
        if len(told) == 3:
            raise Cancelled("Stopped.")

    hooks = {"watch": stop} if place == "layer" else {"on_step": stop}
    with pytest.raises(Cancelled):
        sample(tiny_dit(), conditions(), style("empty"), NOISE, Course(9), **hooks)  # type: ignore[arg-type]  # either hook
    assert told == (["input_proj", "input_embed", ""] if place == "layer" else [1, 2, 3])


def test_two_branches_in_one_batch_are_the_same() -> None:
    """As one evaluation after the other."""
    dit = tiny_dit()
    branches = [dit.branch(conditions()), dit.branch(conditions().without(style("empty")))]
    time = torch.tensor([0.3])
    both = dit(NOISE, time, stacked(branches))
    for one, alone in zip(both, branches, strict=True):
        torch.testing.assert_close(one[None], dit(NOISE, time, alone), atol=1e-5, rtol=0)


def test_weights_may_be_stored_in_half_precision() -> None:
    """They are widened layer by layer: the result is that of rounded weights in fp32."""
    dit = tiny_dit()
    rounded = tiny_dit()
    for one in dit.transformer_blocks.parameters():
        one.data = one.data.half()
    for one in rounded.transformer_blocks.parameters():
        one.data = one.data.half().float()
    dit.use(dit.precision)
    time, branch = torch.tensor([0.3]), dit.branch(conditions())
    assert {one.dtype for one in dit.parameters()} == {torch.float16, torch.float32}
    torch.testing.assert_close(dit(NOISE, time, branch), rounded(NOISE, time, branch))


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float16, 5e-3), (torch.bfloat16, 3e-2)])
def test_half_precision_stays_near(dtype: torch.dtype, limit: float) -> None:
    """With what layers add to in fp32, relative to the fp32 result."""
    exact = run(Course(9))
    near = run(Course(9), precision=Precision(dtype, torch.float32))
    assert near.dtype == torch.float32
    assert (near - exact).norm() / exact.norm() < limit


def test_a_causal_network_looks_back_only() -> None:
    """The last frame changes only what the two convolutions carry back, 30 frames."""
    dit = tiny_dit(dataclasses.replace(TINY, causal=True))
    time, branch = torch.tensor([0.3]), dit.branch(conditions())
    other = NOISE.clone()
    other[:, -1] += 1
    changed = (dit(NOISE, time, branch) != dit(other, time, branch)).any(dim=-1)[0]
    assert not changed[: FRAMES - 31].any()
    assert changed[-1]
