"""Scoring a generator, or a folder of images, against real ones."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from animegan_cli.checkpoints import Snapshot
from animegan_cli.data import ImageSet, open_images
from animegan_cli.device import derived_seed
from animegan_cli.errors import SettingsError
from animegan_cli.listing import list_images
from animegan_cli.metrics import FeatureNetwork, Report, evaluate, load_feature_network, shuffled
from animegan_cli.reporting import Reporter
from animegan_cli.sampling import draw, truncate
from animegan_cli.settings import Settings


def evaluate_against_real(
    settings: Settings, snapshot: Snapshot | None, device: torch.device, reporter: Reporter
) -> Report:
    """Score what a snapshot draws, or the folder ``settings.fake``, against ``settings.real``.

    Real images are brought to the snapshot's size; both folders to ``settings.size``.

    Raises:
        AnimeganError: for folders, settings or feature weights that cannot be used.
    """
    if settings.real is None:
        raise SettingsError(
            "--real DIR is needed: real images, best ones that were not learnt from"
        )
    if snapshot is not None:
        truncate(snapshot.G, 1.0 if settings.truncation is None else settings.truncation)
    network = load_feature_network(settings.features, settings.feature_weights, device)
    size = settings.size if snapshot is None else int(snapshot.shapes.G["size"])
    real = open_folder(settings.real, "--real", size, settings, reporter)
    if snapshot is not None:
        return score_generator(
            snapshot.G, real, network, settings, device, reporter, settings.mean, settings.std
        )
    assert settings.fake is not None
    fake = open_folder(settings.fake, "--fake", size, settings, reporter)
    return _evaluate(real, shuffled(fake, settings.eval_seed), network, settings, reporter)


def score_generator(
    G: nn.Module,
    real: ImageSet,
    network: FeatureNetwork,
    settings: Settings,
    device: torch.device,
    reporter: Reporter,
    mean: float = 0.0,
    std: float = 1.0,
) -> Report:
    """Score what G draws from ``eval_n`` seeds of its own, the same ones every time."""
    return _evaluate(real, _drawn(G, settings, device, mean, std), network, settings, reporter)


def open_folder(
    folder: Path, flag: str, size: int, settings: Settings, reporter: Reporter
) -> ImageSet:
    """Open a folder or zip of images that is not learnt from, with the settings' fit."""
    images = open_images(
        list_images(folder, flag),
        size,
        fit=settings.fit,
        background=settings.background,
        strict=settings.strict,
        cache_dir=settings.cache_dir,
        reporter=reporter,
    )
    if images.skipped:
        name, reason = images.skipped[0]
        reporter.warn(
            f"{flag}: skipped {len(images.skipped):,} files that cannot be read: {name} ({reason})"
            + (" and others" if len(images.skipped) > 1 else "")
        )
    return images


def _drawn(
    G: nn.Module, settings: Settings, device: torch.device, mean: float, std: float
) -> Iterator[Tensor]:
    first = derived_seed(settings.eval_seed, "evaluate", "z") >> 1
    seeds = range(first, first + settings.eval_n)
    return (batch.images for batch in draw(G, seeds, mean=mean, std=std, device=device))


def _evaluate(
    real: ImageSet,
    fake: Iterator[Tensor],
    network: FeatureNetwork,
    settings: Settings,
    reporter: Reporter,
) -> Report:
    return evaluate(
        real,
        fake,
        network,
        settings.eval_n,
        settings.eval_seed,
        cache_dir=settings.cache_dir,
        reporter=reporter,
    )
