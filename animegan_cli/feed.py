"""Batches of real images where training wants them: on its device, in [-1, 1], in time."""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan_cli.data import ImageSet, normalize
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
        batch_size: images in the batch of all processes.
        device: where batches are wanted.
        ranks: this process among all.
        resident: keep all images on the device.
        ahead: images between two batches, to read the next one in a thread; 0 to read it when it
            is asked for.
    """

    def __init__(
        self,
        images: ImageSet,
        order: Order,
        batch_size: int,
        device: torch.device,
        ranks: Ranks = ALONE,
        *,
        resident: bool = False,
        ahead: int = 0,
    ) -> None:
        self.images, self.order, self.device, self.ranks = images, order, device, ranks
        self.share = batch_size // ranks.count
        self._resident = _on_device(images, device) if resident else None
        self._ahead = ahead
        self._reader = ThreadPoolExecutor(1) if ahead else None
        self._coming: tuple[int, Future[Tensor]] | None = None

    def at(self, cur_nimg: int) -> Tensor:
        """Return the real images after ``cur_nimg``: ``[batch_size / ranks, 3, S, S]``."""
        indices, flips = self._place(cur_nimg)
        if self._resident is not None:
            batch = self._resident[torch.from_numpy(indices).to(self.device, non_blocking=True)]
            batch = batch.permute(0, 3, 1, 2)
        else:
            batch = self._read(cur_nimg, indices).to(self.device, non_blocking=True)
        return normalize(batch, torch.from_numpy(flips).to(self.device, non_blocking=True))

    def _place(self, cur_nimg: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        return self.order.at(cur_nimg + self.ranks.rank * self.share, self.share)

    def _read(self, cur_nimg: int, indices: NDArray[np.int64]) -> Tensor:
        if self._reader is None:
            return self.images.batch(indices)
        if self._coming is not None and self._coming[0] == cur_nimg:
            batch = self._coming[1].result()
        else:
            batch = self._pinned(indices)
        following = cur_nimg + self._ahead
        self._coming = following, self._reader.submit(self._pinned, self._place(following)[0])
        return batch

    def _pinned(self, indices: NDArray[np.int64]) -> Tensor:
        batch = self.images.batch(indices)
        return batch.pin_memory() if self.device.type == "cuda" else batch


def feed_for(
    images: ImageSet,
    order: Order,
    batch_size: int,
    device: torch.device,
    ranks: Ranks = ALONE,
    ahead: int = 0,
) -> Feed:
    """Return a feed that suits the device: resident in a GPU's memory where the images fit."""
    if device.type != "cuda":
        return Feed(images, order, batch_size, device, ranks)
    free, _ = torch.cuda.mem_get_info(device)
    needed = len(images) * int(np.prod(images.pixels.shape[1:]))
    fits = needed <= RESIDENT_SHARE * free
    return Feed(images, order, batch_size, device, ranks, resident=fits, ahead=0 if fits else ahead)


def _on_device(images: ImageSet, device: torch.device) -> Tensor:
    """Copy all images to a device, chunk by chunk: ``[N, S, S, 3]`` uint8."""
    shape = (len(images), *images.pixels.shape[1:])
    everything = torch.empty(shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(images)))
        everything[start : start + len(rows)] = images.batch(rows).permute(0, 2, 3, 1).to(device)
    return everything
