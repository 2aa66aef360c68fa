"""The networks that a command draws with, as its settings name them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from animegan_cli.cli.console import RichReporter, stderr
from animegan_cli.errors import SettingsError
from animegan_cli.settings import Settings
from animegan_cli.sources import Resolved

if TYPE_CHECKING:
    import torch

    from animegan_cli.checkpoints import Snapshot


def drawing_settings(resolved: Resolved) -> Settings:
    """Return the settings of a command that draws, if they name its networks once.

    Raises:
        SettingsError: if they do so twice.
    """
    if resolved.origin["run"] == resolved.origin["snapshot"] == "flag":
        raise SettingsError("--run and --snapshot: both say what to draw with; leave one out")
    return resolved.settings


def networks(settings: Settings, usual: float = 1.0) -> "tuple[Snapshot, Path, torch.device]":
    """Load the snapshot that the settings name, or the newest one of the run.

    ``usual`` is its truncation if the settings say nothing and it draws from codes.
    """
    from animegan_cli.checkpoints import load_snapshot
    from animegan_cli.device import choose_device, set_threads
    from animegan_cli.pretrained import PRETRAINED
    from animegan_cli.run_dir import BEST, find_snapshot
    from animegan_cli.sampling import fitted_coding, truncate

    path = settings.snapshot or find_snapshot(settings.run)
    device = choose_device(settings.device)
    set_threads(settings.threads)
    snapshot = load_snapshot(path, device)
    name = "the pretrained faces that animegan brings" if path == PRETRAINED else str(path)
    coded = fitted_coding(snapshot.G) is not None
    truncation = settings.truncation
    if truncation is None:
        truncation = usual if coded else 1.0
    truncate(snapshot.G, truncation, name)
    why = "" if path != PRETRAINED or settings.snapshot else "no snapshot in runs: "
    best = ", the best by score" if path.name == BEST else ""
    how = f"{best}, truncation {truncation:g}" if truncation != 1 else best
    reporter = RichReporter(stderr, settings.quiet)
    reporter.note(f"{why}drawing with {name} ({snapshot.cur_nimg:,} images seen{how})")
    if settings.std not in (0, 1) and not settings.mean and hasattr(snapshot.G, "by_direction"):
        reporter.warn(
            f"--std {settings.std:g} changes nothing here: this generator looks at the direction "
            f"of the noise alone{'; --truncation makes images less varied' if coded else ''}"
        )
    return snapshot, path, device


def drawn_by(settings: Settings, snapshot: "Snapshot", path: Path) -> dict[str, Any]:
    """Return what a result says of the networks and the noise that drew its images."""
    from animegan_cli.sampling import truncation_of

    noise = {"mean": settings.mean, "std": settings.std, "truncation": truncation_of(snapshot.G)}
    return {"snapshot": path, "snapshot_hash": snapshot.hash, **noise}
