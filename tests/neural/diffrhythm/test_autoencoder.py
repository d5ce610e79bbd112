from __future__ import annotations

import pytest
import torch

from services.inference.engines.diffrhythm.config import SAMPLES_PER_LATENT
from services.inference.engines.diffrhythm.vae.oobleck import drawn
from services.inference.engines.diffrhythm.vae.snake import TILE, Snake
from services.inference.engines.diffrhythm.vae.streaming import decode, decode_stream, encode
from tests.neural.diffrhythm.networks import numbers, tiny_vae

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("frames", [1, 2, 11, 40])
@pytest.mark.parametrize("stretch", [1, 3, 16, 100])
def test_stretches_are_parts_of_the_whole(frames: int, stretch: int) -> None:
    """Whatever their length, to 1e-5 of the peak, and none is missing."""
    decoder, latents = tiny_vae().decoder, numbers("latents", 1, 64, frames)
    whole = decode(decoder, latents)
    assert whole.shape == (1, 2, frames * SAMPLES_PER_LATENT)
    parts = list(decode_stream(decoder, latents, stretch))
    assert [part.shape[1] for part in parts[:-1]] == [stretch * SAMPLES_PER_LATENT] * (
        len(parts) - 1
    )
    joined = torch.cat(parts, dim=1)
    assert (joined - whole[0]).abs().max() <= 1e-5 * whole.abs().max()


def test_a_part_can_be_decoded_alone() -> None:
    """As an edit needs it."""
    decoder, latents = tiny_vae().decoder, numbers("latents", 1, 64, 30)
    whole, samples = decode(decoder, latents), SAMPLES_PER_LATENT
    part = decode(decoder, latents, 12, 15)
    near = whole[..., 12 * samples : 15 * samples]
    assert (part - near).abs().max() <= 1e-5 * whole.abs().max()


@pytest.mark.parametrize("stretch", [1, 7, 100])
def test_encoding_in_stretches_is_the_same(stretch: int) -> None:
    """And what is less than a latent at the end is left out."""
    encoder = tiny_vae().encoder
    audio = 0.3 * numbers("audio", 1, 2, 25 * SAMPLES_PER_LATENT + 100)
    whole = encoder(audio[..., : 25 * SAMPLES_PER_LATENT])
    statistics = encode(encoder, audio, stretch)
    assert statistics.shape == (1, 128, 25)
    torch.testing.assert_close(statistics, whole, atol=2e-5, rtol=0)
    assert torch.equal(drawn(statistics, torch.zeros(1, 64, 25)), statistics[:, :64])


@pytest.mark.parametrize("length", [1, 1_000, TILE + 5, 2 * TILE])
@pytest.mark.parametrize("in_place", [False, True])
def test_the_activation_is_that_of_its_formula(length: int, in_place: bool) -> None:
    """X + sin²(ax) / b, tile by tile as in one."""
    snake, x = Snake(5).requires_grad_(False), numbers("x", 1, 5, length)
    snake.alpha.data, snake.beta.data = numbers("a", 5) / 2, numbers("b", 5) / 2
    a, b = snake.alpha.double().exp()[:, None], snake.beta.double().exp()[:, None]
    formula = x + (a * x.double()).sin() ** 2 / b
    given = x.clone()
    out = snake(given, in_place=in_place)
    assert (out is given) == in_place
    torch.testing.assert_close(out, formula.float(), atol=2e-6, rtol=1e-5)
