"""Golden values of the network and the sampler."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from services.inference.engines.diffrhythm.dit import Conditions, DiT
from services.inference.engines.diffrhythm.embeddings import sinusoid
from services.inference.engines.diffrhythm.golden.values import Given
from services.inference.engines.diffrhythm.layer import Rotary
from services.inference.engines.diffrhythm.sampler import Course, Edit, sample

GUIDANCE = 4.0
TIMES = 1e-6
_COURSES = {
    "steps5": Course(5),
    "steps9": Course(9),
    "steps32": Course(32),
    "steps9_cfg0": Course(9, guidance=0.0),
    "steps9_sway-1": Course(9, sway=-1.0),
}


def pieces(
    dit: DiT, given: Given, piece: float, result: float
) -> Iterator[tuple[str, Tensor, float]]:
    """Yield what one evaluation of both branches computes, and what each may be off by."""
    x, time = given.get("in_x"), given.get("in_time")
    asked = given.conditions(given.get("in_cond"))
    outputs = []
    for mark, conditions in (("p", asked), ("n", asked.without(given.get("in_neg")))):
        seen: dict[str, Tensor] = {}
        branch = dit.branch(conditions)
        outputs.append(dit(x, time, branch, functools.partial(_keep, seen)))
        seen |= {"text_embed": branch.text, "fusion0": branch.fused[0]}
        if mark == "p":
            seen |= _parts(dit, conditions, seen, branch.rotary, time)
        for name, value in seen.items():
            yield f"{mark}_{name}", value, piece
    shown, empty = outputs
    yield "pred", shown, piece
    yield "null", empty, piece
    yield "v", shown + GUIDANCE * (shown - empty), result


def _keep(seen: dict[str, Tensor], name: str, piece: Tensor) -> None:
    if name:
        seen[name] = piece.clone()


def _parts(
    dit: DiT, asked: Conditions, seen: Mapping[str, Tensor], rotary: Rotary, time: Tensor
) -> dict[str, Tensor]:
    """Return what the forward pass computes but does not show."""
    text, layer = dit.text_embed, dit.layers[0]
    compute = dit.precision.compute
    looked_up = text.look_up(asked.tokens)
    normed = layer.input_layernorm(seen["input_embed"], compute)
    attention = layer.self_attn(normed, rotary)
    after = layer.post_attention_layernorm(seen["input_embed"] + attention, compute)
    parts = {
        "time_sinus": sinusoid(time),
        "time_embed": dit.time_embed(time),
        "start_time_embed": dit.start_time_embed(asked.start),
        "text_tok": looked_up,
        "text_block0": text.text_blocks[0](text.with_positions(looked_up)),
        "conv_pos": dit.input_embed.conv_pos_embed(seen["input_proj"]),
        "rot_cos": torch.cat([rotary.cos, rotary.cos], dim=-1)[None],
        "rot_sin": torch.cat([rotary.sin, rotary.sin], dim=-1)[None],
        "block0_norm1": normed,
        "block0_q": layer.self_attn.q_proj(normed),
        "block0_attn": attention,
        "block0_mlp": layer.mlp(after),
    }
    if dit.config.knows_duration:
        parts["duration_embed"] = dit.duration_time_embed(asked.duration)
    return parts


def finals(
    dit: DiT, given: Given, noise: Tensor, allowed: float
) -> Iterator[tuple[str, Tensor, float]]:
    """Yield whole runs from noise [items, frames, LATENT_DIM]."""
    frames = noise.shape[1]
    asked = given.conditions(noise.new_zeros(1, frames, noise.shape[2]))
    negative = given.get("in_neg")

    def run(course: Course, y: Tensor = noise[:1], edit: Edit | None = None) -> Tensor:
        return sample(dit, asked, negative, y, course, edit=edit)

    for points in (5, 9, 32):
        suffix = f"steps{points}"
        if f"traj_{suffix}" in given:
            way: dict[int, Tensor] = {0: noise[:1]}
            sample(dit, asked, negative, noise[:1], Course(points), on_step=way.__setitem__)
            yield f"traj_{suffix}", torch.stack(list(way.values())), allowed
    for name, course in _COURSES.items():
        for times in (f"t_{name}", f"t_{name}_fp16"):
            yield times, course.times(noise.dtype), TIMES
        # In the file of v1.0 the one run has no name of its own.
        for final in (f"final_{name}", "final" if name == "steps9" else ""):
            if final in given:
                yield final, run(course), allowed
    if "final_steps9_batch2" in given:
        both = [run(Course(9), noise[item : item + 1]) for item in range(len(noise))]
        yield "final_steps9_batch2", torch.cat(both), allowed
    if "edit_cond" in given:
        edit = Edit(given.get("edit_cond"), given.segments())
        yield "final_steps9_edit", run(Course(9), edit=edit), allowed
