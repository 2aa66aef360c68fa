"""The training of G and D: open, loop, keep.

Everything random in a step is derived from ``(seed, purpose, cur_nimg)`` and the state holds all
the rest, so a continued run does what one never stopped would have done.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import torch
from torch import Tensor

from animegan_cli.codes import learn_codes, share_codes
from animegan_cli.data import ImageSet
from animegan_cli.device import (
    choose_device,
    noise,
    repeatable,
    reuse_freed_memory,
    set_threads,
    use_tensor_cores,
)
from animegan_cli.errors import AnimeganError, DivergedError, ElsewhereError, Interrupted
from animegan_cli.feed import feed_for
from animegan_cli.health import diagnose, diversity, variety
from animegan_cli.keep_best import Judge, check_holdout, split_images
from animegan_cli.order import Order
from animegan_cli.parallel import Ranks, joined, launched
from animegan_cli.reporting import Advance, NullReporter, Reporter
from animegan_cli.run_dir import RunDir
from animegan_cli.run_log import NullLog, RunLog
from animegan_cli.run_start import open_training_images, run_of, write_start_files
from animegan_cli.sampling import in_passes, to_bytes
from animegan_cli.schedules import stage, steps
from animegan_cli.settings import Settings
from animegan_cli.signals import StopRequest, stop_request
from animegan_cli.training_state import (
    TrainingState,
    compile_networks,
    load_state,
    new_state,
    record_steps,
    save_snapshot,
    save_state,
)
from animegan_cli.training_step import train_step

GRID_IMAGES = 64
DEFAULT_TOTAL_KIMG = 1000.0
_NO_LIMIT = 10**15


@dataclass(frozen=True)
class TrainResult:
    """Where a finished training left its results."""

    run: Path
    snapshot: Path
    cur_nimg: int
    elapsed_sec: float


def train(settings: Settings, reporter: Reporter | None = None) -> TrainResult:
    """Train G and D on a folder of images, or continue such a run; the run folder is the result.

    Started by ``torchrun`` in several processes, they train together; the first one reports.

    Raises:
        AnimeganError: for data, settings or a run folder that cannot be used.
        DivergedError: if weights or losses are no longer finite; the last state stays.
        Interrupted: after SIGINT or SIGTERM, once the state is saved.
        ElsewhereError: if that happened in another process of the run.
    """
    check_holdout(settings)
    device = choose_device(settings.device, launched().own_device)
    set_threads(settings.threads)
    reuse_freed_memory()
    use_tensor_cores(device)
    with (
        joined(device) as ranks,
        repeatable(settings.deterministic),
        run_of(settings, ranks) as run,
    ):
        shown = (reporter if ranks.first else None) or NullReporter()
        return _train(settings, run, device, ranks, shown)


def _train(
    settings: Settings, run: RunDir, device: torch.device, ranks: Ranks, reporter: Reporter
) -> TrainResult:
    # Open the run's networks and images.
    with ranks.together():
        state = new_state(settings, device, ranks, reporter, begun=bool(run.states()))
        record_steps(state, settings, reporter)
    with ranks.together(), ranks.one_before_the_others():
        opened = open_training_images(settings, reporter, run)
        images, held = split_images(opened, settings, reporter)
    with ranks.together():
        judge = (
            Judge(held, run, settings, device, reporter)
            if held is not None and settings.evaluate_every
            else None
        )
        if run.states():
            load_state(run, state, settings, images.digest, reporter)
        if ranks.first:
            write_start_files(run, settings, images, GRID_IMAGES)
        if ranks.first and not run.states():
            learn_codes(state, settings, images, reporter)
    (plain,) = ranks.agree(int(state.dtype is torch.float32))  # each has timed it by itself
    state.dtype = torch.float32 if plain else state.dtype
    if not run.states():
        with ranks.in_contact():
            share_codes(state)
    compile_networks(state, settings.compile, reporter)
    if device.type == "cuda" and settings.recipe == "modern":
        reporter.note("--recipe modern-gpu makes more of a GPU, in batches of 128")

    # Train.
    log = RunLog(run, state.cur_nimg) if ranks.first else NullLog()
    with log, stop_request(patient=ranks.count > 1) as stop:
        loop = _Loop(state, settings, images, run, log, reporter, stop, judge)
        if loop.over():
            reporter.note(f"{run.path} is complete; a larger --total-kimg or --minutes goes on")
        try:
            with ranks.in_contact():
                loop.run_to_end()
        except DivergedError:  # of weights that all processes share: the first one says so
            if ranks.first:
                raise
            raise ElsewhereError(0, DivergedError.exit_status) from None
        except torch.OutOfMemoryError:
            grown = loop.batch_size > settings.batch_size
            micro = settings.family == "projected" and (settings.micro_batch or 0) != 1
            raise AnimeganError(
                f"out of memory on {device} at --batch-size {settings.batch_size}"
                + (f", grown to {loop.batch_size}" if grown else "")
                + "; use "
                + (f"--micro-batch {_smaller(settings, loop.batch_size)}, " if micro else "")
                + ("--batch-kimg 0, " if grown else "")
                + "a smaller --batch-size, or a smaller --width"
            ) from None

    # Keep the result.
    snapshot = run.snapshot(state.cur_nimg)
    if not snapshot.is_file():
        save_snapshot(run, state, settings)
    return TrainResult(run.path, snapshot, state.cur_nimg, state.elapsed_sec)


class _Loop:
    """The loop and what it needs at each turn."""

    def __init__(
        self,
        state: TrainingState,
        settings: Settings,
        images: ImageSet,
        run: RunDir,
        log: RunLog | NullLog,
        reporter: Reporter,
        stop: StopRequest,
        judge: Judge | None,
    ) -> None:
        self.state, self.settings, self.images = state, settings, images
        self.run, self.log, self.reporter, self.stop, self.judge = run, log, reporter, stop, judge
        order = Order(len(images), settings.seed, settings.mirror)
        every = settings.d_iter_step
        if settings.family == "projected":  # which asks for reals where either network learns
            every = math.gcd(every, settings.g_iter_step)
        self.feed = feed_for(images, order, state.device, state.ranks, every)
        self.batch_size = self.stage().batch_size
        self.total_nimg = _total_nimg(settings, len(images))
        self.sample_kimg = settings.sample_kimg or len(images) / 1000
        self.started_at = time.monotonic() - state.elapsed_sec
        self.saved_sec = state.elapsed_sec
        self.out_of_time = self.late()
        shown = max(2, min(GRID_IMAGES, len(images)))
        self.tick_sec, self.tick_nimg = state.elapsed_sec, state.cur_nimg
        self.real_variety = variety(images.batch(order.at(0, shown)[0]))

    def run_to_end(self) -> None:
        """Train until a limit is reached or a signal asks to stop."""
        state, settings = self.state, self.settings
        if state.cur_nimg == 0:
            self.log.grid(self.fixed_grid(), 0)
        with _progress(self.reporter, state, settings, self.total_nimg) as advance:
            while not self.over():
                # One iteration; then all processes agree on the time.
                now = self.stage()
                self.batch_size = now.batch_size
                train_step(state, now, lambda: self.feed.at(state.cur_nimg, self.batch_size))
                state.elapsed_sec = time.monotonic() - self.started_at
                due = state.elapsed_sec - self.saved_sec >= settings.state_minutes * 60
                signum, late, due_now = state.ranks.agree(self.stop.signum, self.late(), due)
                self.out_of_time = bool(late)
                advance(self.batch_size)

                # Write statistics, draw the fixed noise, keep a snapshot.
                if self.crossed(settings.tick_kimg):
                    self.tick()
                if self.crossed(self.sample_kimg):
                    self.log.grid(self.fixed_grid(), state.cur_nimg)
                kept = self.crossed(settings.snapshot_kimg)
                scored = self.judge and (self.crossed(settings.evaluate_every or 1) or self.over())
                if kept or scored:
                    state.check_finite(steps(state.cur_nimg, settings))
                if kept:
                    save_snapshot(self.run, state, settings)
                if scored:
                    self.evaluate()

                # Save the state, always where there is something to draw with.
                if due_now or self.over() or signum or kept or scored:
                    save_state(self.run, state, settings, self.images.digest)
                    self.saved_sec = state.elapsed_sec
                if signum and not self.over():
                    save_snapshot(self.run, state, settings)
                    raise self.interrupted(signum)

    def stage(self) -> Settings:
        """Return the settings of the next step."""
        return stage(self.state.cur_nimg, self.settings)

    def over(self) -> bool:
        """Return whether a limit on images or minutes is reached."""
        return self.out_of_time or self.state.cur_nimg >= self.total_nimg

    def late(self) -> bool:
        """Return whether the minutes are over by this process's clock."""
        minutes = self.settings.minutes
        return minutes is not None and self.state.elapsed_sec >= minutes * 60

    def interrupted(self, signum: int) -> AnimeganError:
        """Return the error that ends a process which was asked to stop; the first one says why."""
        if not self.state.ranks.first:
            return ElsewhereError(0, 128 + signum)
        run = quote(str(self.run.path))
        return Interrupted(
            f"stopped after {self.state.cur_nimg:,} images, state saved; "
            f"continue with: animegan train --run {run}, draw with: animegan sample --run {run}",
            signum,
        )

    def crossed(self, kimg: float) -> bool:
        """Return whether the last iteration reached or passed a multiple of ``kimg``."""
        after, nimg = self.state.cur_nimg, kimg * 1000
        return int(after / nimg) > int((after - self.batch_size) / nimg)

    def fixed_grid(self) -> Tensor:
        """Draw 64 images from the same noise at every call, in evaluation mode."""
        z = noise((GRID_IMAGES, self.settings.z_dim), self.settings.seed, "grid")
        return to_bytes(in_passes(self.state.drawer, z, self.state.device))

    def tick(self) -> None:
        """Write the means since the last tick."""
        state = self.state
        state.check_finite(steps(state.cur_nimg, self.settings))
        seconds = max(state.elapsed_sec - self.tick_sec, 1e-9)
        stats: dict[str, float | str] = {
            "cur_nimg": state.cur_nimg,
            "epoch": round(state.cur_nimg / len(self.images), 4),
            **state.meters.pop_means(),
            **diversity(variety(self.fixed_grid()), self.real_variety),
            "images_per_sec": round((state.cur_nimg - self.tick_nimg) / seconds, 2),
            "elapsed_sec": round(state.elapsed_sec, 2),
        }
        stats["health"] = diagnose(stats, self.settings)
        self.log.tick(stats)
        self.reporter.tick(stats)
        self.tick_sec, self.tick_nimg = state.elapsed_sec, state.cur_nimg

    def evaluate(self) -> None:
        """Score G, keep it if it is the best, and leave that time out of the images per second."""
        assert self.judge is not None
        started = time.monotonic()
        report, best = self.judge.judge(self.state)
        self.log.evaluation(self.state.cur_nimg, report, best)
        self.tick_sec += time.monotonic() - started


def _smaller(settings: Settings, batch_size: int) -> int:
    """Return half of the images that D looks at at once."""
    return max((settings.micro_batch or batch_size) // 2, 1)


def _total_nimg(settings: Settings, n_images: int) -> int:
    limits = []
    if settings.total_kimg is not None:
        limits.append(settings.total_kimg * 1000)
    if settings.epochs is not None:
        limits.append(settings.epochs * n_images)
    if not limits and settings.minutes is None:
        limits.append(DEFAULT_TOTAL_KIMG * 1000)
    return int(min(limits, default=_NO_LIMIT))


@contextmanager
def _progress(
    reporter: Reporter, state: TrainingState, settings: Settings, total_nimg: int
) -> Iterator[Advance]:
    """Show images of the total, or seconds of the time where only that limits the run."""
    if total_nimg < _NO_LIMIT:
        with reporter.task("Training", total_nimg, "image", state.cur_nimg) as advance:
            yield advance
        return
    shown = int(state.elapsed_sec)
    with reporter.task("Training", int((settings.minutes or 0) * 60), "s", shown) as advance:

        def follow_the_clock(_: int) -> None:
            nonlocal shown
            advance(int(state.elapsed_sec) - shown)
            shown = int(state.elapsed_sec)

        yield follow_the_clock
