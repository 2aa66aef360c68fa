"""Means of what a step computes, kept on the device until a tick reads them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from animegan_cli.parallel import Ranks


class Meters:
    """Running sums and counts by name; adding never waits for the device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, value: Tensor) -> None:
        """Add one scalar tensor."""
        if name in self._sums:
            self._sums[name] = self._sums[name] + value
        else:
            self._sums[name] = value
        self._counts[name] = self._counts.get(name, 0) + 1

    @contextmanager
    def apart(self) -> Iterator[dict[str, Tensor]]:
        """Keep what is added in here out of the sums, in the dictionary that this gives."""
        sums, counts = self._sums, self._counts
        self._sums, self._counts = {}, {}
        try:
            yield self._sums
        finally:
            self._sums, self._counts = sums, counts

    def share(self, ranks: Ranks) -> None:
        """Replace each sum by its mean over all processes; every one of them must call this."""
        if self._sums and ranks.count > 1:
            names = sorted(self._sums)
            means = ranks.total(torch.stack([self._sums[name] for name in names])) / ranks.count
            self._sums = dict(zip(names, means.unbind(), strict=True))

    def pop_means(self) -> dict[str, float]:
        """Return the mean of each name since the last call, and begin anew."""
        means = {name: float(sum_) / self._counts[name] for name, sum_ in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def tensors(self) -> dict[str, Tensor]:
        """Return sums and counts as named tensors for a state."""
        return {
            **{f"meters.sum.{name}": value for name, value in self._sums.items()},
            **{f"meters.count.{name}": torch.tensor(n) for name, n in self._counts.items()},
        }

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """Continue from the tensors of a state."""
        for full_name, tensor in tensors.items():
            _, _, name = full_name.removeprefix("meters.").partition(".")
            if full_name.startswith("meters.sum."):
                self._sums[name] = tensor.to(device)
            elif full_name.startswith("meters.count."):
                self._counts[name] = int(tensor)
