"""Images that G draws from the codes of real ones, and how far each is from its own real image.

A GAN tells G what images are like in all, never what a certain one should have been; for part of a
batch there is an answer: the image whose code it is drawn from. The error is by features, as in
Larsen et al. 2016, arXiv 1512.09300, of D's frozen network, which sees both images augmented alike,
and by the mean colours of both as they are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from animegan_cli.matching import COLORS, Moments
from animegan_cli.networks.coding import middle
from animegan_cli.parallel import Ranks


def paired_rows(batch_size: int, ranks: Ranks) -> slice:
    """Return which of this process's rows of a batch are paired: every other one of all rows."""
    return slice(ranks.rank * (batch_size // ranks.count) % 2, None, 2)


def unlikeness(
    reals: tuple[Tensor, list[Tensor]],
    fakes: tuple[Tensor, list[Tensor]],
    spread: list[Moments],
    half: bool = False,
    focus: float = 0.0,
) -> Tensor:
    """Return how far images are from others in features and colours, as a scalar.

    The squared difference of each map in units of the reals' variance, one for the whole map,
    averaged over the map, the middle more than the rest, summed over maps and images.

    Args:
        reals: images ``[N, 3, S, S]`` in [-1, 1], and their features ``[N, C, H, W]``.
        fakes: the same, of images that should be like them, each like its own.
        spread: the reals' moments, of features, then of mean colours over squares.
        half: whether S is half of the full size.
        focus: how much more the middle of each map counts (``coding.middle``).
    """
    total = torch.zeros((), device=reals[0].device)
    maps = [
        [*features, F.avg_pool2d(images, COLORS >> half)] for images, features in (reals, fakes)
    ]
    for wanted, found, moments in zip(*maps, spread[: len(maps[0])], strict=True):
        unit = moments.std.square().mean() + 1e-6
        away = (found.float() - wanted.float()).square().mean(1)
        counted = away * middle(away.shape[-1], focus, away.device)
        total = total + counted.mean((1, 2)).sum() / unit
    return total
