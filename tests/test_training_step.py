"""One iteration does what the paper and the lineage say, and nothing else."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from torch import Tensor, nn

from animegan_cli.device import noise
from animegan_cli.networks import classic, winograd
from animegan_cli.networks.winograd import LEAST_CHANNELS
from animegan_cli.objectives import bce
from animegan_cli.settings import Settings
from animegan_cli.training_state import new_state
from animegan_cli.training_step import discriminator_step, generator_step, train_step

Make = Callable[..., Settings]
CPU = torch.device("cpu")


def reals(step: int) -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(step)) * 2 - 1


def test_bce_is_the_published_loss() -> None:
    logits = torch.tensor([-3.0, 0.0, 2.0])
    for label in (0.0, 0.8, 1.0):
        expected = F.binary_cross_entropy(logits.sigmoid(), torch.full((3,), label))
        assert torch.allclose(bce(logits, label), expected)
    assert float(bce(torch.tensor([0.0]), 0.8)) == pytest.approx(0.6931472)
    assert torch.isfinite(bce(torch.tensor([1e4, -1e4]), 0.8))


class Reference:
    """The lineage's loop, written the plain way: sigmoid, BCE, one optimizer each."""

    def __init__(self, settings: Settings) -> None:
        state = new_state(settings, CPU)
        self.G = classic.Generator(settings.z_dim, settings.size, settings.width)
        self.D = classic.Discriminator(settings.size, settings.width)
        self.G.load_state_dict(state.G.state_dict())
        self.D.load_state_dict(state.D.state_dict())
        make = {
            "adam": lambda net, lr: torch.optim.Adam(net.parameters(), lr, betas=(0.5, 0.999)),
            "sgd": lambda net, lr: torch.optim.SGD(net.parameters(), lr),
        }
        self.G_optimizer = make[settings.g_optimizer](self.G, settings.g_lr)
        self.D_optimizer = make[settings.d_optimizer](self.D, settings.d_lr)
        self.settings = settings

    def step(self, i: int, real: Tensor) -> None:
        settings, criterion = self.settings, nn.BCELoss()
        shape, seen = (settings.batch_size, settings.z_dim), i * settings.batch_size
        if (i + 1) % settings.d_iter_step == 0:
            self.D_optimizer.zero_grad()
            criterion(self.D(real).sigmoid(), torch.full((4,), 0.8)).backward()
            fake = self.G(noise(shape, settings.seed, "D", seen)).detach()
            criterion(self.D(fake).sigmoid(), torch.zeros(4)).backward()
            self.D_optimizer.step()
        if (i + 1) % settings.g_iter_step == 0:
            self.G_optimizer.zero_grad()
            fake = self.G(noise(shape, settings.seed, "G", seen))
            criterion(self.D(fake).sigmoid(), torch.full((4,), 0.8)).backward()
            self.G_optimizer.step()


@pytest.mark.parametrize(
    "changes",
    [
        {"d_optimizer": "sgd", "d_lr": 0.02},
        {"d_optimizer": "adam", "g_iter_step": 5},
        {"d_optimizer": "sgd", "g_optimizer": "sgd", "d_iter_step": 3},
        {"d_optimizer": "adam", "d_iter_step": 2, "g_iter_step": 3},
    ],
)
def test_ten_iterations_equal_the_plain_loop(tiny: Make, changes: dict[str, object]) -> None:
    settings = tiny(**changes)
    reference, state = Reference(settings), new_state(settings, CPU)
    start = {key: value.clone() for key, value in state.G.state_dict().items()}
    for i in range(10):
        reference.step(i, reals(i))
        train_step(state, settings, lambda i=i: reals(i))  # type: ignore[misc]
    assert state.cur_nimg == 40
    for ours, theirs in ((state.G, reference.G), (state.D, reference.D)):
        for key, value in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[key], value, rtol=1e-4, atol=1e-5)
    assert any((start[key] != value).any() for key, value in state.G.state_dict().items())


def test_fewer_products_leave_the_weights_of_the_plain_loop(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All weights move alike; plain loops of networks this wide differ by 2e-3 themselves."""
    rates = {"d_optimizer": "sgd", "g_optimizer": "sgd", "d_lr": 0.02, "g_lr": 0.02}
    settings = tiny(width=LEAST_CHANNELS, **rates)
    reference, state = Reference(settings), new_state(settings, CPU)
    G, D = reference.G.main, reference.D.main
    reference.G.forward = lambda z: G(z[:, :, None, None])  # type: ignore[method-assign]
    reference.D.forward = lambda images: D(images).flatten()  # type: ignore[method-assign]
    start = [copy.deepcopy(net.state_dict()) for net in (reference.G, reference.D)]
    convolved, calls = winograd._convolved, []
    monkeypatch.setattr(
        winograd, "_convolved", lambda layer, x: (calls.append(layer), convolved(layer, x))[1]
    )
    reference.step(0, reals(0))
    assert not calls
    train_step(state, settings, lambda: reals(0))
    assert len(calls) == 4  # of D in both of its passes and in G's, and of G where it learns
    for ours, theirs, began in ((state.G, reference.G, start[0]), (state.D, reference.D, start[1])):
        for key, value in theirs.named_parameters():
            off = (ours.get_parameter(key) - value).norm() / (value - began[key]).norm()
            assert float(off.detach()) < 0.01, key


def test_reals_are_fetched_only_for_a_step_of_d(tiny: Make) -> None:
    settings = tiny(d_iter_step=3)
    state, fetched = new_state(settings, CPU), []

    def fetch() -> Tensor:
        fetched.append(state.cur_nimg)
        return reals(0)

    for _ in range(7):
        train_step(state, settings, fetch)
    assert fetched == [8, 20]


def test_no_gradient_reaches_g_in_ds_step(tiny: Make) -> None:
    settings = tiny()
    state = new_state(settings, CPU)
    discriminator_step(state, settings, reals(0))
    assert all(parameter.grad is None for parameter in state.G.parameters())
    assert all(parameter.grad is not None for parameter in state.D.parameters())


def test_d_is_frozen_in_gs_step_and_trainable_after(tiny: Make) -> None:
    settings = tiny()
    state = new_state(settings, CPU)
    before = [parameter.clone() for parameter in state.D.parameters()]
    generator_step(state, settings)
    assert all(parameter.grad is None for parameter in state.D.parameters())
    assert all((a == b).all() for a, b in zip(before, state.D.parameters(), strict=True))
    assert all(parameter.requires_grad for parameter in state.D.parameters())
    assert all(parameter.grad is not None for parameter in state.G.parameters())


def test_two_batches_with_two_backward_passes(tiny: Make) -> None:
    settings = tiny()
    state, events = new_state(settings, CPU), []

    def watch(_: nn.Module, __: object, logits: Tensor) -> None:
        events.append("forward")
        logits.register_hook(lambda _: events.append("backward"))

    state.D.register_forward_hook(watch)
    discriminator_step(state, settings, reals(0))
    assert events == ["forward", "backward", "forward", "backward"]


def test_the_meters_hold_what_their_names_say(tiny: Make) -> None:
    settings = tiny(d_lr=1e-9, g_lr=1e-9)
    state = new_state(settings, CPU)
    train_step(state, settings, lambda: reals(0))
    means = state.meters.pop_means()
    assert set(means) == {"loss_D", "loss_G", "D_real", "D_fake", "grad_norm_D", "grad_norm_G"}
    twin = new_state(settings, CPU)
    twin.G.requires_grad_(False)
    twin.D.requires_grad_(False)
    real_logits = twin.D(reals(0))
    fake_logits = twin.D(twin.G(noise((4, 8), 0, "D", 0)))
    assert means["D_real"] == pytest.approx(float(real_logits.sigmoid().mean()), abs=1e-5)
    assert means["D_fake"] == pytest.approx(float(fake_logits.sigmoid().mean()), abs=1e-5)
    loss_D = bce(real_logits, 0.8) + bce(fake_logits, 0.0)
    assert means["loss_D"] == pytest.approx(float(loss_D), abs=1e-5)
    loss_G = bce(twin.D(twin.G(noise((4, 8), 0, "G", 0))), 0.8)
    assert means["loss_G"] == pytest.approx(float(loss_G), abs=1e-5)
    for name, network in (("grad_norm_D", state.D), ("grad_norm_G", state.G)):
        gradients = torch.cat(
            [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        )
        assert means[name] == pytest.approx(float(gradients.square().sum().sqrt()), rel=1e-4)
    assert state.meters.pop_means() == {}


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        ("classic", {}),
        ("classic-adam", {}),
        ("modern", {}),
        ("modern", {"narrow_width": 2, "narrow_kimg": 1.0}),
        ("modern", {"grow_kimg": 0.0}),
    ],
)
def test_a_step_makes_no_tensor_on_the_wrong_device(
    recipe: str, changes: dict[str, object]
) -> None:
    settings = Settings(**{**TINY, "recipe": recipe, "g_iter_step": 1, **changes})
    state = new_state(settings, torch.device("meta"))
    assert state.device.type == "meta"
    train_step(state, settings, lambda: torch.empty(4, 3, 16, 16, device="meta"))
    for network in (state.G, state.D):
        assert {value.device.type for value in network.state_dict().values()} == {"meta"}


def test_the_seed_decides_the_weights(tiny: Make) -> None:
    first, same, other = (new_state(tiny(seed=s), CPU).G.state_dict() for s in (1, 1, 2))
    assert all((first[key] == same[key]).all() for key in first)
    assert any((first[key] != other[key]).any() for key in first)
