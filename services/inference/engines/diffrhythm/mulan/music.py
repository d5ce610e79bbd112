"""The music network: a spectrogram as vectors that tell what is heard, 25 a second."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from services.inference.engines.diffrhythm.mulan.config import MELS, MuqConfig
from services.inference.engines.diffrhythm.mulan.conformer import Conformer

_MEL_STRIDE = 2


class Shortening(nn.Module):
    """Two convolutions beside a third, all 3 x 3; half the mels come out, and as many of the
    frames as `stride` leaves."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        strides = (_MEL_STRIDE, stride)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=strides, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels_in, channels, 3, stride=strides, padding=1)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return [1, channels, mels / 2, frames / stride] of [1, channels_in, mels, frames]."""
        deep = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(deep + self.bn3(self.conv3(x)))


class Subsampling(nn.Module):
    """A spectrogram as fewer frames of more features."""

    def __init__(self, config: MuqConfig) -> None:
        super().__init__()
        first, second = config.time_strides
        self.conv = nn.Sequential(
            Shortening(1, config.channels, first),
            Shortening(config.channels, config.channels, second),
        )
        self.linear = nn.Linear(config.channels * MELS // _MEL_STRIDE**2, config.dim)

    def forward(self, mel: Tensor) -> Tensor:
        """Return [frames / 4, dim] of [MELS, frames]; frames / 2 if time is halved once."""
        maps = self.conv(mel[None, None])[0]  # [channels, MELS / 4, frames / 4]
        out: Tensor = self.linear(maps.permute(2, 0, 1).flatten(1))
        return out


class Muq(nn.Module):
    """The network, without what only its training needs."""

    def __init__(self, config: MuqConfig) -> None:
        super().__init__()
        parts = {"conv": Subsampling(config), "conformer": Conformer(config)}
        self.model = nn.ModuleDict(parts)

    def forward(self, mel: Tensor) -> Tensor:
        """Return [frames / 4, dim] of [MELS, frames]."""
        out: Tensor = self.model["conformer"](self.model["conv"](mel))
        return out
