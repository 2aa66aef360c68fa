"""One training iteration: D, then G, then G's average.

Where several processes train, each sees its own rows of the batch, and what depends on more than
a row (gradients, batch statistics, moments) is that of the whole batch.

The classic networks draw two batches of fakes and go backward three times. A projected
discriminator has no batch statistics and its features do not learn, so that both steps share one
batch of fakes and one pass through the frozen features.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.utils.checkpoint import checkpoint

from animegan_cli.augment import Draw, augment
from animegan_cli.codes import codes_for
from animegan_cli.device import generator, noise
from animegan_cli.networks.projected import Discriminator
from animegan_cli.objectives import OBJECTIVES, bce
from animegan_cli.pairing import paired_rows, unlikeness
from animegan_cli.recording import Kind
from animegan_cli.schedules import (
    enlarging,
    g_lr,
    growing,
    match_weight,
    narrowing,
    paired_weight,
    seen,
    typifying,
)
from animegan_cli.settings import Settings
from animegan_cli.training_state import TrainingState

EMA_RAMP = 0.05  # of the images seen: an early average must not remember noise


def train_step(state: TrainingState, settings: Settings, reals: Callable[[], Tensor]) -> None:
    """Do one iteration: D in every ``d_iter_step``-th, G in every ``g_iter_step``-th.

    Args:
        state: changed in place; ``cur_nimg`` grows by ``batch_size``.
        settings: those of the run at this moment (``schedules.stage``).
        reals: called if this iteration needs real images; returns this process's part of them,
            ``[N, 3, S, S]`` in [-1, 1].
    """
    iteration = state.cur_nimg // settings.batch_size + 1
    train_D = iteration % settings.d_iter_step == 0
    train_G = iteration % settings.g_iter_step == 0
    projected = settings.family == "projected"

    def step(images: Tensor | None) -> None:
        if projected and images is not None:
            shared_step(state, settings, images, train_D, train_G)
        elif images is not None:
            discriminator_step(state, settings, images)
        if train_G and not projected:
            generator_step(state, settings)

    narrow = narrowing(state.cur_nimg, settings)
    if not narrow and narrowing(max(state.cur_nimg - settings.batch_size, 0), settings):
        # Adam has seen nothing but zeros of the channels that begin to learn: by what it knows of
        # them, their first steps would be ten times as long.
        state.G_optimizer.state.clear()
    typical = typifying(state.cur_nimg, settings)
    if typical:
        state.atypicality.follow(state.matching, iteration)
    if train_D or train_G:
        state.recorder.run(
            Kind(
                growing(state.cur_nimg, settings),
                enlarging(state.cur_nimg, settings),
                settings.batch_size,
                typical,
                narrow,
                train_D,
                train_G,
            ),
            step,
            reals() if train_D or projected else None,
            state.matching.averages.settled(),
            state.meters,
            (state.D_optimizer, state.G_optimizer),
        )
    state.cur_nimg += settings.batch_size
    if state.G_ema is not None:
        average(state.G_ema, state.G, settings, seen(state.cur_nimg, settings))


def discriminator_step(state: TrainingState, settings: Settings, reals: Tensor) -> None:
    """Update D, reals and fakes as two batches with two backward passes.

    Two batches, because batch normalisation would otherwise mix the statistics of both; two
    backward passes, so that only one graph is alive at a time.
    """
    state.D_optimizer.zero_grad()
    state.D.requires_grad_(True)

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

    state.ranks.average_gradients(state.D)
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
    update_G(state, settings)
    state.meters.add("loss_G", loss.detach())


def shared_step(
    state: TrainingState, settings: Settings, reals: Tensor, train_D: bool, train_G: bool
) -> None:
    """Update the heads of a projected D, then G, on one batch of fakes."""
    D = state.D
    assert isinstance(D, Discriminator)
    objective = OBJECTIVES[settings.objective]
    learnt = D.learnt
    half = growing(state.cur_nimg, settings)
    latents = _latents(state, settings, "G")
    rows = paired_rows(settings.batch_size, state.ranks)
    codes, real_codes = codes_for(state, settings, latents, reals, rows)
    if half:
        reals = F.avg_pool2d(reals, 2)

    # See both batches through the frozen features, augmented alike.
    with state.autocast():
        with torch.set_grad_enabled(train_G):
            fakes = state.G(latents, half, codes, narrowing(state.cur_nimg, settings))
            fake_features = _features(D, fakes, state, settings, "fakes")
            mixed = D.mixing(fake_features)
        with torch.no_grad():
            real_features = _features(D, reals, state, settings, "reals")
            real_mixed = D.mixing(real_features)

    # D: real up, generated down; no gradient reaches G.
    state.D_optimizer.zero_grad()
    learnt.requires_grad_(train_D)
    with state.autocast():
        real_logits = D.judge(real_mixed, real_codes)
        fake_logits = D.judge([x.detach() for x in mixed], codes)
    if train_D:
        loss = objective.D(real_logits, fake_logits)
        loss.backward()
        state.ranks.average_gradients(D)
        state.meters.add("grad_norm_D", gradient_norm(D))
        state.D_optimizer.step()
        state.meters.add("loss_D", loss.detach())
        state.meters.add("D_real", real_logits.detach().sigmoid().mean())
        state.meters.add("D_fake", fake_logits.detach().sigmoid().mean())

    # G: generated up, by the D of this moment.
    learnt.requires_grad_(False)
    if train_G:
        state.G_optimizer.zero_grad()
        with state.autocast():
            fake_logits = D.judge(mixed, codes)
        loss = objective.G(real_logits.detach(), fake_logits)
        state.meters.add("loss_G", loss.detach())
        if settings.match:
            mismatch = state.matching.mismatch(
                reals, real_features, fakes.float(), fake_features, half, state.ranks
            )
            loss = loss + _scheduled(match_weight, state, settings) * mismatch
            state.meters.add("mismatch", mismatch.detach())
            if settings.paired:
                apart = unlikeness(
                    (reals[rows], [x[rows] for x in real_features]),
                    (fakes[rows], [x[rows] for x in fake_features]),
                    state.matching.real_moments(),
                    half,
                    settings.paired_focus,
                ) * (state.ranks.count / -(-settings.batch_size // 2))
                loss = loss + _scheduled(paired_weight, state, settings) * apart
                state.meters.add("unlikeness", apart.detach())
            # Where D's view has changed in this step, what is known is of the one before.
            if state.atypicality.known and state.matching.averages.settled():
                atypical = state.atypicality.loss(fake_features)
                loss = loss + settings.typical * atypical
                state.meters.add("atypical", atypical.detach())
        loss.backward()
        update_G(state, settings)
    learnt.requires_grad_(True)


def update_G(state: TrainingState, settings: Settings) -> None:
    """Move G by its gradients, at the learning rate of this moment."""
    state.ranks.average_gradients(state.G)
    state.meters.add("grad_norm_G", gradient_norm(state.G))
    if settings.g_lr_kimg:
        lr = _scheduled(g_lr, state, settings)
        for group in state.G_optimizer.param_groups:
            group["lr"] = lr
    state.G_optimizer.step()


def _scheduled(
    schedule: Callable[[float, Settings], float], state: TrainingState, settings: Settings
) -> float | Tensor:
    """Return what a schedule says of this moment; a recorded step asks it again at each replay."""
    return state.recorder.number(lambda: schedule(state.cur_nimg, settings), state.device)


@torch.no_grad()
def average(G_ema: nn.Module, G: nn.Module, settings: Settings, images: float) -> None:
    """Move the averaged G towards G; its half-life grows with images seen to ``ema_kimg``."""
    half_life = min(settings.ema_kimg * 1000, EMA_RAMP * images)
    weight = 1 - 0.5 ** (settings.batch_size / half_life)
    ours, theirs = G_ema.state_dict().values(), G.state_dict().values()
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in pairs], [b for _, b in pairs], weight)


def gradient_norm(network: nn.Module) -> Tensor:
    """Return the length of the vector of all gradients, as a scalar on the network's device."""
    return get_total_norm([p.grad for p in network.parameters() if p.grad is not None])


def augmentation(settings: Settings, purpose: str, images: int) -> Tensor:
    """Return the numbers ``[batch_size, 5]`` by which a batch is augmented.

    Args:
        settings: of the step.
        purpose: ``reals`` or ``fakes``; pairs of these are augmented alike.
        images: seen before the step.
    """

    def of(purpose: str) -> Tensor:
        numbers = generator(settings.seed, "augment", purpose, images)
        return torch.rand(settings.batch_size, 5, generator=numbers)

    numbers = of(purpose)
    if settings.paired:
        numbers[::2] = of("reals")[::2]
    return numbers


def _features(
    D: Discriminator, images: Tensor, state: TrainingState, settings: Settings, purpose: str
) -> list[Tensor]:
    """Return D's features of augmented images, looked at ``micro_batch`` at a time.

    Then nothing but the features is kept for the way back, which looks at each part again (Chen et
    al. 2016, arXiv 1604.06174).
    """

    draws = state.recorder.tensor(
        lambda: state.ranks.part(augmentation(settings, purpose, state.cur_nimg)), state.device
    )

    def look(images: Tensor, numbers: Tensor) -> list[Tensor]:
        if settings.augment:
            images = augment(images, Draw.from_uniform(numbers), settings.augment)
        return D.features(images, enlarging(state.cur_nimg, settings))

    at_once = settings.micro_batch or len(images)
    if at_once >= len(images):
        return look(images, draws)
    parts = [
        checkpoint(look, *part, use_reentrant=False, preserve_rng_state=False)
        for part in zip(images.split(at_once), draws.split(at_once), strict=True)
    ]
    return [torch.cat(maps) for maps in zip(*parts, strict=True)]


def _latents(state: TrainingState, settings: Settings, purpose: str) -> Tensor:
    """Return this process's rows of a batch of noise."""

    def normal() -> Tensor:
        shape = (settings.batch_size, settings.z_dim)
        return state.ranks.part(noise(shape, settings.seed, purpose, state.cur_nimg))

    return state.recorder.tensor(normal, state.device)
