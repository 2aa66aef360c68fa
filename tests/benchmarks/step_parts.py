"""One training step taken apart: the same work from the same public functions, with marks between.

``speed.py`` reads a clock or a counter of operations at each mark. Whether this is still the step
of ``animegan_cli/training_step.py`` is checked by ``same_weights``: both must leave the same bits.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from animegan_cli.augment import Draw, augment
from animegan_cli.codes import codes_for
from animegan_cli.device import noise
from animegan_cli.health import diversity, variety
from animegan_cli.networks.projected import Discriminator
from animegan_cli.objectives import OBJECTIVES, bce
from animegan_cli.pairing import paired_rows, unlikeness
from animegan_cli.run_dir import RunDir
from animegan_cli.run_log import RunLog
from animegan_cli.sampling import in_passes, to_bytes
from animegan_cli.schedules import match_weight, paired_weight
from animegan_cli.settings import Settings
from animegan_cli.training_loop import GRID_IMAGES
from animegan_cli.training_state import TrainingState, new_state
from animegan_cli.training_step import augmentation, average, gradient_norm, train_step

Reals = Callable[[TrainingState], Tensor]
Mark = Callable[[str], None]
LOGGING = "logging"


class Parts:
    """Sums by name of what a reading grew by since the mark before: seconds, or operations."""

    def __init__(self, reading: Callable[[], float]) -> None:
        self.reading = reading
        self.sums: dict[str, float] = {}
        self.last = reading()

    def start(self) -> None:
        """Forget what happened since the last mark."""
        self.last = self.reading()

    def mark(self, name: str) -> None:
        """Add what happened since the last mark to a part."""
        now = self.reading()
        self.sums[name] = self.sums.get(name, 0.0) + now - self.last
        self.last = now


def marked_step(state: TrainingState, settings: Settings, reals: Reals, mark: Mark) -> None:
    """Do what ``train_step`` does in an iteration that updates both networks, with marks."""
    step = projected_step if settings.family == "projected" else classic_step
    step(state, settings, reals, mark)
    state.cur_nimg += settings.batch_size
    if state.G_ema is not None:
        average(state.G_ema, state.G, settings, state.cur_nimg)
        mark("average of G")


def classic_step(state: TrainingState, settings: Settings, reals: Reals, mark: Mark) -> None:
    """Update D, then G."""
    G, D, meters = state.G, state.D, state.meters
    images = reals(state)
    mark("reading data")

    state.D_optimizer.zero_grad()
    real_logits = D(images)
    real_loss = bce(real_logits, settings.real_label)
    real_loss.backward()
    mark("D on reals")
    with torch.no_grad():
        fakes = G(latents(state, settings, "D"))
    mark("G draws for D")
    fake_logits = D(fakes)
    fake_loss = bce(fake_logits, settings.fake_label)
    fake_loss.backward()
    mark("D on fakes")
    meters.add("grad_norm_D", gradient_norm(D))
    mark(LOGGING)
    state.D_optimizer.step()
    mark("update of D")
    meters.add("loss_D", real_loss.detach() + fake_loss.detach())
    meters.add("D_real", real_logits.detach().sigmoid().mean())
    meters.add("D_fake", fake_logits.detach().sigmoid().mean())
    mark(LOGGING)

    state.G_optimizer.zero_grad()
    D.requires_grad_(False)
    loss = bce(D(G(latents(state, settings, "G"))), settings.real_label)
    mark("G and D forward")
    loss.backward()
    D.requires_grad_(True)
    mark("back to G")
    meters.add("grad_norm_G", gradient_norm(G))
    mark(LOGGING)
    state.G_optimizer.step()
    mark("update of G")
    meters.add("loss_G", loss.detach())
    mark(LOGGING)


def projected_step(state: TrainingState, settings: Settings, reals: Reals, mark: Mark) -> None:
    """Update the heads of a projected D, then G, on one batch of fakes."""
    G, D, meters = state.G, state.D, state.meters
    assert isinstance(D, Discriminator)
    objective = OBJECTIVES[settings.objective]
    images = reals(state)
    mark("reading data")

    z = latents(state, settings, "G")
    rows = paired_rows(settings.batch_size, state.ranks)
    codes, real_codes = codes_for(state, settings, z, images, rows)
    mark("codes of reals")

    with state.autocast():
        fakes = G(z, codes=codes)
        mark("G forward")
        fake_features = D.features(augmented(fakes, state, settings, "fakes"))
        mixed = D.mixing(fake_features)
        mark("features of fakes")
        with torch.no_grad():
            real_features = D.features(augmented(images, state, settings, "reals"))
            real_mixed = D.mixing(real_features)
        mark("features of reals")

    state.D_optimizer.zero_grad()
    with state.autocast():
        real_logits = D.judge(real_mixed, real_codes)
        fake_logits = D.judge([x.detach() for x in mixed], codes)
    D_loss = objective.D(real_logits, fake_logits)
    D_loss.backward()
    mark("heads of D")
    meters.add("grad_norm_D", gradient_norm(D))
    mark(LOGGING)
    state.D_optimizer.step()
    mark("update of D")
    meters.add("loss_D", D_loss.detach())
    meters.add("D_real", real_logits.detach().sigmoid().mean())
    meters.add("D_fake", fake_logits.detach().sigmoid().mean())
    mark(LOGGING)

    D.learnt.requires_grad_(False)
    state.G_optimizer.zero_grad()
    with state.autocast():
        fake_logits = D.judge(mixed, codes)
    loss = objective.G(real_logits.detach(), fake_logits)
    meters.add("loss_G", loss.detach())
    if settings.match:
        mismatch = state.matching.mismatch(images, real_features, fakes.float(), fake_features)
        loss = loss + match_weight(state.cur_nimg, settings) * mismatch
        meters.add("mismatch", mismatch.detach())
        if settings.paired:
            apart = unlikeness(
                (images[rows], [x[rows] for x in real_features]),
                (fakes[rows], [x[rows] for x in fake_features]),
                state.matching.real_moments(),
                focus=settings.paired_focus,
            ) * (1 / len(fakes[rows]))
            loss = loss + paired_weight(state.cur_nimg, settings) * apart
            meters.add("unlikeness", apart.detach())
    mark("loss of G")
    loss.backward()
    mark("back to G")
    meters.add("grad_norm_G", gradient_norm(G))
    mark(LOGGING)
    state.G_optimizer.step()
    D.learnt.requires_grad_(True)
    mark("update of G")


def tick(state: TrainingState, settings: Settings) -> Callable[[], None]:
    """Return what the loop does once in ``tick_kimg``: check, measure 64 images, write."""
    log = RunLog(RunDir(Path(tempfile.mkdtemp())))

    def work() -> None:
        state.check_finite(settings.batch_size)
        z = noise((GRID_IMAGES, settings.z_dim), settings.seed, "grid")
        drawn = variety(to_bytes(in_passes(state.drawer, z, state.device)))
        figures = diversity(drawn, drawn)
        log.tick({"cur_nimg": state.cur_nimg, **state.meters.pop_means(), **figures})

    return work


def same_weights(settings: Settings, device: torch.device, reals: Reals) -> bool:
    """Return whether a step and its parts leave the same bits in every tensor."""
    whole, parts = new_state(settings, device), new_state(settings, device)
    train_step(whole, settings, lambda: reals(whole))
    marked_step(parts, settings, reals, lambda _: None)
    pairs = zip(
        {**whole.network_tensors(), **whole.meters.tensors()}.values(),
        {**parts.network_tensors(), **parts.meters.tensors()}.values(),
        strict=True,
    )
    return all(torch.equal(a, b) for a, b in pairs)


def augmented(images: Tensor, state: TrainingState, settings: Settings, purpose: str) -> Tensor:
    """Augment images as the step does."""
    if not settings.augment:
        return images
    numbers = augmentation(settings, purpose, state.cur_nimg).to(state.device)
    return augment(images, Draw.from_uniform(numbers), settings.augment)


def latents(state: TrainingState, settings: Settings, purpose: str) -> Tensor:
    """Draw noise as the step does."""
    shape = (settings.batch_size, settings.z_dim)
    return noise(shape, settings.seed, purpose, state.cur_nimg).to(state.device)
