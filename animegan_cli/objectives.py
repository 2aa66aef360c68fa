"""Adversarial losses as functions of tensors."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from animegan_cli.moments import Moments, RunningMoments, batch_moments
from animegan_cli.parallel import ALONE, Ranks


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


def batch_mismatch(
    reals: Tensor,
    real_features: list[Tensor],
    fakes: Tensor,
    fake_features: list[Tensor],
    colors: int,
    detail: float,
    running: RunningMoments,
    ranks: Ranks = ALONE,
) -> Tensor:
    """Return the mismatch of two batches in D's features and in what these hardly see, as a scalar.

    That is mean colours of squares of ``colors`` pixels, and amounts of detail with a weight; the
    moments of all are averaged into ``running``.
    """

    def moments(name: str, images: Tensor, features: list[Tensor]) -> list[Moments]:
        fine = details(images) if detail else []
        maps = [*features, F.avg_pool2d(images, colors), *fine]
        return running.follow(name, batch_moments(maps, ranks))

    real = moments("real", reals, real_features)
    fake = moments("fake", fakes, fake_features)
    coarse = len(real_features) + 1
    seen = moment_mismatch(real[:coarse], fake[:coarse])
    return seen + detail * moment_mismatch(real[coarse:], fake[coarse:]) if detail else seen


def moment_mismatch(real: list[Moments], fake: list[Moments]) -> Tensor:
    """Squared differences of two distributions' features in mean and deviation, as a scalar.

    For each place of each map, in units of the reals' own spread there, averaged over places and
    summed over maps. It tells G what D's logits do not: how far its images should differ from each
    other (Salimans et al. 2016, arXiv 1606.03498, section 3.1, with the second moment of Santos et
    al. 2019, arXiv 1904.02762).
    """
    total = torch.zeros((), device=real[0].mean.device)
    for wanted, found in zip(real, fake, strict=True):
        unit = wanted.std.square().mean().sqrt() + 1e-6
        total = total + ((found.std - wanted.std) / unit).square().mean()
        total = total + ((found.mean - wanted.mean) / unit).square().mean()
    return total


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


OBJECTIVES = {
    "hinge": Objective(hinge_d, hinge_g),
    "relativistic": Objective(relativistic_d, relativistic_g),
}
