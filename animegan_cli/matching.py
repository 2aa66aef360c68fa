"""How far G's images are from real ones in their statistics, as a loss for G.

D's logits tell G what a single image should be like; this tells it how its images should differ
from each other (Salimans et al. 2016, arXiv 1606.03498, section 3.1). Matched are mean and standard
deviation (Santos et al. 2019, arXiv 1904.02762) of features of D's frozen network, of the image
itself by octaves, the covariance of those features and the image's power at each frequency.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from animegan_cli.parallel import ALONE, Ranks

# Pixels at full size: the side of the squares whose mean colours are the coarsest octave.
COLORS = 8
# Over so many times as many batches are averaged: what is of reals, which no step of G changes, and
# covariances, which are more numbers.
LONG = 5
POWER = 1e-3  # at one frequency, and far below that of any image: a flat image has none
_TINY = 1e-12  # keeps the slope of a square root finite where a feature is constant


class Moments(NamedTuple):
    """Of one map over the images, ``[C, H, W]``."""

    mean: Tensor
    std: Tensor


class Matching:
    """The mismatch of real and generated images, by moments averaged over batches.

    Where two distributions are near each other, the squared difference of two batches' moments is
    mostly chance, and chance is least where images differ less than they should. That of averaged
    moments is neither.

    Args:
        beta: share of the averages that stays at each batch, less at first; 0 keeps nothing.
        covariance: weight of the covariances.
        detail: weight of the power at each frequency.
    """

    def __init__(self, beta: float = 0.0, covariance: float = 0.0, detail: float = 0.0) -> None:
        self.averages = Averages(beta)
        self.covariance = covariance
        self.detail = detail

    def mismatch(
        self,
        reals: Tensor,
        real_features: list[Tensor],
        fakes: Tensor,
        fake_features: list[Tensor],
        half: bool = False,
        ranks: Ranks = ALONE,
    ) -> Tensor:
        """Return the mismatch as a scalar, 0 where all moments agree.

        Args:
            reals: this process's images, ``[N, 3, S, S]`` in [-1, 1].
            real_features: maps ``[N, C, H, W]`` of the frozen network.
            fakes: as ``reals``, of G.
            fake_features: as ``real_features``.
            half: whether S is half of the full size.
            ranks: the moments are of the whole batch of all processes.
        """
        real = self._moments("real", reals, real_features, half, ranks, LONG)
        fake = self._moments("fake", fakes, fake_features, half, ranks)
        total = moment_mismatch(real, fake)
        if self.detail:
            wanted = self.averages.follow("power.real", power(reals, ranks), LONG)
            found = self.averages.follow("power.fake", power(fakes, ranks))
            total = total + self.detail * power_mismatch(wanted, found)
        if self.covariance:
            sides = {"real": real_features, "fake": fake_features}
            covariances = [
                [
                    self.averages.follow(f"covariance.{side}.{i}", own, LONG)
                    for i, own in enumerate(batch_covariances(features, ranks))
                ]
                for side, features in sides.items()
            ]
            share = self.covariance * self.averages.known("covariance.fake.0", LONG)
            total = total + share * covariance_mismatch(*covariances)
        return total

    def _moments(
        self,
        side: str,
        images: Tensor,
        features: list[Tensor],
        half: bool,
        ranks: Ranks,
        times: int = 1,
    ) -> list[Moments]:
        maps = [*features, *octaves(images, COLORS >> half)]
        return [
            Moments(*self.averages.follow(f"{side}.{i}", torch.stack(own), times).unbind())
            for i, own in enumerate(batch_moments(maps, ranks))
        ]


class Averages:
    """Named tensors averaged over batches.

    Args:
        beta: share that stays at each batch, less at first; 0 keeps nothing.
    """

    def __init__(self, beta: float) -> None:
        self.beta = beta
        self._average: dict[str, Tensor] = {}
        self._batches: dict[str, int] = {}

    def follow(self, name: str, own: Tensor, times: int = 1) -> Tensor:
        """Average a batch's tensor into that of a name, which begins anew where its size changes.

        Args:
            name: whose average.
            own: the tensor of this batch.
            times: over so many times as many batches as ``beta`` says.

        Returns:
            The average, this batch's part included: one of the batches before alone is late, and
            G swings about it. Gradients flow to this batch as if it were its own.
        """
        if not self.beta:
            return own
        now = own.detach()
        if name not in self._average or self._average[name].shape != now.shape:
            self._batches[name] = 0
            self._average[name] = now.clone()
        self._batches[name] += 1
        weight = max((1 - self.beta) / times, 1 / self._batches[name])
        return self._average[name].lerp_(now, weight) + (own - now)

    def known(self, name: str, times: int = 1) -> float:
        """Return how well the average is known: from near 0, at its first batch, to 1."""
        if not self.beta:
            return 1.0
        return min(1.0, self._batches[name] * (1 - self.beta) / times / 2)

    def settled(self) -> bool:
        """Return whether every average is of as many batches as it will ever be."""
        return all(self.known(name, LONG) == 1.0 for name in self._batches)

    def tensors(self) -> dict[str, Tensor]:
        """Return all that is known as named tensors for a state."""
        return {
            **{f"moments.known.{name}": value for name, value in self._average.items()},
            **{f"moments.batches.{name}": torch.tensor(n) for name, n in self._batches.items()},
        }

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """Continue from the tensors of a state; one from before there were averages has none."""
        for full_name, tensor in tensors.items():
            name = full_name.split(".", 2)[-1]
            if full_name.startswith("moments.known."):
                self._average[name] = tensor.to(device)
            elif full_name.startswith("moments.batches."):
                self._batches[name] = int(tensor)


def batch_moments(maps: list[Tensor], ranks: Ranks) -> list[Moments]:
    """Return the moments of maps ``[N, C, H, W]`` over the batch of all processes.

    Torch's own ``std`` takes four times as long.
    """
    wide = [x.float() for x in maps]
    n = len(wide[0]) * ranks.count
    means = _totals([x.sum(0) / n for x in wide], ranks)
    squares = [(x - mean).square().sum(0) for x, mean in zip(wide, means, strict=True)]
    return [
        Moments(mean, (square / (n - 1) + _TINY).sqrt())
        for mean, square in zip(means, _totals(squares, ranks), strict=True)
    ]


def moment_mismatch(real: list[Moments], fake: list[Moments]) -> Tensor:
    """Squared differences of two distributions' maps in mean and deviation, as a scalar.

    For each channel at each place, in units of the reals' own spread in that channel, averaged
    over both and summed over maps.
    """
    total = torch.zeros((), device=real[0].mean.device)
    for wanted, found in zip(real, fake, strict=True):
        unit = wanted.std.square().mean((1, 2), keepdim=True).sqrt() + 1e-6
        total = total + ((found.std - wanted.std) / unit).square().mean()
        total = total + ((found.mean - wanted.mean) / unit).square().mean()
    return total


def batch_covariances(maps: list[Tensor], ranks: Ranks) -> list[Tensor]:
    """Return the covariances ``[C, C]`` of maps' channels, each channel a mean over places.

    They are of the batch of all processes, about its own means: how a G that swings differs from
    itself a few batches ago is no variety.
    """
    pooled = [x.float().mean((2, 3)) for x in maps]
    n = len(pooled[0]) * ranks.count
    means = _totals([x.sum(0) / n for x in pooled], ranks)
    away = [x - mean for x, mean in zip(pooled, means, strict=True)]
    return _totals([x.T @ x / (n - 1) for x in away], ranks)


def covariance_mismatch(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Squared differences of covariances ``[C, C]``, each over its ``C``, summed, as a scalar.

    In units of the reals' own deviations: of reals that are independent, each would count alike.
    """
    total = torch.zeros((), device=real[0].device)
    for wanted, found in zip(real, fake, strict=True):
        unit = wanted.detach().diagonal().sqrt() + 1e-6
        total = total + ((found - wanted) / unit[:, None] / unit).square().sum() / len(unit)
    return total


def octaves(images: Tensor, side: int) -> list[Tensor]:
    """Return mean colours over squares of ``side`` pixels, then what each doubling adds.

    A Laplacian pyramid of boxes, ``[N, 3, S', S']``, coarsest first. Features are of images that
    were shifted about, so that they say little of what is at one place in all of G's images.
    """
    found: list[Tensor] = []
    while side > 1:
        small = F.avg_pool2d(images, 2)
        found.insert(0, images - F.interpolate(small, scale_factor=2.0))
        images, side = small, side // 2
    return [images, *found]


def power(images: Tensor, ranks: Ranks) -> Tensor:
    """Return the mean power of images ``[N, 3, S, S]`` at each frequency, ``[S, S // 2 + 1]``.

    Of their brightness, over the batch of all processes. Images are windowed (Hann), so that their
    edges count for nothing.
    """
    window = torch.hann_window(images.shape[2], device=images.device)
    light = images.mean(1)
    light = (light - light.mean((1, 2), keepdim=True)) * window * window[:, None]
    own = torch.view_as_real(torch.fft.rfft2(light)).square().sum((0, 3))
    return _totals([own / (len(images) * ranks.count)], ranks)[0]


def power_mismatch(wanted: Tensor, found: Tensor) -> Tensor:
    """Squared differences of amplitudes, in units of the wanted ones, as a mean over frequencies.

    As in Durall et al. 2020, arXiv 2003.01826, but of each frequency and not of rings: G's
    stripes lie along the axes and the diagonals. Features hardly see them.
    """
    ratio = (found + POWER) / (wanted + POWER)
    return (ratio.sqrt() - 1).square().mean()


def _totals(maps: list[Tensor], ranks: Ranks) -> list[Tensor]:
    """Return the sums of maps over all processes, exchanged as one vector."""
    if ranks.count == 1:
        return maps
    rows = [x.movedim(0, -1) for x in maps]  # the memory order of what they are compared with
    sums = ranks.total(torch.cat([x.flatten() for x in rows]))
    parts = sums.split([x.numel() for x in rows])
    return [part.view(x.shape).movedim(-1, 0) for part, x in zip(parts, rows, strict=True)]
