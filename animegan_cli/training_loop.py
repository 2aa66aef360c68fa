"""The training of G and D: state, step and loop.

Everything random in step ``cur_nimg`` is derived from ``(seed, purpose, cur_nimg)``, and the
state holds all the rest, so a continued run does what one never stopped would have done.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from animegan_cli import checkpoints
from animegan_cli.checkpoints import NetworkShapes, State
from animegan_cli.data import ImageSet, Order, list_images, normalize, open_images
from animegan_cli.device import choose_device, derived_seed, noise, set_threads
from animegan_cli.errors import DataError, DivergedError, Interrupted, SettingsError, SnapshotError
from animegan_cli.meters import Meters
from animegan_cli.objectives import bce
from animegan_cli.reporting import Advance, NullReporter, Reporter
from animegan_cli.run_dir import RunDir, open_run
from animegan_cli.run_log import RunLog
from animegan_cli.sampling import grid_of, in_passes, save_png, to_bytes
from animegan_cli.settings import Settings
from animegan_cli.signals import stop_request

GRID_IMAGES = 64
DEFAULT_TOTAL_KIMG = 1000.0
KEPT_STATES = 2


@dataclass
class TrainingState:
    """All that training changes, on one device."""

    G: nn.Module
    D: nn.Module
    G_optimizer: Optimizer
    D_optimizer: Optimizer
    device: torch.device
    meters: Meters = field(default_factory=Meters)
    cur_nimg: int = 0
    elapsed_sec: float = 0.0

    def check_finite(self) -> None:
        """Stop a run whose weights or losses are lost.

        Raises:
            DivergedError: naming the first tensor that is not finite.
        """
        tensors = {
            **checkpoints.network_tensors("G", self.G),
            **checkpoints.network_tensors("D", self.D),
            **self.meters.tensors(),
        }
        for name, tensor in tensors.items():
            if not torch.isfinite(tensor).all():
                raise DivergedError(
                    f"{name} is not finite after {self.cur_nimg:,} images; nothing of that was "
                    "saved; start again from the last state with lower --g-lr and --d-lr"
                )


@dataclass(frozen=True)
class TrainResult:
    """Where a finished training left its results."""

    run: Path
    snapshot: Path
    cur_nimg: int
    elapsed_sec: float


def network_shapes(settings: Settings) -> NetworkShapes:
    """Return the networks' shapes for the settings of a new run."""
    shared = {"size": settings.size, "width": settings.width}
    return NetworkShapes("classic", {"z_dim": settings.z_dim, **shared}, shared)


def new_state(settings: Settings, device: torch.device) -> TrainingState:
    """Build networks and optimizers for a new run; weights follow from the seed or ``init``.

    Raises:
        SettingsError: if the snapshot to start from has networks of another shape.
    """
    shapes = network_shapes(settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(settings.seed, "init"))
        G, D = shapes.build()
    if settings.init is not None:
        start = checkpoints.load_snapshot(settings.init)
        if start.shapes != shapes:
            raise SettingsError(f"--init {settings.init}: its networks are {start.shapes}")
        G.load_state_dict(start.G.state_dict())
        D.load_state_dict(start.D.state_dict())
    layout = torch.channels_last  # a sixth faster on a CPU, and what CUDA's tensor cores want
    G = G.to(device, memory_format=layout).train()  # type: ignore[call-overload]
    D = D.to(device, memory_format=layout).train()  # type: ignore[call-overload]
    return TrainingState(
        G=G,
        D=D,
        G_optimizer=_optimizer(settings.g_optimizer, G, settings.g_lr, settings),
        D_optimizer=_optimizer(settings.d_optimizer, D, settings.d_lr, settings),
        device=device,
    )


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
    """Update D: reals and fakes as two batches with two backward passes (facts of the lineage)."""
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
    state.G_optimizer.step()
    state.meters.add("loss_G", loss.detach())


def train(settings: Settings, reporter: Reporter | None = None) -> TrainResult:
    """Train G and D on a folder of images, or continue such a run; the run folder is the result.

    Raises:
        AnimeganError: for data, settings or a run folder that cannot be used.
        DivergedError: if weights or losses are no longer finite; the last state stays.
        Interrupted: after SIGINT or SIGTERM, once the state is saved.
    """
    reporter = reporter or NullReporter()
    device = choose_device(settings.device)
    set_threads(settings.threads)

    # Open the run and its images.
    run = open_run(settings.run, settings.recipe)
    run.check_same(settings)
    images = _images(settings, reporter)
    state = new_state(settings, device)
    if run.states():
        _continue(run, state, images, reporter)
    _start_files(run, settings, images)

    # Train.
    total_nimg = _total_nimg(settings, len(images))
    if state.cur_nimg >= total_nimg or _time_is_up(state, settings):
        reporter.note(f"{run.path} is complete; a larger --total-kimg or --minutes continues it")
    with RunLog(run, state.cur_nimg) as log:
        if state.cur_nimg == 0:
            log.grid(_fixed_grid(state, settings), 0)
        with _progress(reporter, state, settings, total_nimg) as advance:
            _loop(state, settings, images, run, log, reporter, total_nimg, advance)

    # Keep the result.
    snapshot = run.snapshot(state.cur_nimg)
    if not snapshot.is_file():
        _save_snapshot(run, state, settings)
    return TrainResult(run.path, snapshot, state.cur_nimg, state.elapsed_sec)


def _loop(
    state: TrainingState,
    settings: Settings,
    images: ImageSet,
    run: RunDir,
    log: RunLog,
    reporter: Reporter,
    total_nimg: int,
    advance: Advance,
) -> None:
    order = Order(len(images), settings.seed, settings.mirror)
    epoch_kimg = len(images) / 1000
    started = time.monotonic() - state.elapsed_sec
    saved_at = tick_at = state.elapsed_sec
    tick_nimg = state.cur_nimg

    def reals() -> Tensor:
        indices, flips = order.at(state.cur_nimg, settings.batch_size)
        batch = images.batch(indices, state.device)
        return normalize(batch, torch.from_numpy(flips).to(state.device, non_blocking=True))

    def crossed(kimg: float) -> bool:
        before = state.cur_nimg - settings.batch_size
        return int(state.cur_nimg / (kimg * 1000)) > int(before / (kimg * 1000))

    with stop_request() as stop:
        while state.cur_nimg < total_nimg and not _time_is_up(state, settings):
            # One iteration.
            train_step(state, settings, reals)
            state.elapsed_sec = time.monotonic() - started
            advance(settings.batch_size)
            over = state.cur_nimg >= total_nimg or _time_is_up(state, settings)

            # Write statistics.
            if crossed(settings.tick_kimg):
                state.check_finite()
                seconds = max(state.elapsed_sec - tick_at, 1e-9)
                stats = {
                    "cur_nimg": state.cur_nimg,
                    "epoch": round(state.cur_nimg / len(images), 4),
                    **state.meters.pop_means(),
                    "images_per_sec": round((state.cur_nimg - tick_nimg) / seconds, 2),
                    "elapsed_sec": round(state.elapsed_sec, 2),
                }
                log.tick(stats)
                reporter.tick(stats)
                tick_at, tick_nimg = state.elapsed_sec, state.cur_nimg

            # Draw the fixed noise.
            if crossed(settings.sample_kimg or epoch_kimg):
                log.grid(_fixed_grid(state, settings), state.cur_nimg)

            # Save snapshot and state.
            if crossed(settings.snapshot_kimg):
                _save_snapshot(run, state, settings)
            due = state.elapsed_sec - saved_at >= settings.state_minutes * 60
            if due or over or stop.signum:
                _save_state(run, state, images)
                saved_at = state.elapsed_sec
            if stop.signum and not over:
                raise Interrupted(
                    f"stopped after {state.cur_nimg:,} images, state saved; "
                    f"continue with: animegan train --run {run.path}",
                    stop.signum,
                )


def _optimizer(kind: str, network: nn.Module, lr: float, settings: Settings) -> Optimizer:
    if kind == "sgd":
        return SGD(network.parameters(), lr, momentum=settings.momentum)
    return Adam(network.parameters(), lr, betas=(settings.beta1, settings.beta2))


def _latents(state: TrainingState, settings: Settings, purpose: str) -> Tensor:
    shape = (settings.batch_size, settings.z_dim)
    return noise(shape, settings.seed, purpose, state.cur_nimg).to(state.device, non_blocking=True)


def _fixed_grid(state: TrainingState, settings: Settings) -> Tensor:
    z = noise((GRID_IMAGES, settings.z_dim), settings.seed, "grid")
    return to_bytes(in_passes(state.G, z, state.device))


def _images(settings: Settings, reporter: Reporter) -> ImageSet:
    listing = list_images(settings.data)
    if settings.data is None:
        reporter.note(f"no --data given: learning from {len(listing):,} built-in avatars")
    images = open_images(
        listing,
        settings.size,
        fit=settings.fit,
        background=settings.background,
        strict=settings.strict,
        cache_dir=settings.cache_dir,
        reporter=reporter,
    )
    if images.skipped:
        named = ", ".join(f"{name} ({reason})" for name, reason in images.skipped[:3])
        more = f" and {len(images.skipped) - 3:,} more" if len(images.skipped) > 3 else ""
        reporter.warn(
            f"skipped {len(images.skipped):,} of {len(listing):,} files that cannot be read: "
            f"{named}{more}; all are listed in skipped.txt of the run"
        )
    reporter.note(f"{len(images):,} images of {settings.size} x {settings.size} pixels")
    return images


def _start_files(run: RunDir, settings: Settings, images: ImageSet) -> None:
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SnapshotError(f"--run {run.path}: {error.strerror}") from None
    for leftover in run.path.glob(".*.tmp"):
        leftover.unlink()
    run.write_settings(settings)
    if images.skipped:
        lines = [f"{name}\t{reason}\n" for name, reason in images.skipped]
        run.skipped.write_text("".join(lines), "utf-8")
    if not run.reals.is_file():
        indices, _ = Order(len(images), settings.seed).at(0, min(GRID_IMAGES, len(images)))
        save_png(grid_of(images.batch(indices)), run.reals)


def _save_snapshot(run: RunDir, state: TrainingState, settings: Settings) -> None:
    checkpoints.save_snapshot(
        run.snapshot(state.cur_nimg),
        state.G,
        state.D,
        network_shapes(settings),
        settings.recipe,
        state.cur_nimg,
    )


def _save_state(run: RunDir, state: TrainingState, images: ImageSet) -> None:
    state.check_finite()
    tensors = {
        **checkpoints.network_tensors("G", state.G),
        **checkpoints.network_tensors("D", state.D),
        **checkpoints.optimizer_tensors("G_optimizer", state.G, state.G_optimizer),
        **checkpoints.optimizer_tensors("D_optimizer", state.D, state.D_optimizer),
        **state.meters.tensors(),
    }
    about = {
        "cur_nimg": state.cur_nimg,
        "elapsed_sec": state.elapsed_sec,
        "data_digest": images.digest,
    }
    path = run.state(state.cur_nimg)
    checkpoints.write_tensors(path, tensors, checkpoints.STATE_FORMAT, about)
    for older in [p for p in run.states() if p != path][: -(KEPT_STATES - 1)]:
        older.unlink()


def _continue(run: RunDir, state: TrainingState, images: ImageSet, reporter: Reporter) -> None:
    """Load the newest state that can be read."""
    for path in reversed(run.states()):
        try:
            tensors, about = checkpoints.read_tensors(path, checkpoints.STATE_FORMAT)
        except SnapshotError as error:
            reporter.warn(f"{error}; trying the state before it")
            continue
        if about["data_digest"] != images.digest:
            raise DataError(
                f"the images are not those that {run.path} was started with "
                f"(now {len(images):,}); choose another --run, and --init with one of its "
                "snapshots to keep what it learnt"
            )
        _load_state(State(tensors, about), state)
        reporter.note(f"continuing {run.path} at {state.cur_nimg:,} images")
        return
    raise SnapshotError(f"no state in {run.path} can be read; choose another --run")


def _load_state(saved: State, state: TrainingState) -> None:
    checkpoints.load_network("G", state.G, saved.tensors)
    checkpoints.load_network("D", state.D, saved.tensors)
    checkpoints.load_optimizer("G_optimizer", state.G, state.G_optimizer, saved.tensors)
    checkpoints.load_optimizer("D_optimizer", state.D, state.D_optimizer, saved.tensors)
    state.meters.load(saved.tensors, state.device)
    state.cur_nimg = saved.counters["cur_nimg"]
    state.elapsed_sec = saved.counters["elapsed_sec"]


def _total_nimg(settings: Settings, n_images: int) -> int:
    limits = []
    if settings.total_kimg is not None:
        limits.append(settings.total_kimg * 1000)
    if settings.epochs is not None:
        limits.append(settings.epochs * n_images)
    if not limits and settings.minutes is None:
        limits.append(DEFAULT_TOTAL_KIMG * 1000)
    return int(min(limits, default=1e15))


def _time_is_up(state: TrainingState, settings: Settings) -> bool:
    return settings.minutes is not None and state.elapsed_sec >= settings.minutes * 60


@contextmanager
def _progress(
    reporter: Reporter, state: TrainingState, settings: Settings, total_nimg: int
) -> Iterator[Advance]:
    """Show images of the total, or seconds of the time where only that limits the run."""
    if total_nimg < 1e15:
        with reporter.task("Training", total_nimg, "image", state.cur_nimg) as advance:
            yield advance
        return
    total_sec = int((settings.minutes or 0) * 60)
    with reporter.task("Training", total_sec, "s", int(state.elapsed_sec)) as advance:
        shown = int(state.elapsed_sec)

        def seconds(count: int) -> None:
            nonlocal shown
            advance(int(state.elapsed_sec) - shown)
            shown = int(state.elapsed_sec)

        yield seconds
