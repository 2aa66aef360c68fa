"""The classic networks: known parameter counts, every size, mirror images."""

import pytest
import torch

from animegan_cli.checkpoints import NetworkShapes
from animegan_cli.errors import SnapshotError
from animegan_cli.fields import IMAGE_SIZES
from animegan_cli.networks import classic, multiply_accumulates, parameter_count


def test_published_parameter_counts() -> None:
    assert parameter_count(classic.Generator()) == 3_578_432
    assert parameter_count(classic.Discriminator()) == 2_767_296


def test_published_layers() -> None:
    def shapes(network: torch.nn.Module) -> list[tuple[int, ...]]:
        return [
            (
                layer.in_channels,
                layer.out_channels,
                *layer.kernel_size[:1],
                *layer.stride[:1],
                *layer.padding[:1],
            )
            for layer in network.modules()
            if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d)
        ]

    assert shapes(classic.Generator()) == [
        (100, 512, 4, 1, 0),
        (512, 256, 4, 2, 1),
        (256, 128, 4, 2, 1),
        (128, 64, 4, 2, 1),
        (64, 3, 5, 3, 1),
    ]
    assert shapes(classic.Discriminator()) == [
        (3, 64, 5, 3, 1),
        (64, 128, 4, 2, 1),
        (128, 256, 4, 2, 1),
        (256, 512, 4, 2, 1),
        (512, 1, 4, 1, 0),
    ]
    kinds = [type(layer).__name__ for layer in classic.Discriminator().main]
    assert kinds[:3] == ["Conv2d", "LeakyReLU", "Conv2d"]
    assert kinds.count("BatchNorm2d") == 3
    assert [type(layer).__name__ for layer in classic.Generator().main][-1] == "Tanh"
    for network in (classic.Generator(), classic.Discriminator()):
        assert not any("conv" in name and "bias" in name for name, _ in network.named_parameters())
        convolutions = [m for m in network.modules() if hasattr(m, "kernel_size")]
        assert all(layer.bias is None for layer in convolutions)


@pytest.mark.parametrize("size", IMAGE_SIZES)
def test_every_size(size: int) -> None:
    G = classic.Generator(z_dim=5, size=size, width=2)
    D = classic.Discriminator(size=size, width=2)
    images = G(torch.randn(3, 5))
    assert images.shape == (3, 3, size, size)
    assert images.abs().max() <= 1
    assert D(images).shape == (3,)


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(SnapshotError, match="unknown network family 'other'"):
        NetworkShapes("other", {}, {}).build()


def test_multiply_accumulates_are_counted() -> None:
    layer = torch.nn.Conv2d(3, 5, 3, padding=1, device="meta")
    image = torch.empty(1, 3, 8, 8, device="meta")
    assert multiply_accumulates(layer, image) == 3 * 5 * 9 * 64
