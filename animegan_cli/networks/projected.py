"""A narrow generator with skip-layer excitation, and a projected discriminator.

G after FastGAN (Liu et al. 2021, arXiv 2101.04775), D after Sauer et al. 2021, arXiv 2111.01007:
D sees images through a frozen ImageNet network, at four scales, and only one small head a scale
learns; there, frozen random convolutions mix channels and scales before the heads. Sizes are
3 * 2^k or 2^k: G begins at 3 or 4 pixels and doubles. Both also work at half of the size, where a
training may begin for half of the time an image (Karras et al. 2018, arXiv 1710.10196): G's image
is a small one, enlarged, plus what its last layers add (Karras et al. 2020, arXiv 1912.04958,
section 4.1), which is nothing at first. G may also begin with fewer channels (``narrow``).
"""

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from animegan_cli.networks.blocks import Doubling, Excitation
from animegan_cli.networks.coding import Coding, code_length
from animegan_cli.networks.heads import Embedding, Head, Mixing
from animegan_cli.networks.lite0 import TAP_CHANNELS, TAP_STRIDES, Lite0
from animegan_cli.networks.narrow import first_channels, separate

MAX_CHANNELS = 512
# Of Lite0's taps on anime faces; unscaled, D outruns G and G collapses.
TAP_STD = (10.1, 9.0, 7.3, 3.2)
LARGEST_VIEW = 224  # pixels: what the frozen network learnt from, and no image is enlarged beyond


def resolutions(size: int) -> list[int]:
    """Return the sides of G's feature maps: 3, 6, ..., size, or 4, 8, ..., size."""
    sides = [size]
    while sides[0] % 2 == 0 and sides[0] > 4:
        sides.insert(0, sides[0] // 2)
    return sides


def channels(size: int, width: int, most: int = MAX_CHANNELS) -> list[int]:
    """Return the channels of G's maps, smallest map first.

    They are ``width`` at half of the size, twice as many at half of a side, ``most`` at most, and
    half of ``width`` at the whole size.
    """
    return [
        max(width // 2, 1) if side == size else min(width * size // (2 * side), most)
        for side in resolutions(size)
    ]


class Generator(nn.Module):
    """Draw images from noise.

    Args:
        z_dim: length of the noise vector.
        size: width and height of the images, 3 * 2^k or 2^k, at least 16.
        width: channels at half of the size.
        styled: the noise also scales and shifts the channels of each map up to half of the size.
        coded: half of the noise, 64 numbers at most, becomes a code as real images have them.
        max_channels: no map has more.
        narrow_width: the width of G where it is called narrow, less than ``width``; its other
            channels begin so that its images are the same with and without them. 0 for none.

    Attributes:
        coding: turns noise into codes, and real images; None if G is not ``coded``.
        by_direction: noise times a positive number gives the same image.
    """

    by_direction = True

    def __init__(
        self,
        z_dim: int = 128,
        size: int = 96,
        width: int = 32,
        styled: bool = False,
        coded: bool = False,
        max_channels: int = MAX_CHANNELS,
        narrow_width: int = 0,
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.size = size
        self.coding = Coding(size, code_length(z_dim)) if coded else None
        sides = resolutions(size)
        self.first_side = sides[0]
        widths = channels(size, width, max_channels)
        self.first = nn.Linear(z_dim, widths[0] * sides[0] ** 2, bias=False)
        self.first_norm = nn.BatchNorm2d(widths[0])
        self.doublings = nn.ModuleList(
            Doubling(below, above, side <= size // 4, z_dim if styled and side < size else 0)
            for (below, above), side in zip(itertools.pairwise(widths), sides[1:], strict=True)
        )
        self.excitations = nn.ModuleDict(
            {
                str(i): Excitation(widths[i - 3], widths[i])
                for i in range(3, len(sides))
                if sides[i] > size // 8
            }
        )
        self.to_half = nn.Conv2d(widths[-2], 3, 3, padding=1)
        self.to_image = nn.Conv2d(widths[-1], 3, 3, padding=1)
        nn.init.zeros_(self.to_image.weight)
        assert self.to_image.bias is not None
        nn.init.zeros_(self.to_image.bias)
        self._narrow: dict[str, torch.Size] = {}
        if narrow_width:
            with torch.device("meta"):
                narrow = Generator(z_dim, size, narrow_width, styled, coded, max_channels)
            self._narrow = {name: tensor.shape for name, tensor in narrow.state_dict().items()}
            separate(self, self._narrow)
        self.register_load_state_dict_pre_hook(_of_before)  # type: ignore[no-untyped-call]

    def forward(
        self, z: Tensor, half: bool = False, codes: Tensor | None = None, narrow: bool = False
    ) -> Tensor:
        """Map noise ``[N, z_dim]`` to images ``[N, 3, size, size]`` in [-1, 1].

        With ``half`` the images are half as wide and high, and the last layers are left out. With
        ``codes`` ``[N, L]`` a coded G, and no other, draws from those in place of the noise's own.
        With ``narrow`` it does so by its first channels alone, as many as ``narrow_width`` says.
        """
        if narrow and self._narrow:
            images: Tensor = functional_call(
                self, first_channels(self, self._narrow), (z, half, codes)
            )
            return images
        z = _scaled(z)
        if self.coding is not None:
            codes = self.coding(z) if codes is None else codes
            z = torch.cat([codes, z[:, self.coding.length :]], 1)
        x = self.first(z).view(len(z), -1, self.first_side, self.first_side)
        x = F.leaky_relu(self.first_norm(x.contiguous(memory_format=torch.channels_last)), 0.2)
        maps = [x]
        for i, doubling in enumerate(self.doublings, 1):
            if i == len(self.doublings):
                small = self.to_half(x)
                if half:
                    return torch.tanh(small)
            x = doubling(x, z)
            if str(i) in self.excitations:
                x = x * self.excitations[str(i)](maps[i - 3])
            maps.append(x)
        large = F.interpolate(small, scale_factor=2.0, mode="bilinear")
        return torch.tanh(large + self.to_image(x))

    def codes(self, z: Tensor) -> Tensor:
        """Return the codes ``[N, L]`` that a coded G makes of noise ``[N, z_dim]``."""
        assert self.coding is not None
        codes: Tensor = self.coding(_scaled(z))
        return codes


def _scaled(z: Tensor) -> Tensor:
    """Return noise of the length that most noise has."""
    scaled: Tensor = F.normalize(z, dim=1) * z.shape[1] ** 0.5
    return scaled


def _of_before(G: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Load G without ``to_half``, styles or codes, so that its images stay the same.

    What is not there begins as zeros, and codes as the noise itself.
    """
    unstyled = not any(".style." in name for name in state)
    uncoded = not any(name.startswith(f"{prefix}coding.") for name in state)
    for name, tensor in G.state_dict().items():
        if name.startswith("to_half.") or (unstyled and ".style." in name):
            state.setdefault(f"{prefix}{name}", torch.zeros_like(tensor))
        elif uncoded and name.startswith("coding."):
            state.setdefault(f"{prefix}{name}", tensor)


class Discriminator(nn.Module):
    """Judge images by their features in a frozen network.

    Args:
        size: width and height of the images; it sees images of half of them too.
        width: channels of the mixed features, if they are, and of the heads.
        zoom: the frozen network sees images enlarged so many times (the code of Sauer et al. shows
            it smaller ones at 224 pixels). The heads are those of images that are not enlarged.
        mixed: the heads see random mixtures of the features, as published. Else they see the
            features themselves, and more of what is out of place (``tests/benchmarks/parts.py``).
        codes: numbers in the code of an image, of which D can be told; 0 if it cannot be.
    """

    def __init__(
        self,
        size: int = 96,
        width: int = 64,
        zoom: float = 1.0,
        mixed: bool = True,
        codes: int = 0,
    ) -> None:
        super().__init__()
        self.size = size
        self.view = max(size, min(round(size * zoom), LARGEST_VIEW))
        self.lite0 = Lite0().requires_grad_(False)
        self.mixing = Mixing(width).requires_grad_(False) if mixed else nn.Identity()
        self.heads = nn.ModuleList(
            Head(-(-size // stride), width, None if mixed else channels)
            for stride, channels in zip(TAP_STRIDES, TAP_CHANNELS, strict=True)
        )
        self.embeddings = nn.ModuleList(Embedding(codes, width) for _ in self.heads if codes)

    def forward(self, images: Tensor, codes: Tensor | None = None) -> Tensor:
        """Map images ``[N, 3, size, size]`` in [-1, 1] to logits ``[N]``; high means real.

        What ``codes`` do is told by ``judge``.
        """
        return self.judge(self.mixing(self.features(images)), codes).mean(1)

    @property
    def learnt(self) -> nn.Module:
        """All that learns of D."""
        return nn.ModuleList((self.heads, self.embeddings))

    def features(self, images: Tensor, enlarged: bool = True) -> list[Tensor]:
        """Return the frozen network's features of four scales, finest first.

        Without ``enlarged`` it sees the images as they are, whatever the zoom.
        """
        if enlarged and self.view > self.size:
            side = images.shape[-1] * self.view // self.size
            images = F.interpolate(images, side, mode="bilinear")
        return [x / std for x, std in zip(self.lite0(images), TAP_STD, strict=True)]

    def judge(self, maps: list[Tensor], codes: Tensor | None = None) -> Tensor:
        """Map features, mixed if D does that, to logits ``[N, 4]``, one a scale, float32.

        With ``codes`` ``[N, L]``, those that images were drawn from or those of real images, a D
        that has embeddings of them also judges whether each image goes with its own. Without, that
        part is left out, as if codes were 0, their mean over the images that they were fitted to.
        """
        logits = []
        for i, (head, x) in enumerate(zip(self.heads, maps, strict=True)):
            seen = head.seen(x)  # type: ignore[operator]
            logit = head[-1](seen).float().mean((1, 2, 3))  # type: ignore[index]
            if codes is not None and self.embeddings:
                logit = logit + self.embeddings[i](seen, codes)
            logits.append(logit)
        return torch.stack(logits, dim=1)
