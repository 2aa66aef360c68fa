"""Named feature networks: uint8 images -> one row of features each, whatever the batch size."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from animegan_cli.metrics.weights import (
    EvaluationError,
    Weights,
    inception_path,
    inception_weights,
    lite2_weights,
    require_extra,
)
from animegan_cli.reporting import Advance

PASS = 32


@dataclass(frozen=True)
class FeatureNetwork:
    """A frozen network whose features are compared.

    Attributes:
        name: as the user chose it.
        resize: width and height in pixels that images are brought to.
        dim: features per image.
        weights: first 8 hexadecimal digits of the SHA-256 of its weights.
        module: maps uint8 images ``[N, 3, H, W]`` to a tuple of features ``[N, dim]``.
        device: where it runs.
        caveat: what a reader of its distances must know, or nothing.
    """

    name: str
    resize: int
    dim: int
    weights: str
    module: nn.Module = field(repr=False)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    caveat: str = ""

    @property
    def key(self) -> str:
        """All on which features depend, but for the images: part of a cached file's name."""
        return f"{self.name}-{self.resize}-{self.dim}-{self.weights}"

    @torch.inference_mode()
    def features(self, batches: Iterable[Tensor], advance: Advance = lambda count: None) -> Tensor:
        """Return features ``[N, dim]``, float32 on the CPU, of batches of any sizes.

        The network sees passes of ``PASS`` images, the last one filled up, because a matrix
        product may round differently at another number of rows.
        """
        rows = [torch.empty(0, self.dim)]
        for part in _passes(batches):
            padded = torch.cat([part, part[-1:].expand(PASS - len(part), *part.shape[1:])])
            rows.append(self.module(padded.to(self.device))[0][: len(part)].float().cpu())
            advance(len(part))
        return torch.cat(rows)


def load_feature_network(
    name: str = "auto", weights: Path | None = None, device: torch.device | str = "cpu"
) -> FeatureNetwork:
    """Return the feature network of a name; ``auto`` is inception if its weights are at hand.

    Raises:
        EvaluationError: if there is no such network, or the extra or its weights are missing.
    """
    if name == "auto":
        at_hand = weights is not None or inception_path().is_file()
        name = "inception" if at_hand else "lite2"
    if name not in NETWORKS:
        known = ", ".join(["auto", *NETWORKS])
        raise EvaluationError(f"unknown feature network {name}; use one of {known}")
    require_extra(name)
    network = NETWORKS[name](weights, torch.device(device))
    network.module.to(network.device)
    return network


def _inception(file: Path | None, device: torch.device) -> FeatureNetwork:
    weights = inception_weights(file)
    module = _extractor("inception-v3-compat", "2048", weights)
    return FeatureNetwork("inception", 299, 2048, weights.sha256[:8], module, device)


def _lite2(file: Path | None, device: torch.device) -> FeatureNetwork:
    if file is not None:
        raise EvaluationError("--feature-weights: lite2 brings its weights; they are for inception")
    from animegan_cli.metrics import lite2

    weights = lite2_weights()
    module = _extractor(lite2.register(), lite2.LAYER, weights)
    caveat = "lite2 is not the network of published FIDs; its figures compare among themselves only"
    return FeatureNetwork(
        "lite2", lite2.RESIZE, int(lite2.LAYER), weights.sha256[:8], module, device, caveat
    )


NETWORKS: Mapping[str, Callable[[Path | None, torch.device], FeatureNetwork]] = {
    "inception": _inception,
    "lite2": _lite2,
}


def _extractor(name: str, layer: str, weights: Weights) -> nn.Module:
    """Build a network of torch-fidelity's registry, frozen and in evaluation mode."""
    from torch_fidelity.utils import create_feature_extractor

    create: Callable[..., nn.Module] = create_feature_extractor
    return create(
        name, [layer], cuda=False, verbose=False, feature_extractor_weights_path=weights.file
    )


def _passes(batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """Cut batches of any sizes into parts of ``PASS`` images; the last may be shorter."""
    pending: Tensor | None = None
    for batch in batches:
        pending = batch if pending is None else torch.cat([pending, batch])
        while len(pending) >= PASS:
            yield pending[:PASS]
            pending = pending[PASS:]
    if pending is not None and len(pending):
        yield pending
