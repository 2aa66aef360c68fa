"""Fewer products give what torch's own convolutions give, where a CPU learns, and nowhere else."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from animegan_cli.networks import winograd
from animegan_cli.networks.winograd import through

Layer = nn.Conv2d | nn.ConvTranspose2d
KINDS = [(nn.Conv2d, 8), (nn.ConvTranspose2d, 4)]
each_kind = pytest.mark.parametrize(("kind", "side"), KINDS)


def maps(count: int, channels: int, side: int) -> Tensor:
    numbers = torch.Generator().manual_seed(count)
    return torch.randn(count, channels, side, side, generator=numbers)


def layer_of(kind: type[Layer], below: int = 128, above: int = 136) -> Layer:
    torch.manual_seed(1)
    return kind(below, above, 4, 2, 1, bias=False)


def products(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@each_kind
def test_results_and_gradients_are_those_of_torch(
    kind: type[Layer], side: int, layout: torch.memory_format
) -> None:
    layer = layer_of(kind).to(memory_format=layout)  # type: ignore[call-overload]
    exact = layer_of(kind).double()
    x = maps(5, 128, side).to(memory_format=layout).requires_grad_()
    exact_x = x.detach().double().requires_grad_()
    y, expected = through([layer], x), exact(exact_x)
    direction = maps(5, 136, expected.shape[2])
    given = torch.autograd.grad(y, (x, layer.weight), direction)
    wanted = torch.autograd.grad(expected, (exact_x, exact.weight), direction.double())
    for ours, theirs in zip((y, *given), (expected, *wanted), strict=True):
        assert ours.shape == theirs.shape
        off = (ours - theirs).detach()
        assert float(off.norm() / theirs.detach().norm()) < 2e-6


@each_kind
def test_nine_products_do_the_work_of_sixteen(kind: type[Layer], side: int) -> None:
    layer, x = layer_of(kind), maps(2, 128, side).requires_grad_()
    theirs = products(lambda: layer(x).sum().backward())
    assert products(lambda: through([layer], x).sum().backward()) * 16 == theirs * 9


@each_kind
def test_some_images_at_a_time_are_all_of_them(
    kind: type[Layer], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = layer_of(kind), maps(7, 128, side)
    whole = through([layer], x)
    (gradient,) = torch.autograd.grad(whole.square().mean(), layer.weight)
    sizes, factors = [], winograd._to_left_factors

    def counted(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return factors(x)

    monkeypatch.setattr(winograd, "_to_left_factors", counted)
    monkeypatch.setattr(winograd, "AT_ONCE", 3 * factors(maps(1, 136, 8)).numel())
    parts = through([layer], x)
    (of_parts,) = torch.autograd.grad(parts.square().mean(), layer.weight)
    assert sorted(sizes) == [2, 2, 3]
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(of_parts, gradient, rtol=1e-4, atol=1e-6)


@each_kind
def test_elsewhere_a_layer_is_torchs_own(kind: type[Layer], side: int) -> None:
    layer, x = layer_of(kind), maps(3, 128, side)
    with torch.no_grad():
        assert torch.equal(through([layer], x), layer(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(through([layer], x), layer(x))
    odd = maps(3, 128, side // 4 * 3)
    assert torch.equal(through([layer], odd), layer(odd))
    for other in (layer_of(kind, above=64), kind(128, 128, 4, 2, 1), kind(128, 128, 3, 2, 1)):
        assert torch.equal(through([other], x), other(x))
    assert through([layer.to("meta")], x.to("meta")).shape[:2] == (3, 136)
