"""How typical images are of real ones, by the features that D's frozen network has of them.

D compares: its logit is high for what G draws too seldom beside real images, and that is seldom
what is drawn best (``tests/benchmarks/ranking.py``). How likely an image is among real ones alone
is another question, and the features that D sees answer it.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animegan_cli.networks.lite0 import TAP_CHANNELS
from animegan_cli.networks.projected import Discriminator

_TINY = 1e-6  # of real images that are all alike, too
SHRINKAGE = 0.1  # of the mean variance, added to each: known from a thousand or two images alone


class Typicality(nn.Module):
    """Score images by a Gaussian of real ones at each scale, as Mahalanobis 1936 measures.

    Args:
        D: in whose frozen network images are seen.
        reals: of real images' features, averaged over places: ``mean.0`` ``[C]`` and
            ``covariance.0`` ``[C, C]`` of the finest scale, and so on; ``half`` is 1 if they are
            of images of half of the size.

    Raises:
        KeyError: if they lack a scale.
        RuntimeError: if they are not those of this D, or no covariances.
    """

    def __init__(self, D: Discriminator, reals: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.D = D
        self.of_half = bool(reals["half"]) if "half" in reals else False
        for i, channels in enumerate(TAP_CHANNELS):
            mean, covariance = reals[f"mean.{i}"].float(), reals[f"covariance.{i}"].double()
            if mean.shape != (channels,) or covariance.shape != (channels, channels):
                raise RuntimeError(f"mean.{i} and covariance.{i} are not of {channels} channels")
            self.register_buffer(f"mean_{i}", mean)
            self.register_buffer(f"whitening_{i}", whitening(covariance, check=True))

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``[N, 3, size, size]`` in [-1, 1] to scores ``[N]``, at most 0.

        The score is the logarithm of their likelihood over that of the likeliest image.
        """
        scores = torch.zeros(len(images), device=images.device)
        if self.of_half:
            images = F.avg_pool2d(images, 2)
        for i, features in enumerate(self.D.features(images)):
            mean, white = self.get_buffer(f"mean_{i}"), self.get_buffer(f"whitening_{i}")
            scores = scores - distance(features, mean, white) / 2
        return scores


def distance(features: Tensor, mean: Tensor, white: Tensor) -> Tensor:
    """Return squared Mahalanobis distances ``[N]`` of maps ``[N, C, H, W]``, each averaged."""
    away = features.float().mean((2, 3)) - mean
    return (away @ white).square().sum(1)


def whitening(covariance: Tensor, check: bool = False) -> Tensor:
    """Return ``[C, C]`` by which rows of features are multiplied to have the covariance 1.

    Args:
        covariance: of the features, ``[C, C]``; it is shrunk.
        check: whether to wait for the result and raise RuntimeError if it is no covariance.
    """
    device = covariance.device
    if not covariance.is_cuda:  # Apple's GPUs have no float64
        covariance = covariance.cpu()
    covariance = covariance.double()
    one = torch.eye(len(covariance), dtype=torch.float64, device=covariance.device)
    own = SHRINKAGE * covariance.diagonal().mean() + _TINY
    lower, _ = torch.linalg.cholesky_ex(covariance + own * one, check_errors=check)
    inverse: Tensor = torch.linalg.solve_triangular(lower, one, upper=False)
    return inverse.T.to(device, torch.float32)
