"""Generator and discriminator families, written as mirror images."""

from torch import nn

from animegan_cli.networks import classic

FAMILIES: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "classic": (classic.Generator, classic.Discriminator),
}


def parameter_count(network: nn.Module) -> int:
    """Return how many numbers of a network are learnt."""
    return sum(parameter.numel() for parameter in network.parameters())
