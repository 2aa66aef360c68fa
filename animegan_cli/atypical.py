"""How far each of G's images is from what is typical of real ones, as a loss for G.

Matched statistics are of all images together; this is of each one, as ``rank`` scores it
(``networks.typicality``). What G draws badly is seldom typical.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from animegan_cli.matching import Matching
from animegan_cli.networks.typicality import distance, whitening

EVERY = 16  # iterations: what real images are like hardly changes, and a look costs

_TINY = 1e-12


class Atypicality:
    """The distance of images from real ones, by statistics that follow those of training.

    They stay between two looks, in the same tensors, which a recorded step reads.

    Attributes:
        known: whether there are statistics of what D sees by now.
    """

    def __init__(self) -> None:
        self.known = False
        self._tensors: dict[str, Tensor] = {}

    def follow(self, matching: Matching, iteration: int) -> None:
        """Look at the mean and covariance of real images' features, in every 16th iteration.

        And in each where they were not known before, or are not now: D sees images of another size.
        """
        if self.known and iteration % EVERY and matching.averages.settled():
            return
        reals = matching.real_features()
        self.known = bool(reals)
        for name, value in reals.items():
            if name.startswith("covariance."):
                name, value = name.replace("covariance", "whitening"), whitening(value)
            if name in self._tensors:
                self._tensors[name].copy_(value)
            else:
                self._tensors[name] = value.clone()

    def loss(self, features: list[Tensor]) -> Tensor:
        """Return the mean logarithm of images' squared distances over the number of features.

        Real ones are a little below 0, since the covariance is shrunk. It has no lowest value: a
        large weight asks for images that are more typical than real ones. A logarithm, because at
        first all images are far away, and so that no image counts for more by being very far.

        Args:
            features: maps ``[N, C, H, W]`` of the frozen network, finest first.
        """
        squares = torch.zeros(len(features[0]), device=features[0].device)
        for i, maps in enumerate(features):
            mean, white = self._tensors[f"mean.{i}"], self._tensors[f"whitening.{i}"]
            squares = squares + distance(maps, mean, white)
        return (squares / sum(maps.shape[1] for maps in features) + _TINY).log().mean()

    def tensors(self) -> dict[str, Tensor]:
        """Return all that is known as named tensors for a state."""
        return {f"atypical.{k}": v for k, v in self._tensors.items()} if self.known else {}

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """Continue from the tensors of a state; one that knows nothing has none."""
        for name, tensor in tensors.items():
            if name.startswith("atypical."):
                self._tensors[name.removeprefix("atypical.")] = tensor.to(device)
                self.known = True
