"""What the projected family's G is built of: maps twice as large, and gates between far maps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Doubling(nn.Module):
    """Twice the side without a checkerboard, then, where it is ``deep``, another convolution.

    With ``z_dim`` noise scales and shifts what a norm gives (Brock et al. 2019, arXiv 1809.11096).
    """

    def __init__(self, below: int, above: int, deep: bool, z_dim: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(below, above, 3, 3))
        nn.init.kaiming_normal_(self.weight.transpose(0, 1), nonlinearity="linear")
        self.norm = nn.BatchNorm2d(above)
        self.conv = nn.Conv2d(above, above, 3, padding=1, bias=False) if deep else None
        self.conv_norm = nn.BatchNorm2d(above) if deep else None
        styles = 1 + deep if z_dim else 0
        self.style = nn.ModuleList(nn.Linear(z_dim, 2 * above) for _ in range(styles))
        for style in self.style:
            nn.init.normal_(style.weight, std=0.02)  # type: ignore[arg-type]
            nn.init.zeros_(style.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Map ``[N, C, H, W]``, by noise ``[N, z_dim]``, to ``[N, C', 2H, 2W]``."""
        x = F.leaky_relu(self._styled(self.norm(doubled(x, self.weight)), z, 0), 0.2)
        if self.conv is not None and self.conv_norm is not None:
            x = F.leaky_relu(self._styled(self.conv_norm(self.conv(x)), z, 1), 0.2)
        return x

    def _styled(self, x: Tensor, z: Tensor, i: int) -> Tensor:
        if not self.style:
            return x
        gain, shift = self.style[i](z)[:, :, None, None].to(x.dtype).chunk(2, 1)
        return torch.addcmul(shift, x, 1 + gain)


def doubled(x: Tensor, weight: Tensor) -> Tensor:
    """Enlarge ``[N, C, H, W]`` by nearest neighbour, then convolve by ``[C, C', 3, 3]``.

    The result, ``[N, C', 2H, 2W]``, is found for a quarter of the products: a transposed
    convolution of stride 2 by that kernel, then sums over 2x2 pixels.
    """
    return F.avg_pool2d(F.conv_transpose2d(x, 4 * weight, stride=2), 2, 1)


class Excitation(nn.Module):
    """Skip-layer excitation: a small feature map gates the channels of a large one."""

    def __init__(self, below: int, above: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(below, above, 3)
        self.gate = nn.Conv2d(above, above, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map a small map ``[N, C, H, W]`` to gates ``[N, C', 1, 1]`` in [0, 1]."""
        return torch.sigmoid(self.gate(F.silu(self.squeeze(thirds(x)))))


def thirds(x: Tensor) -> Tensor:
    """Pool ``[N, C, H, W]`` to the means of 3 x 3 parts, which overlap where a side is no 3 * k.

    The same as ``F.adaptive_avg_pool2d(x, 3)``, which Apple's GPUs lack for such sides.
    """
    side = x.shape[2]
    if side % 3 == 0:
        return F.adaptive_avg_pool2d(x, 3)
    parts = torch.zeros(3, side, dtype=x.dtype, device=x.device)
    for i in range(3):
        first, end = i * side // 3, -(-(i + 1) * side // 3)
        parts[i, first:end] = 1 / (end - first)
    return parts @ x @ parts.T
