"""Batches of real images where training wants them: on its device, in [-1, 1], in time."""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan_cli.data import ImageSet, normalize
from animegan_cli.device import sent
from animegan_cli.order import Order
from animegan_cli.parallel import ALONE, Ranks

RESIDENT_SHARE = 0.4  # of a GPU's free memory; training needs the rest
_CHUNK = 4096  # images sent to a device at once


class Feed:
    """Serves the real images of each batch, or this process's part of them.

    A GPU keeps all images in its own memory, or one thread reads the next batch into pinned
    memory while this one is learnt from (see ``feed_for``). A CPU gathers its batch in a
    thousandth of a step's time and needs neither.

    Args:
        images: the decoded images.
        order: which of them a step sees.
        device: where batches are wanted.
        ranks: this process among all.
        resident: keep all images on the device.
        every: steps between two batches that are asked for, to read the next one in a thread; 0 to
            read it when it is asked for.
    """

    def __init__(
        self,
        images: ImageSet,
        order: Order,
        device: torch.device,
        ranks: Ranks = ALONE,
        *,
        resident: bool = False,
        every: int = 0,
    ) -> None:
        self.images, self.order, self.device, self.ranks = images, order, device, ranks
        self._resident = _on_device(images, device) if resident else None
        self._every = every
        self._reader = ThreadPoolExecutor(1) if every else None
        self._coming: tuple[int, int, Future[Tensor]] | None = None

    def at(self, cur_nimg: int, batch_size: int) -> Tensor:
        """Return the real images after ``cur_nimg``: ``[batch_size / ranks, 3, S, S]``."""
        indices, flips = self._place(cur_nimg, batch_size)
        if self._resident is not None:
            batch = self._resident[sent(torch.from_numpy(indices), self.device)]
            batch = batch.permute(0, 3, 1, 2)
        else:
            batch = sent(self._read(cur_nimg, batch_size, indices), self.device)
        return normalize(batch, sent(torch.from_numpy(flips), self.device))

    def _place(self, cur_nimg: int, batch_size: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        share = batch_size // self.ranks.count
        return self.order.at(cur_nimg + self.ranks.rank * share, share)

    def _read(self, cur_nimg: int, batch_size: int, indices: NDArray[np.int64]) -> Tensor:
        if self._reader is None:
            return self.images.batch(indices)
        if self._coming is not None and self._coming[:2] == (cur_nimg, batch_size):
            batch = self._coming[2].result()
        else:
            batch = self._pinned(indices)
        following = cur_nimg + batch_size * self._every
        next_indices, _ = self._place(following, batch_size)
        self._coming = following, batch_size, self._reader.submit(self._pinned, next_indices)
        return batch

    def _pinned(self, indices: NDArray[np.int64]) -> Tensor:
        batch = self.images.batch(indices)
        return batch.pin_memory() if self.device.type == "cuda" else batch


def feed_for(
    images: ImageSet, order: Order, device: torch.device, ranks: Ranks = ALONE, every: int = 0
) -> Feed:
    """Return a feed that suits the device: resident in a GPU's memory where the images fit."""
    if device.type != "cuda":
        return Feed(images, order, device, ranks)
    free, _ = torch.cuda.mem_get_info(device)
    needed = len(images) * int(np.prod(images.pixels.shape[1:]))
    fits = needed <= RESIDENT_SHARE * free
    return Feed(images, order, device, ranks, resident=fits, every=0 if fits else every)


def _on_device(images: ImageSet, device: torch.device) -> Tensor:
    """Copy all images to a device, chunk by chunk: ``[N, S, S, 3]`` uint8."""
    shape = (len(images), *images.pixels.shape[1:])
    everything = torch.empty(shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(images)))
        everything[start : start + len(rows)] = images.batch(rows).permute(0, 2, 3, 1).to(device)
    return everything
