"""Mean and covariance of features, and the radius at which each image has its k neighbours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Fit = Callable[[Tensor], dict[str, Any]]  # torch-fidelity's functions carry no types

BLOCK = 1024


@dataclass(frozen=True)
class Gaussian:
    """Mean ``[dim]`` and covariance ``[dim, dim]``, float64."""

    mu: NDArray[np.float64]
    sigma: NDArray[np.float64]


def gaussian(features: Tensor) -> Gaussian:
    """Fit a Gaussian to features ``[N, dim]``; the covariance divides by N - 1."""
    from torch_fidelity.metric_fid import fid_features_to_statistics

    fit: Fit = fid_features_to_statistics
    return Gaussian(**fit(features.double().cpu()))


def neighbour_radii(features: Tensor, neighbours: int, block: int = BLOCK) -> Tensor:
    """Return the distance ``[N]`` of each row of ``[N, dim]`` to its k-th nearest other row."""
    radii = [
        torch.cdist(part, features).kthvalue(neighbours + 1, dim=1).values  # the first is itself
        for part in features.split(block)
    ]
    return torch.cat(radii)
