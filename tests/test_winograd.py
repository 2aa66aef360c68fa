"""Fewer products give what torch's own convolutions give, where a CPU learns, and nowhere else."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from animegan_cli.networks import winograd
from animegan_cli.networks.winograd import _pays, through

Layer = nn.Conv2d | nn.ConvTranspose2d
FORM: dict[str, Any] = {"in_channels": 128, "out_channels": 136, "bias": False}
FORM |= {"kernel_size": 4, "stride": 2, "padding": 1}
KINDS = [(nn.Conv2d, 8), (nn.ConvTranspose2d, 4)]
each_kind = pytest.mark.parametrize(("kind", "side"), KINDS)


def maps(count: int, channels: int, side: int) -> Tensor:
    numbers = torch.Generator().manual_seed(count)
    return torch.randn(count, channels, side, side, generator=numbers)


def layer_of(kind: type[Layer]) -> Layer:
    torch.manual_seed(1)
    return kind(**FORM)


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
def test_one_image_at_a_time_if_it_fills_a_cache(
    kind: type[Layer], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = layer_of(kind), maps(3, 128, side)
    monkeypatch.setattr(winograd, "AT_ONCE", 1)
    torch.testing.assert_close(through([layer], x), layer(x), rtol=1e-4, atol=1e-4)


@each_kind
def test_elsewhere_a_layer_is_torchs_own(
    kind: type[Layer], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = layer_of(kind), maps(3, 128, side)
    assert _pays(layer, x)
    with torch.no_grad():
        assert torch.equal(through([layer], x), layer(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(through([layer], x), layer(x))
    odd = side // 4 * 3
    for other in (x[:, :, :odd], x[..., :odd], x.double(), x.to("meta")):
        assert not _pays(layer, other)
    changes: list[dict[str, Any]] = [
        {"out_channels": 64},
        {"kernel_size": 6},
        {"stride": 4},
        {"padding": 0},
        {"dilation": 2},
        {"groups": 2, "in_channels": 256, "out_channels": 256},
        {"bias": True},
    ]
    changes += [{"padding_mode": "reflect"} if kind is nn.Conv2d else {"output_padding": 1}]
    for change in changes:
        assert not _pays(kind(**{**FORM, **change}), x), change
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not _pays(layer, x)
