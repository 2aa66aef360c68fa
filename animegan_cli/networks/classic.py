"""The 2019 DCGAN for 96 x 96 avatars (after Radford et al. 2015, arXiv 1511.06434).

At 96 pixels G goes 4 -> 8 -> 16 -> 32 -> 96: three doublings and one last layer that triples
(kernel 5, stride 3, padding 1). Other sizes are its natural generalisation: sizes 3 * 2^k keep
the tripling last layer of G and first layer of D and change the number of doublings; sizes 2^k
replace that one layer by another doubling (kernel 4, stride 2, padding 1), as in the DCGAN paper.
Channels double towards 4 x 4 up to 8 * width, which is where the published networks are.
"""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from animegan_cli.networks.winograd import through

MAX_MULTIPLE = 8


class Outer(NamedTuple):
    """The layer next to the image: last of G, first of D."""

    kernel: int
    stride: int
    padding: int


def outer_layer(size: int) -> Outer:
    """Return the layer next to the image: tripling for 3 * 2^k, doubling for 2^k."""
    return Outer(5, 3, 1) if size % 3 == 0 else Outer(4, 2, 1)


def hidden_widths(size: int, width: int) -> list[int]:
    """Return the channels at 4, 8, 16, ... pixels, widest first: 512, 256, 128, 64 at 96 px."""
    doublings = (size // outer_layer(size).stride // 4).bit_length() - 1
    return [width * min(2**k, MAX_MULTIPLE) for k in reversed(range(doublings + 1))]


class Generator(nn.Module):
    """Draw images from noise.

    Args:
        z_dim: length of the noise vector.
        size: width and height of the images, 3 * 2^k or 2^k, at least 16.
        width: channels before the last layer (ngf).
    """

    def __init__(self, z_dim: int = 100, size: int = 96, width: int = 64) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.size = size
        widths = hidden_widths(size, width)
        outer = outer_layer(size)
        layers: list[nn.Module] = []
        for i, (below, above) in enumerate(zip([z_dim, *widths], widths, strict=False)):
            shape = (4, 1, 0) if i == 0 else (4, 2, 1)
            layers += [
                nn.ConvTranspose2d(below, above, *shape, bias=False),
                nn.BatchNorm2d(above),
                nn.ReLU(inplace=True),
            ]
        layers += [nn.ConvTranspose2d(widths[-1], 3, *outer, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Map noise ``[N, z_dim]`` to images ``[N, 3, size, size]`` in [-1, 1]."""
        return through(self.main, z[:, :, None, None])


class Discriminator(nn.Module):
    """Judge images; the mirror image of ``Generator``.

    The published last layer is a sigmoid; it lives in the loss here (from logits, the same value
    without its overflow), so the layer at its index is an identity and old weights still fit.

    Args:
        size: width and height of the images, 3 * 2^k or 2^k, at least 16.
        width: channels after the first layer (ndf).
    """

    def __init__(self, size: int = 96, width: int = 64) -> None:
        super().__init__()
        self.size = size
        widths = hidden_widths(size, width)[::-1]
        layers: list[nn.Module] = [
            nn.Conv2d(3, widths[0], *outer_layer(size), bias=False),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for below, above in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(below, above, 4, 2, 1, bias=False),
                nn.BatchNorm2d(above),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers += [nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False)]
        self.main = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``[N, 3, size, size]`` in [-1, 1] to logits ``[N]``; high means real."""
        return torch.flatten(through(self.main, images))
