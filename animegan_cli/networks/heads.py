"""What the projected family's D learns: heads, one a scale, and what it makes of codes."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from animegan_cli.networks.lite0 import TAP_CHANNELS

SHALLOW = 6  # pixels: a head halves its map until it is at most that


class Mixing(nn.Module):
    """Random frozen mixing across channels (1x1) and, coarse to fine, across scales (3x3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.across_channels = nn.ModuleList(nn.Conv2d(c, width, 1) for c in TAP_CHANNELS)
        self.across_scales = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1) for _ in TAP_CHANNELS
        )
        for conv in self.modules():
            if isinstance(conv, nn.Conv2d):
                nn.init.kaiming_normal_(conv.weight, nonlinearity="linear")
                assert conv.bias is not None
                nn.init.zeros_(conv.bias)

    def forward(self, taps: list[Tensor]) -> list[Tensor]:
        """Map taps, finest first, to mixed features ``[N, width, h, w]``, finest first."""
        mixed: list[Tensor] = []
        above: Any = 0.0
        for i in reversed(range(len(taps))):
            x = self.across_channels[i](taps[i])
            if i < len(taps) - 1:
                above = F.interpolate(above, x.shape[2:], mode="bilinear")
                x = (x + above) * 0.5**0.5
            above = self.across_scales[i](x)
            mixed.insert(0, above)
        return mixed


class Head(nn.Sequential):
    """A spectrally normalised head for maps of a side: down to a few logits.

    With ``below``, maps have so many channels, of which it learns its own mixtures.
    """

    def __init__(self, side: int, width: int, below: int | None = None) -> None:
        layers: list[nn.Module] = []
        if below is not None:
            layers += [spectral_norm(nn.Conv2d(below, width, 1)), nn.LeakyReLU(0.2)]
        while side > SHALLOW:
            layers += [spectral_norm(nn.Conv2d(width, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
            side //= 2
        layers += [spectral_norm(nn.Conv2d(width, width, 3, padding=1)), nn.LeakyReLU(0.2)]
        least = min(side, 3)
        super().__init__(*layers, spectral_norm(nn.Conv2d(width, 1, least)))
        self.least = least

    def seen(self, x: Tensor) -> Tensor:
        """Map ``[N, C, h, h]`` to what logits are made of, ``[N, width, h', h']``.

        Too small maps are enlarged.
        """
        *layers, _ = self
        for layer in layers:
            x = layer(x)
        return F.interpolate(x, self.least, mode="bilinear") if x.shape[2] < self.least else x

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, h, h]`` to logits ``[N, 1, h', h']``."""
        logits: Tensor = self[-1](self.seen(x))
        return logits


class Embedding(nn.Module):
    """Whether what a head sees goes with a code, by their product (a projection discriminator).

    Miyato and Koyama 2018, arXiv 1802.05637; told of features of real images as in Casanova et al.
    2021, arXiv 2109.05070, but place by place.
    """

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.wanted = spectral_norm(nn.Linear(codes, width * SHALLOW**2, bias=False))

    def forward(self, seen: Tensor, codes: Tensor) -> Tensor:
        """Map what is seen ``[N, width, h, h]`` and codes ``[N, L]`` to logits ``[N]``, float32.

        It is read at 6 x 6 places, between which values are interpolated.
        """
        if seen.shape[2] != SHALLOW:
            seen = F.interpolate(seen, SHALLOW, mode="bilinear")
        wanted: Tensor = self.wanted(codes).view(len(codes), -1, SHALLOW, SHALLOW)
        return (seen.float() * wanted.float()).sum(1).mean((1, 2))
