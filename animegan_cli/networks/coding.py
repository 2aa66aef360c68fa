"""What a real image is like, in a few numbers, and noise turned into numbers that could be those.

The code of an image is made of the principal components of the image, made small, and of what a
frozen network sees in it. A mixture of normal distributions is fitted to all codes, and G begins
from draws of it (as in Gurumurthy et al. 2017, arXiv 1706.02071, where it is learnt): a small
network tells codes of faces from noise in 0.92 of pairs, and from draws of it in 0.65
(``tests/benchmarks/codes.py``).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animegan_cli.networks.lite0 import TAP_CHANNELS, TAP_STRIDES, Lite0

SMALL = 24  # pixels: small versions of images are at most so large
TAP = 2  # which of the frozen network's taps is seen
MAP = 8  # its map is at most so large
LENGTH = 64  # numbers in a code, at most
CLUSTERS = 32
A_CLUSTER = 256  # codes, at least
ROUNDS = 10  # of finding clusters, and of fitting each of them

# Of the side of an image: the deviation of the normal distribution by which its middle counts more.
# In a picture of a face alone, eyes and mouth lie nearer to the middle than that.
MIDDLE = 0.25

_LEAST = 1e-3  # variance of a cluster in any direction; that of all codes is 1
_ROUNDING = 1e-2  # of looks in which images do not differ; those of others differ by hundreds
_TINY = 1e-12


def code_length(z_dim: int) -> int:
    """Return how many numbers are in a code: half of those of the noise, ``LENGTH`` at most."""
    return min(z_dim // 2, LENGTH)


class Coding(nn.Module):
    """Codes of images, and codes out of noise; until it is fitted, noise itself.

    Args:
        size: width and height of the images.
        length: numbers in a code.

    Attributes:
        center: mean look of the images that it was fitted to, ``[F]``.
        basis: what each feature of a look adds to each number of a code, ``[F, length]``.
        mean: of each cluster of codes, ``[K, length]``.
        scale: of each cluster; times its transpose the covariance, ``[K, length, length]``.
        limit: sum of the shares of a cluster and those before it, ``[K]``.
        truncation: codes out of noise are so many times as far from their cluster's mean (Mokady
            et al. 2022, arXiv 2202.12211, section 4.3); 1 in training, and not part of a snapshot.
    """

    center: Tensor
    basis: Tensor
    mean: Tensor
    scale: Tensor
    limit: Tensor

    def __init__(self, size: int, length: int) -> None:
        super().__init__()
        self.length = length
        self.truncation = 1.0
        self.small = size
        while self.small > SMALL:
            self.small //= 2
        side = -(-size // TAP_STRIDES[TAP])
        self.pooling = -(-side // MAP)
        self.maps = ((3, self.small), (TAP_CHANNELS[TAP], side // self.pooling))
        self.parts = tuple(channels * side**2 for channels, side in self.maps)
        self.register_buffer("center", torch.zeros(sum(self.parts)))
        self.register_buffer("basis", torch.zeros(sum(self.parts), length))
        self.register_buffer("mean", torch.zeros(CLUSTERS, length))
        self.register_buffer("scale", torch.eye(length).repeat(CLUSTERS, 1, 1))
        self.register_buffer("limit", torch.zeros(CLUSTERS))

    def forward(self, z: Tensor) -> Tensor:
        """Map noise ``[N, z_dim]`` to codes ``[N, length]``, distributed as those of real images.

        The last number of the noise chooses the cluster, the first ones the place in it.
        """
        u = 0.5 + 0.5 * torch.erf(z[:, -1:].float() * 0.5**0.5)
        cluster = (u > self.limit[:-1]).sum(1)
        place = self.truncation * z[:, None, : self.length].float()
        return self.mean[cluster] + (self.scale[cluster] * place).sum(2)

    def look(self, images: Tensor, lite0: Lite0) -> Tensor:
        """Return what codes are made of, ``[N, F]``, of images ``[N, 3, S, S]`` in [-1, 1]."""
        small = F.avg_pool2d(images, images.shape[-1] // self.small)
        seen = F.avg_pool2d(lite0(images, TAP + 1)[TAP], self.pooling)
        return torch.cat([small.float().flatten(1), seen.float().flatten(1)], 1)

    def encode(self, looks: Tensor) -> Tensor:
        """Map looks ``[N, F]`` to codes ``[N, length]``, each of variance 1 over real images."""
        return (looks - self.center) @ self.basis

    @property
    def fitted(self) -> bool:
        """Whether codes are those of images; asking waits for the device."""
        return bool(self.limit[-1] == 1)

    @torch.no_grad()
    def fit(self, looks: Tensor, seed: int, focus: float = 0.0) -> None:
        """Find what the codes of images are made of, and how they are distributed.

        Args:
            looks: ``[N, F]``, of at least one image, on the CPU; changed.
            seed: of where the search for components and clusters begins.
            focus: by how much differences in the middle are enlarged before (``middle``).
        """
        center = looks.mean(0)
        looks -= center

        # Both parts of a look vary as much in all; then each number of a code by 1, or not at all.
        weights = []
        for part, (channels, side) in zip(self._parts(looks), self.maps, strict=True):
            counts = middle(side, focus).flatten().repeat(channels)
            part *= counts
            weight = (torch.linalg.vector_norm(part) ** 2 / len(part) + _ROUNDING).rsqrt()
            part *= weight
            weights.append(counts * weight)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            basis = torch.zeros_like(self.basis, device="cpu")
            found = torch.svd_lowrank(looks, min(self.length + 16, *looks.shape))[2]
            basis[:, : found.shape[1]] = found[:, : self.length]
            deviation = (looks @ basis).square().mean(0).sqrt()
            basis *= (deviation > _LEAST) / deviation.clamp(min=_LEAST)
            self._keep(fitted_mixture(looks @ basis))
        for part, weight in zip(self._parts(basis.T), weights, strict=True):
            part *= weight
        self.center.copy_(center)
        self.basis.copy_(basis)

    @torch.no_grad()
    def refit(self, looks: Tensor, seed: int) -> None:
        """Find how the codes of other images are distributed, of looks as ``fit`` takes them."""
        codes = (looks - self.center.cpu()) @ self.basis.cpu()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._keep(fitted_mixture(codes))

    def _keep(self, mixture: tuple[Tensor, Tensor, Tensor]) -> None:
        for own, value in zip((self.mean, self.scale, self.limit), mixture, strict=True):
            own.copy_(value)

    def _parts(self, looks: Tensor) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = looks.split(self.parts, 1)
        return parts


def middle(side: int, focus: float, device: torch.device | str = "cpu") -> Tensor:
    """Return how much each place of a square map counts, ``[side, side]``, 1 in the mean.

    Args:
        side: of the map.
        focus: 0 where all count alike; 1 where they count by a normal distribution about the middle
            alone, whose deviation is ``MIDDLE``.
        device: where to make it.
    """
    away = (torch.arange(side, device=device) + 0.5) / side - 0.5
    near = torch.exp(-(away[:, None] ** 2 + away**2) / (2 * MIDDLE**2))
    weights = 1 - focus + focus * near
    return weights / weights.mean()


def fitted_mixture(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit normal distributions to codes ``[N, L]``, by expectation and maximisation.

    Dempster et al. 1977; from the clusters of k-means, which begin with codes chosen by chance.

    Returns:
        The means ``[K, L]`` of clusters, their scales ``[K, L, L]``, of which each times its
        transpose is a covariance, and the sums ``[K]`` of the shares of the first, the first two
        and so on: ``CLUSTERS`` of them, of which those that few codes do not need have no share.
    """
    codes = codes.double()
    n, length = codes.shape
    count = max(1, min(CLUSTERS, n // A_CLUSTER))
    mean = codes[torch.randperm(n)[:count]]
    for _ in range(ROUNDS):
        weights = F.one_hot(torch.cdist(codes, mean).argmin(1), count).double()
        mean = weights.T @ codes / (weights.sum(0)[:, None] + _TINY)
    for _ in range(ROUNDS):
        shares = weights.mean(0) + _TINY
        mean = weights.T @ codes / (n * shares[:, None])
        scales, likelihoods = [], []
        for i in range(count):
            away = codes - mean[i]
            covariance = (away * weights[:, i : i + 1]).T @ away / (n * shares[i])
            # What few codes say of how numbers go together is mostly chance.
            shrunk = length / (length + n * shares[i])
            variances = covariance.diagonal() * shrunk + _LEAST
            covariance = covariance * (1 - shrunk) + variances.diag()
            scale = torch.linalg.cholesky(covariance)
            standard = torch.linalg.solve_triangular(scale, away.T, upper=False)
            likelihoods.append(
                shares[i].log() - scale.diagonal().log().sum() - standard.square().sum(0) / 2
            )
            scales.append(scale)
        weights = torch.stack(likelihoods, 1).softmax(1)
    means, all_scales = codes.new_zeros(CLUSTERS, length), codes.new_zeros(CLUSTERS, length, length)
    means[:count], all_scales[:count] = mean, torch.stack(scales)
    sums = codes.new_ones(CLUSTERS)
    sums[:count] = (shares / shares.sum()).cumsum(0)
    sums[count - 1] = 1
    return means, all_scales, sums
