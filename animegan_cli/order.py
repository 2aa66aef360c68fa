"""Which images a step sees."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from animegan_cli.device import generator


@dataclass
class Order:
    """Which images a step sees, and which of them flipped, as a function of images seen.

    Image number ``i`` of a run is entry ``i % n`` of the shuffle of epoch ``i // n``; so the order
    does not depend on the batch size, and a continued run goes on where it stopped.

    Attributes:
        n: images in the set.
        seed: the run's seed.
        mirror: flip half of the images; another half in each epoch.
    """

    n: int
    seed: int
    mirror: bool = True
    _epoch: int = -1

    def at(self, cur_nimg: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return indices ``[count]`` and flips ``[count]`` for images ``cur_nimg`` onwards."""
        indices, flips = [], []
        while count > 0:
            epoch, start = divmod(cur_nimg, self.n)
            self._shuffle(epoch)
            taken = min(count, self.n - start)
            indices.append(self._indices[start : start + taken])
            flips.append(self._flips[start : start + taken])
            cur_nimg, count = cur_nimg + taken, count - taken
        return np.concatenate(indices), np.concatenate(flips)

    def _shuffle(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        random = generator(self.seed, "order", epoch)
        self._indices = torch.randperm(self.n, generator=random).numpy()
        flips = torch.randint(0, 2, (self.n,), generator=random, dtype=torch.uint8)
        self._flips = flips.numpy().astype(bool) & self.mirror
        self._epoch = epoch
