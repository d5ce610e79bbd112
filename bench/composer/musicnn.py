"""The music tagger musicnn (Pons & Serra, "musicnn: pre-trained convolutional neural networks
for music audio tagging", ISMIR 2019 late-breaking), run with NumPy alone.

The package musicnn 0.1.0 (ISC) carries the weights; it is fetched into build/ and never
committed. Its graph, as read from its own models.py and checked against the graph stored beside
the weights, run by TensorFlow 2.21: tags within 1e-6, features within 1e-5.

A patch is 187 frames of 96 mel bands (3 s at 16 kHz, hop 256). Convolutions in time and
frequency, each ReLU → batch normalisation → maximum over frequency; three residual layers in
time; maximum and mean over time; a dense layer of 200 units, and 50 tags.
"""

# ruff: noqa: SIM905 - the tags, one a line, would fill two pages

from __future__ import annotations

import functools
import zipfile
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from bench.composer.checkpoint import Tensors, read_checkpoint
from bench.composer.packages import Wheel, fetch

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

WHEEL = Wheel(
    "musicnn",
    "0.1.0",
    "musicnn-0.1.0-py3-none-any.whl",
    "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
    "ISC",
)
MODELS = ("MTT_musicnn", "MSD_musicnn")
"""Trained on MagnaTagATune (25,000 clips) and on the Million Song Dataset."""

RATE_HZ, FFT, HOP, MELS, FRAMES = 16_000, 512, 256, 96, 187
UNITS = 200

MTT_TAGS = tuple(
    "guitar,classical,slow,techno,strings,drums,electronic,rock,fast,piano,ambient,beat,violin,"
    "vocal,synth,female,indian,opera,male,singing,vocals,no vocals,harpsichord,loud,quiet,flute,"
    "woman,male vocal,no vocal,pop,soft,sitar,solo,man,classic,choir,voice,new age,dance,"
    "male voice,female vocal,beats,harp,cello,no voice,weird,country,metal,female voice,"
    "choral".split(",")
)
MSD_TAGS = tuple(
    "rock,pop,alternative,indie,electronic,female vocalists,dance,00s,alternative rock,jazz,"
    "beautiful,metal,chillout,male vocalists,classic rock,soul,indie rock,mellow,electronica,80s,"
    "folk,90s,chill,instrumental,punk,oldies,blues,hard rock,ambient,acoustic,experimental,"
    "female vocalist,guitar,hip-hop,70s,party,country,easy listening,sexy,catchy,funk,electro,"
    "heavy metal,progressive rock,60s,rnb,indie pop,sad,house,happy".split(",")
)
TAGS = (*(f"mtt:{tag}" for tag in MTT_TAGS), *(f"msd:{tag}" for tag in MSD_TAGS))
"""The names of `Heard.tags`."""

_EPSILON = 1e-3  # of TensorFlow's batch normalisation


@dataclass(frozen=True, slots=True)
class Heard:
    """What the taggers make of a piece, as means over its patches."""

    tags: Floats
    """Likelihood 0–1 of each of TAGS, shape [100]."""
    features: Floats
    """The layer before the tags, of both models, shape [2 * UNITS]."""


def hear(samples: Floats, rate_hz: int, most: int = 10) -> Heard:
    """Tag a piece of shape [frames, channels] by up to `most` patches spread over it evenly."""
    patches = cut_patches(log_mel(samples, rate_hz), most)
    parts = [[run(tensors, patch) for patch in patches] for tensors in weights()]
    return Heard(
        np.concatenate([np.mean([tags for tags, _ in part], axis=0) for part in parts]),
        np.concatenate([np.mean([units for _, units in part], axis=0) for part in parts]),
    )


def cut_patches(levels: Singles, most: int) -> list[Singles]:
    """Cut [frames, MELS] into patches; a piece under 3 s is repeated to fill one."""
    if len(levels) < FRAMES:
        levels = np.tile(levels, (-(-FRAMES // len(levels)), 1))
    whole = len(levels) // FRAMES
    first = np.linspace(0, len(levels) - FRAMES, min(whole, most)).astype(int)
    return [levels[start : start + FRAMES] for start in first]


def log_mel(samples: Floats, rate_hz: int) -> Singles:
    """Return log10(1 + 10000 x) of the mel power spectrogram, shape [frames, MELS].

    As librosa makes it: a centred, periodic Hann window of FFT points, power, Slaney's mel
    filters of unit area.
    """
    common = int(np.gcd(RATE_HZ, rate_hz))
    mono = signal.resample_poly(samples.mean(axis=1), RATE_HZ // common, rate_hz // common)
    padded = np.pad(mono, FFT // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP]
    power = np.abs(np.fft.rfft(windows * signal.get_window("hann", FFT))) ** 2
    return np.asarray(np.log10(1 + 10_000 * (power @ mel_filters().T)), np.float32)


@functools.cache
def mel_filters() -> Floats:
    """Triangles from 0 Hz to half the rate on Slaney's mel scale, shape [MELS, FFT/2 + 1].

    The scale (Auditory Toolbox, 1998) is linear up to 1 kHz, 15 mel, and logarithmic above.
    """
    step = np.log(6.4) / 27
    top_mel = 15 + np.log(RATE_HZ / 2 / 1000) / step
    mels = np.linspace(0, top_mel, MELS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * np.maximum(mels - 15, 0)))
    bins = np.fft.rfftfreq(FFT, 1 / RATE_HZ)
    low, middle, high = (edges[first : first + MELS, None] for first in range(3))
    rise, fall = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.asarray(np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low))


@functools.cache
def weights() -> tuple[Tensors, ...]:
    """Read the weights of MODELS from the wheel. Raises packages.Unavailable."""
    with zipfile.ZipFile(fetch(WHEEL)) as package:
        return tuple(
            read_checkpoint(
                package.read(f"musicnn/{model}/.index"),
                package.read(f"musicnn/{model}/.data-00000-of-00001"),
            )
            for model in MODELS
        )


def run(tensors: Tensors, patch: Singles) -> tuple[Singles, Singles]:
    """Return the 50 tags' likelihoods and the UNITS features of a patch [FRAMES, MELS]."""
    scale, shift = _normalisation(tensors, "batch_normalization")
    normal: Singles = np.asarray(patch * scale + shift, np.float32)
    front = np.concatenate(
        [
            _timbral(tensors, normal, 0),
            _timbral(tensors, normal, 1),
            *(_temporal(tensors, normal, layer) for layer in (2, 3, 4)),
        ],
        axis=1,
    )  # [FRAMES, 2 * 204 + 3 * 51]
    first = _in_time(tensors, front, 5)  # [FRAMES, 64]
    second = first + _in_time(tensors, first, 6)
    third = second + _in_time(tensors, second, 7)
    every = np.concatenate([front, first, second, third], axis=1)
    # Interleaved as the graph flattens [features, 2]: the maximum, then the mean.
    pooled = np.stack([every.max(axis=0), every.mean(axis=0)], axis=1).reshape(-1)
    scale, shift = _normalisation(tensors, "batch_normalization_9")
    dense = (pooled * scale + shift) @ tensors["dense/kernel"] + tensors["dense/bias"]
    scale, shift = _normalisation(tensors, "batch_normalization_10")
    units = np.maximum(dense, 0) * scale + shift
    logits = units @ tensors["dense_1/kernel"] + tensors["dense_1/bias"]
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32), np.asarray(units, np.float32)


def _timbral(tensors: Tensors, patch: Singles, layer: int) -> Singles:
    """7 frames by many bands, then the maximum over frequency: [FRAMES, filters]."""
    kernel = _kernel(tensors, layer)  # [7, bands, 1, filters]
    long, wide, _, filters = kernel.shape
    padded = np.pad(patch, ((long // 2, long // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (long, wide))
    flat = windows.reshape(-1, long * wide) @ kernel.reshape(-1, filters)
    return _activate(tensors, flat.reshape(len(patch), -1, filters), layer)


def _temporal(tensors: Tensors, patch: Singles, layer: int) -> Singles:
    """Many frames of one band, then the maximum over frequency: [FRAMES, filters]."""
    kernel = _kernel(tensors, layer)  # [frames, 1, 1, filters]
    long, filters = kernel.shape[0], kernel.shape[-1]
    padded = np.pad(patch, (((long - 1) // 2, long // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, long, axis=0)
    flat = windows.reshape(-1, long) @ kernel.reshape(-1, filters)
    return _activate(tensors, flat.reshape(len(patch), -1, filters), layer)


def _activate(tensors: Tensors, convolved: Singles, layer: int) -> Singles:
    """ReLU, normalisation and the maximum over axis 1, which may stand before both."""
    scale, shift = _normalisation(tensors, f"batch_normalization_{layer + 1}")
    best = np.where(scale >= 0, convolved.max(axis=1), convolved.min(axis=1))
    bias = tensors[f"{_name(layer)}/bias"]
    return np.asarray(np.maximum(best + bias, 0) * scale + shift, np.float32)


def _in_time(tensors: Tensors, rows: Singles, layer: int) -> Singles:
    """Seven frames by all features: [FRAMES, 64]."""
    kernel = _kernel(tensors, layer)  # [7, features, 1, 64]
    long = kernel.shape[0]
    padded = np.pad(rows, ((long // 2, long // 2), (0, 0)))
    windows = np.stack([padded[k : k + len(rows)] for k in range(long)], axis=1)
    flat = windows.reshape(len(rows), -1) @ kernel.reshape(-1, kernel.shape[-1])
    return _activate(tensors, flat[:, None], layer)


def _name(layer: int) -> str:
    return f"conv2d_{layer}" if layer else "conv2d"


def _kernel(tensors: Tensors, layer: int) -> Singles:
    return tensors[f"{_name(layer)}/kernel"]


def _normalisation(tensors: Tensors, name: str) -> tuple[Singles, Singles]:
    """Return the factor and the summand that a batch normalisation comes to."""
    deviation = np.sqrt(tensors[f"{name}/moving_variance"] + _EPSILON)
    scale = tensors[f"{name}/gamma"] / deviation
    return scale, tensors[f"{name}/beta"] - tensors[f"{name}/moving_mean"] * scale
