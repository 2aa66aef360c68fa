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


class Side(NamedTuple):
    """This process's part of a batch, of real or of generated images."""

    features: list[Tensor]  # [N, C, H, W]
    octaves: list[Tensor]  # [N, 3, H, W]
    power: Tensor  # summed over the images


class Statistics(NamedTuple):
    """What is matched, of one side of the batch of all processes."""

    moments: list[Moments]  # of features, then of octaves
    covariances: list[Tensor]  # [C, C], of features
    power: Tensor


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
        sides = [
            Side(features, octaves(images, COLORS >> half), power(images))
            for images, features in ((reals, real_features), (fakes, fake_features))
        ]
        own_real, own_fake = batch_statistics(sides, ranks)
        real = self._averaged("real", own_real, LONG)
        fake = self._averaged("fake", own_fake, 1)
        total = moment_mismatch(real.moments, fake.moments)
        if self.detail:
            total = total + self.detail * power_mismatch(real.power, fake.power)
        if self.covariance:
            share = self.covariance * self.averages.known("covariance.fake.0", LONG)
            total = total + share * covariance_mismatch(real.covariances, fake.covariances)
        return total

    def real_features(self) -> dict[str, Tensor]:
        """Return the known mean ``[C]`` and covariance ``[C, C]`` of reals' features by scale.

        As ``mean.0``, ``covariance.0`` and so on, of features averaged over places; empty where no
        averages are kept, and until they are of enough batches since what D sees changed its size.
        (Covariances go on when it does: by then an eighth of them is of what D saw before.)
        """
        known = self.averages.known_values() if self.averages.settled() else {}
        found: dict[str, Tensor] = {}
        while (key := f"covariance.real.{len(found) // 2}") in known:
            i = len(found) // 2
            found[f"mean.{i}"] = Moments(*known[f"real.{i}"]).mean.mean((1, 2))
            found[f"covariance.{i}"] = known[key]
        return found

    def real_moments(self) -> list[Moments]:
        """Return the known moments of reals, of each scale of features, then of each octave."""
        known = self.averages.known_values()
        found: list[Moments] = []
        while (key := f"real.{len(found)}") in known:
            found.append(Moments(*known[key]))
        return found

    def _averaged(self, side: str, own: Statistics, times: int) -> Statistics:
        follow = self.averages.follow
        moments = [torch.stack(of_map) for of_map in own.moments]
        return Statistics(
            [Moments(*follow(f"{side}.{i}", x, times).unbind()) for i, x in enumerate(moments)],
            [follow(f"covariance.{side}.{i}", x, LONG) for i, x in enumerate(own.covariances)],
            follow(f"power.{side}", own.power, times),
        )


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

    def known_values(self) -> Mapping[str, Tensor]:
        """Return all averages by name."""
        return self._average

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


def batch_statistics(sides: list[Side], ranks: Ranks = ALONE) -> list[Statistics]:
    """Return the statistics of each side over the batch of all processes.

    Those of all sides are exchanged at once: sums first, then products about the means. Covariances
    are of channels, each a mean over places. They are about the batch's own means: how a G that
    swings differs from itself a few batches ago is no variety. Through those means no gradient
    flows; it would be zero. Torch's own ``std`` takes four times as long.
    """
    maps = [[x.float() for x in (*side.features, *side.octaves)] for side in sides]
    n = len(maps[0][0]) * ranks.count
    firsts = _totals(
        [[side.power, *(x.sum(0) for x in own)] for side, own in zip(sides, maps, strict=True)],
        ranks,
    )
    means = [[total / n for total in first[1:]] for first in firsts]
    seconds = []
    for side, own, mean in zip(sides, maps, means, strict=True):
        away = [x - m.detach() for x, m in zip(own, mean, strict=True)]
        pooled = [x.mean((2, 3)) for x in away[: len(side.features)]]
        seconds.append([*(x.square().sum(0) for x in away), *(x.T @ x for x in pooled)])
    return [
        Statistics(
            [
                Moments(m, (square / (n - 1) + _TINY).sqrt())
                for m, square in zip(mean, second, strict=False)
            ],
            [product / (n - 1) for product in second[len(mean) :]],
            first[0] / n,
        )
        for first, mean, second in zip(firsts, means, _totals(seconds, ranks), strict=True)
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


def power(images: Tensor) -> Tensor:
    """Return the power of images ``[N, 3, S, S]`` at each frequency, summed: ``[S, S // 2 + 1]``.

    Of their brightness. Images are windowed (Hann), so that their edges count for nothing.
    """
    window = torch.hann_window(images.shape[2], device=images.device)
    light = images.mean(1)
    light = (light - light.mean((1, 2), keepdim=True)) * window * window[:, None]
    return torch.view_as_real(torch.fft.rfft2(light)).square().sum((0, 3))


def power_mismatch(wanted: Tensor, found: Tensor) -> Tensor:
    """Squared differences of amplitudes, in units of the wanted ones, as a mean over frequencies.

    As in Durall et al. 2020, arXiv 2003.01826, but of each frequency and not of rings: G's
    stripes lie along the axes and the diagonals. Features hardly see them.
    """
    ratio = (found + POWER) / (wanted + POWER)
    return (ratio.sqrt() - 1).square().mean()


def _totals(groups: list[list[Tensor]], ranks: Ranks) -> list[list[Tensor]]:
    """Return the sums of maps over all processes, exchanged as one vector."""
    if ranks.count == 1:
        return groups
    # In the memory order of what they are compared with.
    rows = [x.movedim(0, -1) for group in groups for x in group]
    sums = ranks.total(torch.cat([x.flatten() for x in rows]))
    parts = sums.split([x.numel() for x in rows])
    maps = (part.view(x.shape).movedim(-1, 0) for part, x in zip(parts, rows, strict=True))
    return [[next(maps) for _ in group] for group in groups]
