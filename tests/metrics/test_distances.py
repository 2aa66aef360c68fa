"""Distances between sets of features: known answers, and what must not change them."""

import math

import pytest
import torch
from torch import Tensor

pytest.importorskip("torch_fidelity", reason="needs the extra: pip install 'animegan-cli[eval]'")

from animegan_cli.metrics import distances
from animegan_cli.metrics.distances import density_coverage, frechet, kid, precision_recall
from animegan_cli.metrics.statistics import Gaussian, gaussian, neighbour_radii


def normal(count: int, dim: int = 8, shift: float = 0.0, seed: int = 0) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)) + shift


def test_frechet_distance_of_a_set_to_itself_is_zero() -> None:
    fitted = gaussian(normal(400))
    assert frechet(fitted, fitted) == pytest.approx(0, abs=1e-8)


def test_frechet_distance_has_the_closed_form_of_gaussians() -> None:
    """Covariances that share their axes: |m|^2 + sum (sqrt a - sqrt b)^2 over the variances."""
    axes = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64)).Q
    a, b = torch.tensor([[1, 4, 9, 16, 0.25], [4, 4, 1, 0.01, 1]], dtype=torch.float64)
    m = torch.tensor([1.0, 0, -2, 0, 0.5], dtype=torch.float64)
    first = Gaussian(torch.zeros(5).double().numpy(), (axes * a @ axes.T).numpy())
    second = Gaussian(m.numpy(), (axes * b @ axes.T).numpy())
    expected = (m**2).sum() + ((a.sqrt() - b.sqrt()) ** 2).sum()
    assert frechet(first, second) == pytest.approx(float(expected), rel=1e-9)


def test_gaussian_is_fitted_without_bias() -> None:
    features = normal(50)
    fitted = gaussian(features)
    assert fitted.mu == pytest.approx(features.double().mean(0).numpy())
    assert fitted.sigma == pytest.approx(torch.cov(features.double().T).numpy())


def test_order_does_not_matter() -> None:
    a, b = normal(300), normal(300, shift=0.3, seed=1)
    back = b.flip(0)
    assert frechet(gaussian(a), gaussian(b)) == pytest.approx(
        frechet(gaussian(a), gaussian(back)), rel=1e-9
    )
    assert precision_recall(a, b) == pytest.approx(precision_recall(a, back))
    assert density_coverage(a, b) == pytest.approx(density_coverage(a, back))
    value, stderr = kid(a, b)
    assert abs(kid(a, back)[0] - value) < 2 * stderr  # other subsets, the same distance


@pytest.mark.parametrize("block", [1, 7, 64])
def test_blocks_give_what_the_whole_gives(block: int) -> None:
    a, b = normal(150), normal(130, shift=0.4, seed=1)
    distance = (a[:, None] - a[None]).norm(dim=2)
    assert neighbour_radii(a, 5, block) == pytest.approx(distance.sort(1).values[:, 5], rel=1e-3)
    assert precision_recall(a, b, block=block) == pytest.approx(precision_recall(a, b, block=999))
    assert density_coverage(a, b, block=block) == pytest.approx(density_coverage(a, b, block=999))


def test_density_and_coverage_follow_their_definition() -> None:
    a, b = normal(60), normal(40, shift=0.5, seed=1)
    radii = (a[:, None] - a[None]).norm(dim=2).sort(1).values[:, 5]
    within = (a[:, None] - b[None]).norm(dim=2) <= radii[:, None]
    density = float(within.sum()) / (5 * 40)
    coverage = float(within.any(1).sum()) / 60
    assert density_coverage(a, b) == pytest.approx((density, coverage))


def test_a_set_against_itself() -> None:
    a = normal(200)
    assert precision_recall(a, a) == (1, 1)
    assert density_coverage(a, a) == pytest.approx((6 / 5, 1))  # k neighbours and the image itself


def test_distant_sets_share_nothing() -> None:
    a, b = normal(100), normal(100, shift=50, seed=1)
    assert precision_recall(a, b) == (0, 0)
    assert density_coverage(a, b) == (0, 0)


def test_precision_and_recall_tell_real_from_fake() -> None:
    """Fakes within a corner of the real ones are precise; the reverse finds everything."""
    wide, narrow = normal(400), normal(400, seed=1) * 0.2
    assert precision_recall(wide, narrow)[0] == 1
    assert precision_recall(wide, narrow)[1] < 0.2
    assert precision_recall(narrow, wide) == pytest.approx(precision_recall(wide, narrow)[::-1])


def test_one_outlier_raises_precision_but_not_density() -> None:
    real, fake = normal(200), normal(200, shift=20, seed=1)
    outliers = torch.cat([real[:-1], torch.full((1, 8), 40.0)])
    assert precision_recall(outliers, fake)[0] > 0.9
    assert density_coverage(outliers, fake)[0] <= 1 / 5
    assert density_coverage(outliers, fake)[1] <= 1 / 200


def test_one_image_repeated_is_precise_and_nothing_else() -> None:
    real = normal(300)
    repeated = real[:1].expand(300, -1).contiguous()
    precision, recall = precision_recall(real, repeated)
    density, coverage = density_coverage(real, repeated)
    assert precision == 1
    assert density > 0
    assert recall < 0.05
    assert coverage < 0.15


def test_kid_is_the_unbiased_mmd() -> None:
    """The mean over many subsets is the estimate from all images."""
    a, b = normal(40), normal(40, shift=0.5, seed=1)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return ((x @ y.T / 8 + 1) ** 3).double()

    off = 1 - torch.eye(40, dtype=torch.float64)
    within = ((kernel(a, a) * off).sum() + (kernel(b, b) * off).sum()) / (40 * 39)
    expected = float(within - 2 * kernel(a, b).mean())
    assert kid(a, b, subsets=4000)[0] == pytest.approx(expected, rel=0.02)


def test_kid_does_not_depend_on_how_many_images_there_are() -> None:
    small = [kid(normal(60, seed=2 * i), normal(60, shift=0.4, seed=2 * i + 1)) for i in range(30)]
    large = kid(normal(2000, seed=98), normal(2000, shift=0.4, seed=99))
    mean = sum(value for value, _ in small) / len(small)
    assert mean == pytest.approx(large[0], abs=3 * large[1] + 3 * small[0][1] / math.sqrt(30))


@pytest.mark.parametrize("subset_size", [25, 500])
def test_standard_error_of_kid_is_the_spread_of_repetitions(
    subset_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distances, "KID_SUBSET_SIZE", subset_size)
    found = torch.tensor(
        [kid(normal(200, seed=2 * i), normal(200, shift=0.4, seed=2 * i + 1)) for i in range(60)]
    )
    spread, stderr = found[:, 0].std(), found[:, 1].mean()
    assert 0.75 < stderr / spread < 1.33


def test_kid_repeats_with_its_seed() -> None:
    a, b = normal(60), normal(60, seed=1)
    assert kid(a, b, seed=3) == kid(a, b, seed=3)
    assert kid(a, b, seed=3) != kid(a, b, seed=4)
    assert kid(a, b, seed=2**40 + 3) == kid(a, b, seed=3)
