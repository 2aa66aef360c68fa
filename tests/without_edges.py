"""A frozen network whose activation has no edges, for comparing runs that differ in rounding.

Where a value lies on an edge of ReLU6 but for rounding, the side that it falls on changes the
gradient of an image of 16 pixels by some percent; such a comparison would tell luck.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from animegan_cli.networks.lite0 import SameConv, turned


def smoothly(self: SameConv, x: Tensor) -> Tensor:
    """Do as ``SameConv.forward``, with a sigmoid from 0 to 6 in place of ReLU6."""
    kernel = self.weight if self.kernel_size == (1, 1) else turned(self.weight)
    y = F.conv2d(x, kernel, self.bias, self.stride, self.padding, groups=self.groups)
    return 6 * torch.sigmoid(y - 3) if self.rectified else y
