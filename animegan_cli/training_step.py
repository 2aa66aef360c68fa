"""One training iteration of the classic system: D, then G."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from animegan_cli.device import noise
from animegan_cli.objectives import bce
from animegan_cli.settings import Settings
from animegan_cli.training_state import TrainingState


def train_step(state: TrainingState, settings: Settings, reals: Callable[[], Tensor]) -> None:
    """Do one iteration: D in every ``d_iter_step``-th, G in every ``g_iter_step``-th.

    Args:
        state: changed in place; ``cur_nimg`` grows by ``batch_size``.
        settings: those of the run.
        reals: called if this iteration updates D; returns images ``[N, 3, S, S]`` in [-1, 1].
    """
    iteration = state.cur_nimg // settings.batch_size + 1
    if iteration % settings.d_iter_step == 0:
        discriminator_step(state, settings, reals())
    if iteration % settings.g_iter_step == 0:
        generator_step(state, settings)
    state.cur_nimg += settings.batch_size


def discriminator_step(state: TrainingState, settings: Settings, reals: Tensor) -> None:
    """Update D, reals and fakes as two batches with two backward passes.

    Two batches, because batch normalisation would otherwise mix the statistics of both; two
    backward passes, so that only one graph is alive at a time.
    """
    state.D_optimizer.zero_grad()

    # Real images towards the real label.
    real_logits = state.D(reals)
    real_loss = bce(real_logits, settings.real_label)
    real_loss.backward()

    # Generated images towards the fake label; no gradient reaches G.
    with torch.no_grad():
        fakes = state.G(_latents(state, settings, "D"))
    fake_logits = state.D(fakes)
    fake_loss = bce(fake_logits, settings.fake_label)
    fake_loss.backward()

    state.meters.add("grad_norm_D", gradient_norm(state.D))
    state.D_optimizer.step()
    state.meters.add("loss_D", real_loss.detach() + fake_loss.detach())
    state.meters.add("D_real", real_logits.detach().sigmoid().mean())
    state.meters.add("D_fake", fake_logits.detach().sigmoid().mean())


def generator_step(state: TrainingState, settings: Settings) -> None:
    """Update G towards the real label; D's weights take no part in the backward pass."""
    state.G_optimizer.zero_grad()
    state.D.requires_grad_(False)
    loss = bce(state.D(state.G(_latents(state, settings, "G"))), settings.real_label)
    loss.backward()
    state.D.requires_grad_(True)
    state.meters.add("grad_norm_G", gradient_norm(state.G))
    state.G_optimizer.step()
    state.meters.add("loss_G", loss.detach())


def gradient_norm(network: nn.Module) -> Tensor:
    """Return the length of the vector of all gradients, as a scalar on the network's device."""
    return get_total_norm([p.grad for p in network.parameters() if p.grad is not None])


def _latents(state: TrainingState, settings: Settings, purpose: str) -> Tensor:
    shape = (settings.batch_size, settings.z_dim)
    return noise(shape, settings.seed, purpose, state.cur_nimg).to(state.device, non_blocking=True)
