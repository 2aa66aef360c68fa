"""What G is told about the statistics of its images."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from animegan_cli.matching import (
    Averages,
    Matching,
    Side,
    batch_statistics,
    covariance_mismatch,
    moment_mismatch,
    octaves,
    power,
    power_mismatch,
)

CPU = torch.device("cpu")


def test_the_mismatch_is_of_mean_and_spread_of_each_channel() -> None:
    real = torch.randn(64, 2, 3, 3, generator=torch.Generator().manual_seed(2))
    real = real * torch.tensor([1.0, 100.0])[:, None, None]
    unit = real.std(0).square().mean((1, 2)).sqrt()

    def mismatch(*fakes: Tensor) -> float:
        sides = [Side(maps, [], torch.zeros(())) for maps in ([real] * len(fakes), list(fakes))]
        return float(moment_mismatch(*(side.moments for side in batch_statistics(sides))))

    assert mismatch(real) == 0
    wanted = float((2 / unit).square().mean())
    assert mismatch(real + 2, real) == pytest.approx(wanted, rel=1e-4)
    assert mismatch(real.mean(0, keepdim=True).expand_as(real)) == pytest.approx(1.0, rel=1e-4)


def test_the_mismatch_of_covariances() -> None:
    real = torch.diag(torch.tensor([1.0, 4.0, 9.0]))
    fake = real.clone()
    fake[0, 1] = fake[1, 0] = 0.5 * 1 * 2  # half of the two deviations
    assert float(covariance_mismatch([real], [real])) == 0
    assert float(covariance_mismatch([real], [fake])) == pytest.approx(2 * 0.5**2 / 3, rel=1e-4)


def test_what_varies_together_is_told_from_what_only_varies_as_much() -> None:
    """The same features, paired another way: mean and spread agree, the covariance does not."""
    images = torch.zeros(64, 3, 16, 16)
    one = torch.randn(64, 1, 2, 2, generator=torch.Generator().manual_seed(5))
    real = torch.cat([one, one], 1)
    fake = torch.cat([one, one.roll(1, 0)], 1)
    found = {}
    for covariance in (0.0, 0.5):
        matching = Matching(covariance=covariance)
        assert float(matching.mismatch(images, [real], images, [real])) == 0
        found[covariance] = float(matching.mismatch(images, [real], images, [fake]))
    together = one.mean((1, 2, 3))
    apart = together.roll(1, 0) - together.mean()
    together = together - together.mean()
    off = (together @ apart) / (together @ together) - 1
    assert found[0.0] == pytest.approx(0, abs=1e-6)
    assert found[0.5] == pytest.approx(0.5 * float(off**2), rel=1e-3)


def test_averages_have_the_gradients_of_the_batch() -> None:
    averages = Averages(0.75)
    batches = [torch.full((1, 2, 2), float(x)) for x in (1, 3, 5, 7, 9)]
    found = [float(averages.follow("a", x)[0, 0, 0]) for x in batches]
    assert found == [1, 2, 3, 4, 0.75 * 4 + 0.25 * 9]  # a plain mean, until a quarter is less
    longer = Averages(0.75)
    found = [float(longer.follow("a", x, times=5)[0, 0, 0]) for x in batches]
    assert found == pytest.approx([1, 2, 3, 4, 5])  # a plain mean for five times as many
    own = batches[0].clone().requires_grad_()
    followed = averages.follow("a", own)
    followed.square().sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(own.grad, 2 * followed.detach())
    again = Averages(0.75)
    again.load({k: v.clone() for k, v in averages.tensors().items()}, CPU)
    assert torch.equal(again.follow("a", batches[1]), averages.follow("a", batches[1]))
    assert again.tensors().keys() == averages.tensors().keys()
    assert averages.known("a") == 7 * 0.25 / 2
    averages.follow("a", batches[2])
    assert averages.known("a") == 1
    larger = torch.ones(1, 4, 4)
    assert torch.equal(averages.follow("a", larger), larger)
    assert averages.known("a") == 0.25 / 2  # it began anew


@pytest.mark.parametrize("covariance", [0.0, 0.3])
def test_averaged_moments_do_not_ask_for_images_that_differ_less(covariance: float) -> None:
    """The slope of the mismatch at fakes as varied as the reals, for their spread."""

    def slope(beta: float) -> float:
        random, found = torch.Generator().manual_seed(1), []
        matching = Matching(beta, covariance)
        images = torch.zeros(8, 3, 8, 8)
        for _ in range(400):
            spread = torch.ones((), requires_grad=True)
            real, fake = (torch.randn(8, 64, 1, 1, generator=random) for _ in range(2))
            mismatch = matching.mismatch(images, [real], images, [spread * fake])
            mismatch.backward()  # type: ignore[no-untyped-call]
            assert spread.grad is not None
            found.append(float(spread.grad))
        return sum(found[40:]) / len(found[40:])

    chance = slope(0.0)
    assert chance > 0.3
    assert abs(slope(0.9)) < (0.1 * chance if covariance else 0.05)


def test_octaves_add_up_to_the_image() -> None:
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    found = octaves(images, 8)
    assert [x.shape[2] for x in found] == [2, 4, 8, 16]
    torch.testing.assert_close(found[0], F.avg_pool2d(images, 8))
    whole = sum(F.interpolate(x, scale_factor=16.0 / x.shape[2]) for x in found)
    torch.testing.assert_close(whole, images)


def test_lines_at_the_same_place_in_all_images_are_seen() -> None:
    """Neither mean colours nor features know where a line is."""
    random = torch.Generator().manual_seed(6)
    reals = torch.randn(64, 3, 16, 16, generator=random)
    line = torch.zeros(16)
    line[6:8] = torch.tensor([1.0, -1.0])
    matching, features = Matching(), [torch.ones(64, 1, 1, 1)]
    assert float(matching.mismatch(reals, features, reals, features)) == 0
    found = [float(matching.mismatch(reals, features, reals + x * line, features)) for x in (1, 2)]
    assert found[0] > 0.05
    assert found[1] == pytest.approx(4 * found[0])


def test_hatching_is_seen_where_it_is() -> None:
    at = torch.arange(48) * (2 * torch.pi / 48)
    images = {
        "flat": torch.full((2, 3, 48, 48), 0.3),
        "along": torch.cos(16 * at).expand(2, 3, 48, -1),
    }
    images["both"] = images["along"] * torch.cos(8 * at)[:, None]
    found = {name: power(x) / len(x) for name, x in images.items()}
    assert found["flat"].shape == (48, 25)
    assert float(found["flat"].amax()) < 1e-6
    assert int(found["along"].argmax()) == 16
    assert divmod(int(found["both"].argmax()), 25) in ((8, 16), (40, 16))
    # a windowed wave at its own frequency: half of the sum of the window over all pixels
    assert float(found["along"][0, 16]) == pytest.approx((24 * 24 / 2) ** 2, rel=1e-4)


def test_the_mismatch_of_power_is_of_amplitudes() -> None:
    wanted = torch.tensor([[1e3, 1e5]])
    assert float(power_mismatch(wanted, wanted)) == 0
    twice = wanted * torch.tensor([[1.0, 4.0]])
    assert float(power_mismatch(wanted, twice)) == pytest.approx((2 - 1) ** 2 / 2, rel=1e-3)
    assert float(power_mismatch(wanted, wanted * 0)) == pytest.approx(1, abs=5e-3)


def test_a_grey_image_has_a_slope_towards_detail() -> None:
    """Where G draws nothing yet the slope of its amplitudes is finite."""
    random = torch.Generator().manual_seed(8)
    reals = torch.randn(8, 3, 16, 16, generator=random)
    fakes = torch.zeros_like(reals).requires_grad_()
    maps = [torch.randn(8, 2, 1, 1, generator=random)]
    Matching(0.9, detail=1.0).mismatch(reals, maps, fakes, maps).backward()  # type: ignore[no-untyped-call]
    assert fakes.grad is not None
    assert fakes.grad.isfinite().all()
