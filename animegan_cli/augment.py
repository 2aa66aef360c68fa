"""Differentiable augmentation, the same operation for real and generated images.

Zhao et al. 2020, arXiv 2006.10738. Its numbers are drawn beforehand, on the CPU and from an
address, so that a continued run draws the same ones.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

BRIGHTNESS, SATURATION, CONTRAST = 0.25, 0.5, 0.25
SHIFT = 1 / 32  # of the size; more hides from D and from what is matched where things are


@dataclass(frozen=True)
class Draw:
    """What happens to N images: ``color`` ``[N, 3]`` in [-1, 1], ``shift`` ``[N, 2]`` in [0, 1)."""

    color: Tensor
    shift: Tensor

    @classmethod
    def from_uniform(cls, numbers: Tensor) -> "Draw":
        """Make a draw of numbers ``[N, 5]`` from [0, 1)."""
        return cls(numbers[:, :3] * 2 - 1, numbers[:, 3:])


def augment(images: Tensor, draw: Draw, strength: float = 1.0) -> Tensor:
    """Change brightness, saturation and contrast of images ``[N, 3, S, S]``, then shift them."""
    b, s, c = (draw.color * strength).T[:, :, None, None, None]
    x = images + b * BRIGHTNESS
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (1 + s * SATURATION)
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + (x - middle) * (1 + c * CONTRAST)
    return _shifted(x, draw.shift, round(images.shape[-1] * SHIFT * strength))


def _shifted(images: Tensor, shift: Tensor, most: int) -> Tensor:
    """Move each image by up to ``most`` pixels each way; zeros move in."""
    n, _, height, width = images.shape
    padded = F.pad(images, (most,) * 4)
    first = (shift * (2 * most + 1)).long()
    rows = first[:, :1] + torch.arange(height, device=images.device)
    columns = first[:, 1:] + torch.arange(width, device=images.device)
    index = torch.arange(n, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
