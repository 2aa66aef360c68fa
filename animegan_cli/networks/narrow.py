"""A narrow network within a wider one: the first channels of each map, apart from the others.

So a G may begin with few channels, whose steps take less time, and go on with all of them. It draws
the same at that moment, as in Chen et al. 2016, arXiv 1511.05641; there new channels are copies of
others, and here nothing goes out of them yet. A run may also begin as the narrower G of a snapshot.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from animegan_cli.networks.blocks import Doubling

Shapes = Mapping[str, torch.Size]


@torch.no_grad()
def separate(network: nn.Module, narrow: Shapes) -> None:
    """Let nothing go from the other channels of a network to its first ones.

    Args:
        network: whose convolutions this changes.
        narrow: shapes of a narrower network's tensors, by name.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | Doubling):
            weight, shape = module.weight, narrow[f"{name}.weight"]
            assert isinstance(weight, Tensor)
            if isinstance(module, Doubling):  # from, to; a convolution's are to, from
                weight, shape = weight.transpose(0, 1), torch.Size([shape[1], shape[0]])
            weight[: shape[0], shape[1] :] = 0


@torch.no_grad()
def begin_as(network: nn.Module, narrow: nn.Module) -> None:
    """Let a network compute what a narrower one of its kind does; its other channels wait."""
    state = narrow.state_dict()
    separate(network, {name: value.shape for name, value in state.items()})
    for name, whole in network.state_dict().items():
        part = _first(name, whole, state[name].shape)
        part.copy_(state[name].reshape(part.shape))


def first_channels(network: nn.Module, narrow: Shapes) -> dict[str, Tensor]:
    """Return the parts of a network's tensors that make up a narrower one of such shapes.

    Gradients of them reach the whole tensors, and buffers are views, into which a norm writes.
    """
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    return {
        name: _first(name, tensors[name], shape).reshape(shape) for name, shape in narrow.items()
    }


def _first(name: str, x: Tensor, shape: torch.Size) -> Tensor:
    """Return a view of what a narrower network has of a tensor, its shape up to ``reshape``."""
    if x.shape == shape:
        return x
    if ".style." in name:  # gains, then shifts
        both: Tensor = x.unflatten(0, (2, -1))
        return both[:, : shape[0] // 2]
    return x[tuple(slice(n) for n in shape)]
