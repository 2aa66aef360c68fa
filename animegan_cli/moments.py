"""Mean and standard deviation of features over a batch, and averaged over many batches."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from animegan_cli.parallel import Ranks

_TINY = 1e-12  # keeps the slope of a square root finite where a feature is constant


class Moments(NamedTuple):
    """Of one map over the images, ``[C, H, W]``."""

    mean: Tensor
    std: Tensor


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


class RunningMoments:
    """Moments averaged over batches (Santos et al. 2019, arXiv 1904.02762, section 4.1).

    Where two distributions are near each other, the squared difference of two batches' moments is
    mostly chance, and chance is least where images differ less than they should. That of averaged
    moments is neither.

    Args:
        beta: share that stays at each batch, less at first; 0 keeps nothing.
    """

    def __init__(self, beta: float = 0.0) -> None:
        self.beta = beta
        self._known: dict[str, Tensor] = {}
        self._batches: dict[str, int] = {}

    def follow(self, name: str, batch: list[Moments]) -> list[Moments]:
        """Average a batch's moments into those of a name, which begin anew where sizes change.

        Returns:
            The averaged moments; gradients flow to the batch as if they were its own.
        """
        if not self.beta:
            return batch
        followed = []
        for i, moments in enumerate(batch):
            own = torch.stack(moments)
            now = self._average(f"{name}.{i}", own.detach())
            followed.append(Moments(*(now + (own - own.detach())).unbind()))
        return followed

    def _average(self, key: str, now: Tensor) -> Tensor:
        known = self._known.get(key)
        if known is None or known.shape != now.shape:
            self._batches[key] = 0
            known = now
        self._batches[key] += 1
        self._known[key] = known.lerp(now, max(1 - self.beta, 1 / self._batches[key]))
        return self._known[key]

    def tensors(self) -> dict[str, Tensor]:
        """Return all that is known as named tensors for a state."""
        return {
            **{f"moments.known.{key}": value for key, value in self._known.items()},
            **{f"moments.batches.{key}": torch.tensor(n) for key, n in self._batches.items()},
        }

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """Continue from the tensors of a state; one from before there were moments has none."""
        for full_name, tensor in tensors.items():
            key = full_name.split(".", 2)[-1]
            if full_name.startswith("moments.known."):
                self._known[key] = tensor.to(device)
            elif full_name.startswith("moments.batches."):
                self._batches[key] = int(tensor)


def _totals(maps: list[Tensor], ranks: Ranks) -> list[Tensor]:
    """Return the sums of maps over all processes, exchanged as one vector."""
    if ranks.count == 1:
        return maps
    rows = [x.permute(1, 2, 0) for x in maps]  # the memory order of what they are compared with
    sums = ranks.total(torch.cat([x.flatten() for x in rows]))
    parts = sums.split([x.numel() for x in rows])
    return [part.view(x.shape).permute(2, 0, 1) for part, x in zip(parts, rows, strict=True)]
