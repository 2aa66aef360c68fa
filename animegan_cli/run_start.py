"""What a run opens and writes before its first step."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from animegan_cli.data import ImageSet, as_text, open_images
from animegan_cli.listing import list_images
from animegan_cli.order import Order
from animegan_cli.parallel import Ranks
from animegan_cli.pictures import save_png
from animegan_cli.reporting import Reporter
from animegan_cli.run_dir import RUNS, RunDir, claimed, number_of, open_run
from animegan_cli.sampling import grid_of
from animegan_cli.settings import Settings


@contextmanager
def run_of(settings: Settings, ranks: Ranks) -> Iterator[RunDir]:
    """Yield the run of a training, for all of its processes; it is theirs alone until it ends.

    Raises:
        SnapshotError: if it cannot be made, or if another training holds it.
        SettingsError: if it was begun with other settings.
    """
    with ExitStack() as stack:
        with ranks.together():
            run = open_run(settings.run, settings.recipe)
            run.check_same(settings)
            if ranks.first:
                run = stack.enter_context(claimed(run, new=settings.run is None))
        if settings.run is None:
            (number,) = ranks.agree(number_of(run.path) or 0 if ranks.first else 0)
            run = RunDir(RUNS / f"{number:03d}-{settings.recipe}")
        yield run


def open_training_images(
    settings: Settings, reporter: Reporter, run: RunDir | None = None
) -> ImageSet:
    """Open the images to learn from, and say how many there are and which cannot be read.

    A ``run`` that has begun goes on without those that could not be read at first.

    Raises:
        DataError: if there are none.
    """
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
        without=run.read_skipped() if run is not None and run.states() else None,
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


def write_start_files(run: RunDir, settings: Settings, images: ImageSet, shown: int) -> None:
    """Write what a run holds before its first step: settings, skipped files, real images.

    Those of a start that came to no state make room, since its images may have been others.
    """
    for leftover in [*run.path.glob(".*.tmp"), *run.samples.glob(".*.tmp")]:
        leftover.unlink()
    run.write_settings(settings)
    lines = [f"{as_text(name)}\t{reason}\n" for name, reason in images.skipped]
    if lines:
        run.skipped.write_text("".join(lines), "utf-8")
    else:
        run.skipped.unlink(missing_ok=True)
    if not run.reals.is_file() or not run.states():
        indices, _ = Order(len(images), settings.seed).at(0, min(shown, len(images)))
        save_png(grid_of(images.batch(indices)), run.reals)
