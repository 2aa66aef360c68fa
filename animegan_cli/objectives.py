"""Adversarial losses as functions of tensors."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from animegan_cli.parallel import ALONE, Ranks

_TINY = 1e-12  # keeps the slope of a square root finite where a feature is constant


@dataclass(frozen=True)
class Objective:
    """What D and G minimise: scalars of logits ``[N, L]`` of real and of generated images."""

    D: Callable[[Tensor, Tensor], Tensor]
    G: Callable[[Tensor, Tensor], Tensor]


def bce(logits: Tensor, label: float) -> Tensor:
    """Binary cross-entropy of logits ``[N]`` against one label in [0, 1], as a scalar.

    Equal to BCE after a sigmoid, ``-label log D - (1 - label) log(1 - D)`` (Goodfellow et al.
    2014, arXiv 1406.2661, eq. 1), and finite where that overflows. With ``label`` = real label
    for G it is the non-saturating loss of section 3 there.
    """
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of D (Lim & Ye 2017, arXiv 1705.02894): real above 1, generated below -1."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_g(real: Tensor, fake: Tensor) -> Tensor:
    """Loss of G against the hinge: minus the mean logit of what it drew."""
    return -fake.mean()


def relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    """Relativistic pairing loss of D, pairs by index (R3GAN, arXiv 2501.05441, section 2)."""
    return F.softplus(fake - real).mean()


def relativistic_g(real: Tensor, fake: Tensor) -> Tensor:
    """Relativistic pairing loss of G: D's with the roles swapped."""
    return F.softplus(real - fake).mean()


def feature_mismatch(real: list[Tensor], fake: list[Tensor], ranks: Ranks = ALONE) -> Tensor:
    """Squared differences of two batches' features in mean and standard deviation, as a scalar.

    For each map ``[N, C, H, W]`` and each place in it, in units of the reals' own spread there,
    averaged over places and summed over maps; a batch is that of all processes. It tells G what D's
    logits do not: how far its images should differ from each other (Salimans et al. 2016, arXiv
    1606.03498, section 3.1, with the second moment of Santos et al. 2019, arXiv 1904.02762).
    """
    total = torch.zeros((), device=real[0].device)
    for wanted, found in zip(_moments(real, ranks), _moments(fake, ranks), strict=True):
        unit = wanted.std.square().mean().sqrt() + 1e-6
        total = total + ((found.std - wanted.std) / unit).square().mean()
        total = total + ((found.mean - wanted.mean) / unit).square().mean()
    return total


def batch_mismatch(
    reals: Tensor,
    real_features: list[Tensor],
    fakes: Tensor,
    fake_features: list[Tensor],
    colors: int,
    detail: float,
    ranks: Ranks = ALONE,
) -> Tensor:
    """Return the mismatch of two batches in D's features and in what these hardly see, as a scalar.

    That is mean colours of squares of ``colors`` pixels, and amounts of detail with a weight.
    """
    seen = feature_mismatch(
        [*real_features, F.avg_pool2d(reals, colors)],
        [*fake_features, F.avg_pool2d(fakes, colors)],
        ranks,
    )
    if not detail:
        return seen
    return seen + detail * feature_mismatch(details(reals), details(fakes), ranks)


def details(images: Tensor) -> list[Tensor]:
    """Return how much detail images ``[N, 3, S, S]`` have in each colour, as ``[N, C, 1, 1]``.

    Of 2 to 4 pixels and of 4 to 8, each along the axes and along the diagonals: means of absolute
    third differences. D's features hardly see it; where nothing asks for it G draws hatching.
    """
    found: list[Tensor] = []
    kernels = _bands(images.device)
    while len(found) < 4 and images.shape[2] >= kernels.shape[2]:
        by_color = F.conv2d(images, kernels, stride=2, groups=3).unflatten(1, (3, 4))
        images, detail = by_color[:, :, 0], by_color[:, :, 1:].abs().mean((3, 4))
        found += [detail[:, :, :2].flatten(1)[..., None, None], detail[:, :, 2, None, None]]
    return found


@functools.cache
def _bands(device: torch.device) -> Tensor:
    """Return kernels ``[12, 1, 4, 4]``, for each colour: smooth, two along the axes, diagonal."""
    smooth, rough = torch.tensor([[1.0, 3.0, 3.0, 1.0], [1.0, -3.0, 3.0, -1.0]]) / 8
    pairs = ((smooth, smooth), (smooth, rough), (rough, smooth), (rough, rough))
    bands = torch.stack([torch.outer(*pair) for pair in pairs])[:, None]
    return bands.repeat(3, 1, 1, 1).to(device)


class _Moments(NamedTuple):
    """Of one map over the batch, ``[C, H, W]``."""

    mean: Tensor
    std: Tensor


def _moments(maps: list[Tensor], ranks: Ranks) -> list[_Moments]:
    """Return mean and standard deviation over the batch; ``std`` takes four times as long."""
    wide = [x.float() for x in maps]
    n = len(wide[0]) * ranks.count
    means = _totals([x.sum(0) / n for x in wide], ranks)
    squares = [(x - mean).square().sum(0) for x, mean in zip(wide, means, strict=True)]
    return [
        _Moments(mean, (square / (n - 1) + _TINY).sqrt())
        for mean, square in zip(means, _totals(squares, ranks), strict=True)
    ]


def _totals(maps: list[Tensor], ranks: Ranks) -> list[Tensor]:
    """Return the sums of maps over all processes, exchanged as one vector."""
    if ranks.count == 1:
        return maps
    rows = [x.permute(1, 2, 0) for x in maps]  # the memory order of what they are compared with
    sums = ranks.total(torch.cat([x.flatten() for x in rows]))
    parts = sums.split([x.numel() for x in rows])
    return [part.view(x.shape).permute(2, 0, 1) for part, x in zip(parts, rows, strict=True)]


OBJECTIVES = {
    "hinge": Objective(hinge_d, hinge_g),
    "relativistic": Objective(relativistic_d, relativistic_g),
}
