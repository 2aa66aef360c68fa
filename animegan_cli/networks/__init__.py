"""Generator and discriminator families, written as mirror images."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from animegan_cli.networks import classic, projected
from animegan_cli.networks.typicality import Typicality

FAMILIES: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "classic": (classic.Generator, classic.Discriminator),
    "projected": (projected.Generator, projected.Discriminator),
}


def frozen_keys(D: nn.Module) -> list[str]:
    """Return the names of D's tensors that come from a package: those of a network frozen in it."""
    if not isinstance(D, projected.Discriminator):
        return []
    return [f"lite0.{key}" for key in D.lite0.state_dict()]


def load_frozen(D: nn.Module) -> None:
    """Give D the weights of the frozen network in it, if it has one.

    Raises:
        AnimeganError: if the package that carries them is not installed.
    """
    if isinstance(D, projected.Discriminator):
        D.lite0.load_imagenet()


def seen_through(D: nn.Module) -> list[nn.Module]:
    """Return the parts of D that images pass first and that cost the most."""
    return [D.lite0, D.mixing] if isinstance(D, projected.Discriminator) else [D]


def typicality(D: nn.Module, reals: Mapping[str, Tensor]) -> nn.Module | None:
    """Return what scores images by D's features of real ones; None where those are not known."""
    return Typicality(D, reals) if reals and isinstance(D, projected.Discriminator) else None


def parameter_count(network: nn.Module) -> int:
    """Return how many numbers of a network are learnt."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def multiply_accumulates(network: nn.Module, *example: Tensor) -> int:
    """Return the multiply-accumulates of one forward pass; tensors on the meta device will do."""
    from torch.utils.flop_counter import FlopCounterMode  # imports triton where it is installed

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(*example)
    return counter.get_total_flops() // 2
