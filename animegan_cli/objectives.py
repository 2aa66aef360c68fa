"""Adversarial losses as functions of tensors."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


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


OBJECTIVES = {
    "hinge": Objective(hinge_d, hinge_g),
    "relativistic": Objective(relativistic_d, relativistic_g),
}
