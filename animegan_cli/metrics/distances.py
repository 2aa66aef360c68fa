"""Distances between two sets of features ``[N, dim]``; each is a function of tensors.

What torch-fidelity has is taken from it; density and coverage it has not.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from animegan_cli.metrics.statistics import BLOCK, Gaussian, neighbour_radii

Metric = Callable[..., dict[str, float]]  # torch-fidelity's functions carry no types

KID_SUBSETS = 100
KID_SUBSET_SIZE = 500
PR_NEIGHBOURS = 3
DC_NEIGHBOURS = 5


def frechet(a: Gaussian, b: Gaussian) -> float:
    """Return |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)).

    Heusel et al. 2017, arXiv 1706.08500, equation 6. Biased upwards at small N, so that only
    distances at the same N compare.
    """
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    metric: Metric = fid_statistics_to_metric
    return metric(vars(a), vars(b), verbose=False)[KEY_METRIC_FID]


def kid(
    real: Tensor, fake: Tensor, seed: int = 0, subsets: int = KID_SUBSETS
) -> tuple[float, float]:
    """Return the squared MMD under the kernel (x.y / dim + 1)^3, and its standard error.

    Binkowski et al. 2018, arXiv 1801.01401, section 4: the mean over subsets of m images, each
    unbiased, so that the value does not depend on N. The subsets overlap, and their spread is that
    of m images, not of N: the delete-d jackknife (Shao & Wu 1989, equation 2.4, with d = N - m)
    makes the error of all N images from it, and the finite number of subsets adds its share.
    """
    from torch_fidelity.metric_kid import (
        KEY_METRIC_KID_MEAN,
        KEY_METRIC_KID_STD,
        kid_features_to_metric,
    )

    n = min(len(real), len(fake))
    m = min(KID_SUBSET_SIZE, n // 2)
    metric: Metric = kid_features_to_metric
    found = metric(
        fake,
        real,
        kid_subsets=subsets,
        kid_subset_size=m,
        rng_seed=seed % 2**32,
        verbose=False,
    )
    stderr = found[KEY_METRIC_KID_STD] * math.sqrt(m / (n - m) + 1 / subsets)
    return found[KEY_METRIC_KID_MEAN], stderr


def precision_recall(
    real: Tensor, fake: Tensor, neighbours: int = PR_NEIGHBOURS, block: int = BLOCK
) -> tuple[float, float]:
    """Return the share of fakes among the real ones, and of real ones among the fakes.

    Kynkaanniemi et al. 2019, arXiv 1904.06991, equations 1 and 2. Memory is ``block`` times N.
    """
    from torch_fidelity.metric_prc import (
        KEY_METRIC_PRECISION,
        KEY_METRIC_RECALL,
        prc_features_to_metric,
    )

    metric: Metric = prc_features_to_metric
    found = metric(
        fake,
        real,
        prc_neighborhood=neighbours,
        prc_batch_size=block,
        save_cpu_ram=True,
        verbose=False,
    )
    return found[KEY_METRIC_PRECISION], found[KEY_METRIC_RECALL]


def density_coverage(
    real: Tensor, fake: Tensor, neighbours: int = DC_NEIGHBOURS, block: int = BLOCK
) -> tuple[float, float]:
    """Return how many real neighbourhoods a fake lies in, over k, and the share that hold a fake.

    Naeem et al. 2020, arXiv 2002.09797, equations 4 and 5. Unlike precision and recall, one odd
    real image cannot raise the first, and the second does not depend on the spread of the fakes.
    Density may exceed 1. Memory is ``block`` times N.
    """
    radii = neighbour_radii(real, neighbours, block)[:, None]
    covered = torch.zeros(len(real), dtype=torch.bool)
    held = 0
    for part in fake.split(block):
        within = torch.cdist(real, part) <= radii
        held += int(within.sum())
        covered |= within.any(1)
    return held / (neighbours * len(fake)), covered.float().mean().item()
