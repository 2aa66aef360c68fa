"""What a run opens and writes before its first step."""

from animegan_cli.data import ImageSet, list_images, open_images
from animegan_cli.errors import SnapshotError
from animegan_cli.order import Order
from animegan_cli.pictures import save_png
from animegan_cli.reporting import Reporter
from animegan_cli.run_dir import RunDir
from animegan_cli.sampling import grid_of
from animegan_cli.settings import Settings


def open_training_images(settings: Settings, reporter: Reporter) -> ImageSet:
    """Open the images to learn from, and say how many there are and which cannot be read.

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

    Raises:
        SnapshotError: if its folder cannot be made.
    """
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
        indices, _ = Order(len(images), settings.seed).at(0, min(shown, len(images)))
        save_png(grid_of(images.batch(indices)), run.reals)
