"""Convolutions of kernel 4 and stride 2 for 9 products where their definition takes 16.

Winograd's minimal filtering F(2 x 2, 2 x 2) (Lavin & Gray 2015, arXiv 1509.09308). Over pixels of
one parity such a convolution is one of kernel 2. Two neighbours of its results, ``d0 g0 + d1 g1``
and ``d1 g0 + d2 g1``, are sums of the three products ``(d0 - d1) g0``, ``d1 (g0 + g1)`` and
``(d2 - d1) g1``, so that 2 x 2 of them take 9. All products of one kind are one product of
matrices. A transposed convolution is the same read backwards, and so are the gradients of both.

It is used where a CPU learns in float32, of layers wide enough that products are what takes time:
the weight gradients of small maps gain most. Elsewhere the layers are torch's own.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Size, Tensor, nn
from torch.autograd.function import once_differentiable

LEAST_CHANNELS = 128
AT_ONCE = 3_000_000  # left factors, about what a cache holds


def through(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    """Map ``[N, C, H, W]`` through layers, some of their convolutions by fewer products.

    Hooks of those are not called.
    """
    for layer in layers:
        x = _convolved(layer, x) if _pays(layer, x) else layer(x)
    return x


def _pays(layer: nn.Module, x: Tensor) -> TypeGuard[nn.Conv2d | nn.ConvTranspose2d]:
    """Return whether a layer is such a convolution, and fewer products take less time."""
    if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        return False
    tile = 2 if layer.transposed else 4
    return (
        (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1))
        and (layer.dilation, layer.output_padding) == ((1, 1), (0, 0))
        and (layer.groups, layer.padding_mode, layer.bias) == (1, "zeros", None)
        and min(layer.weight.shape[:2]) >= LEAST_CHANNELS
        and x.shape[2] % tile == 0
        and x.shape[3] % tile == 0
        and x.is_cpu
        and x.dtype is torch.float32
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def _convolved(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """Do as the layer does, some images at a time."""
    kind = _Doubling if layer.transposed else _Halving
    U = _Kernels.apply(layer.weight)
    height, width = (side * 2 if layer.transposed else side for side in x.shape[2:])
    factors = len(x) * height * width // 16 * U[0, 0].numel() * 9
    parts = min(-(-factors // AT_ONCE), len(x))
    return torch.cat([kind.apply(part, U) for part in x.tensor_split(parts)])


class _Kernels(torch.autograd.Function):
    """Kernels ``[K, C, 4, 4]`` as right factors ``[9, K, 4C]``."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        k, c = weight.shape[:2]
        g = weight.permute(0, 2, 3, 1).reshape(k, 2, 2, 2, 2, c)
        rows = g.new_empty(3, k, 2, 2, 2, c)
        _spread(g.unbind(1), rows)
        U = g.new_empty(3, 3, k, 2, 2, c)
        _spread(rows.unbind(3), U.transpose(0, 1))
        return U.view(9, k, 4 * c)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        _, k, columns = gradients[0].shape
        U = gradients[0].reshape(3, 3, k, 2, 2, columns // 4)
        rows = U.new_empty(2, 3, *U.shape[2:])
        _gather(U, rows)
        g = U.new_empty(k, 2, 2, 2, 2, columns // 4)
        _gather(rows.transpose(0, 1), g.permute(3, 1, 0, 2, 4, 5))
        return g.view(k, 4, 4, columns // 4).permute(0, 3, 1, 2)


class _Halving(torch.autograd.Function):
    """``[N, C, H, W]`` and right factors to ``[N, K, H/2, W/2]``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, U: Tensor) -> Tensor:
        V = _to_left_factors(x)
        ctx.save_for_backward(V if ctx.needs_input_grad[1] else None, U)
        ctx.shape = x.shape
        return _from_products(torch.bmm(V, U.mT), x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        V, U = ctx.saved_tensors
        M = _to_products(gradients[0])
        dx = _from_left_factors(torch.bmm(M, U), ctx.shape) if ctx.needs_input_grad[0] else None
        return dx, torch.bmm(M.mT, V) if ctx.needs_input_grad[1] else None


class _Doubling(torch.autograd.Function):
    """``[N, K, H, W]`` and right factors to ``[N, C, 2H, 2W]``: that layer read backwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, U: Tensor) -> Tensor:
        n, _, height, width = x.shape
        M = _to_products(x)
        ctx.save_for_backward(M if ctx.needs_input_grad[1] else None, U)
        ctx.shape = Size((n, U.shape[2] // 4, 2 * height, 2 * width))
        return _from_left_factors(torch.bmm(M, U), ctx.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        M, U = ctx.saved_tensors
        V = _to_left_factors(gradients[0])
        dx = _from_products(torch.bmm(V, U.mT), ctx.shape) if ctx.needs_input_grad[0] else None
        return dx, torch.bmm(M.mT, V) if ctx.needs_input_grad[1] else None


def _to_left_factors(x: Tensor) -> Tensor:
    """Map ``[N, C, H, W]`` to ``[9, N * H/4 * W/4, 4C]``, the parities beside the channels."""
    n, c, height, width = x.shape
    x = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    rows = x.new_empty(3, n, height // 4, 2, width + 2, c)
    _differences(_tiles(x, 1), rows.permute(0, 1, 2, 4, 5, 3))
    V = x.new_empty(3, 3, n, height // 4, width // 4, 2, 2, c)
    _differences(_tiles(rows, 4), V.permute(1, 0, 2, 3, 5, 4, 7, 6))
    return V.view(9, -1, 4 * c)


def _from_left_factors(V: Tensor, shape: Size) -> Tensor:
    """Map ``[9, N * H/4 * W/4, 4C]`` to ``[N, C, H, W]``: the adjoint of ``_to_left_factors``."""
    n, c, height, width = shape
    V = V.view(3, 3, n, height // 4, width // 4, 2, 2, c)
    rows = V.new_zeros(3, n, height // 4, 2, width + 2, c)
    _add_differences(V.permute(1, 0, 2, 3, 5, 4, 7, 6), _tiles(rows, 4))
    x = V.new_zeros(n, height + 2, width + 2, c)
    _add_differences(rows.permute(0, 1, 2, 4, 5, 3), _tiles(x, 1))
    x = x[:, 1:-1, 1:-1].permute(0, 3, 1, 2)
    return x.contiguous(memory_format=torch.channels_last)


def _from_products(M: Tensor, shape: Size) -> Tensor:
    """Map ``[9, N * H/4 * W/4, K]`` to ``[N, K, H/2, W/2]``; a shape is ``[N, C, H, W]``."""
    n, _, height, width = shape
    M = M.view(3, 3, n, height // 4, width // 4, -1)
    rows = M.new_empty(2, 3, *M.shape[2:])
    _gather(M, rows)
    y = M.new_empty(n, height // 4, 2, width // 4, 2, M.shape[-1])
    _gather(rows.transpose(0, 1), y.permute(4, 2, 0, 1, 3, 5))
    return y.view(n, height // 2, width // 2, -1).permute(0, 3, 1, 2)


def _to_products(y: Tensor) -> Tensor:
    """Map ``[N, K, H/2, W/2]`` to ``[9, N * H/4 * W/4, K]``: the adjoint of ``_from_products``."""
    n, k, height, width = y.shape
    y = y.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, k)
    rows = y.new_empty(3, n, height // 2, width // 2, 2, k)
    _spread(y.unbind(2), rows)
    M = y.new_empty(3, 3, n, height // 2, width // 2, k)
    _spread(rows.unbind(4), M.transpose(0, 1))
    return M.view(9, -1, k)


def _tiles(x: Tensor, dim: int) -> Sequence[Tensor]:
    """Return ``d0, d1, d2`` of all tiles along a dimension, both parities as a last one."""
    tiles = x.unfold(dim, 6, 4)
    return tiles.unflatten(-1, (3, 2)).unbind(-2)  # type: ignore[no-any-return]


def _differences(d: Sequence[Tensor], out: Tensor) -> None:
    """Write ``d0 - d1, d1, d2 - d1``."""
    torch.sub(d[0], d[1], out=out[0])
    out[1].copy_(d[1])
    torch.sub(d[2], d[1], out=out[2])


def _add_differences(gradients: Tensor, d: Sequence[Tensor]) -> None:
    """Add the gradients of ``_differences`` to ``d0, d1, d2``, where neighbouring tiles overlap."""
    d[0].add_(gradients[0])
    d[1].add_(gradients[1]).sub_(gradients[0]).sub_(gradients[2])
    d[2].add_(gradients[2])


def _spread(pair: Sequence[Tensor], out: Tensor) -> None:
    """Write ``a, a + b, b``."""
    out[0].copy_(pair[0])
    torch.add(pair[0], pair[1], out=out[1])
    out[2].copy_(pair[1])


def _gather(three: Tensor, out: Tensor) -> None:
    """Write ``a + b, b + c``: the adjoint of ``_spread``."""
    torch.add(three[0], three[1], out=out[0])
    torch.add(three[1], three[2], out=out[1])
