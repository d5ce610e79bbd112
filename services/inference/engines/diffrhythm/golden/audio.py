"""Golden values of the autoencoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from services.inference.engines.diffrhythm.golden.values import PIECE
from services.inference.engines.diffrhythm.vae.oobleck import Autoencoder, drawn
from services.inference.engines.diffrhythm.vae.streaming import decode, decode_stream, encode

STEP_OF_PCM = 1.0
"""16-bit samples are truncated, so that a rounding shows."""


def compared(vae: Autoencoder, arrays: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor, float]]:
    """Yield each array that may be in a file, and what it may be off by."""
    decoder, z = vae.decoder, arrays["z"]
    with torch.inference_mode():
        if "p_conv_in" in arrays:
            first, second = decoder.blocks[:2]
            inside = decoder.head(z)
            yield "p_conv_in", inside, PIECE
            yield "p_b1_snake", first.layers[0](inside), PIECE
            stretched = first.stretch(inside.clone())
            yield "p_b1_up", stretched, PIECE
            yield "p_b1_res1", first.layers[2](stretched.clone()), PIECE
            refined = first.refine(stretched.clone())
            yield "p_b1", refined, PIECE
            yield "p_b2", second.refine(second.stretch(refined.clone())), PIECE
        audio = decode(decoder, z)
        yield "wav", audio, PIECE
        loudest = audio.abs().max()
        pcm = (audio[0] / loudest).clamp(-1, 1).mul(32_767).to(torch.int16)
        yield "pcm16", pcm, STEP_OF_PCM
        if "zc" in arrays:
            whole = decode(decoder, arrays["zc"])
            yield "wav_full_stride", whole[..., ::64], PIECE
            yield "wav_full_tail", whole[..., -8_192:], PIECE
            streamed = torch.cat(list(decode_stream(decoder, arrays["zc"])), dim=1)[None]
            yield "wav_chunked_stride", streamed[..., ::64], PIECE
        statistics = encode(vae.encoder, arrays["enc_audio"])
        yield "enc_out", statistics, PIECE
        yield "enc_latent", drawn(statistics, arrays["enc_noise"]), PIECE
