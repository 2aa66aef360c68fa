"""Adversarial losses as functions of tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor


def bce(logits: Tensor, label: float) -> Tensor:
    """Binary cross-entropy of logits ``[N]`` against one label in [0, 1], as a scalar.

    Equal to BCE after a sigmoid, ``-label log D - (1 - label) log(1 - D)`` (Goodfellow et al.
    2014, arXiv 1406.2661, eq. 1), and finite where that overflows. With ``label`` = real label
    for G it is the non-saturating loss of section 3 there.
    """
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
