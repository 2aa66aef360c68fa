"""What changes over a run, as a function of images seen, however long the run will be."""

import math

from animegan_cli.settings import Settings

LOWEST = 0.25
# Lengths that are counted in steps: in batches twice as large they are twice as many images long.
_COUNTED_IN_STEPS = ("g_lr_kimg", "match_kimg", "paired_kimg", "ema_kimg")


def falling(images: float, kimg: float) -> float:
    """Return a factor that is 1 up to ``kimg``, then falls as ``kimg / images`` to a quarter.

    It knows no end, so a run may be made longer at any time. With ``kimg`` = 0 it stays 1.
    """
    return max(LOWEST, min(1.0, kimg * 1000 / max(images, 1))) if kimg else 1.0


def seen(images: float, settings: Settings) -> float:
    """Return images seen, as schedules count; ``init`` begins where they all have ended."""
    return images if settings.init is None else math.inf


def g_lr(images: float, settings: Settings) -> float:
    """Return G's learning rate by now."""
    return settings.g_lr * falling(seen(images, settings), settings.g_lr_kimg)


def match_weight(images: float, settings: Settings) -> float:
    """Return the weight of the mismatch of all images in G's loss by now."""
    return settings.match * falling(seen(images, settings), settings.match_kimg)


def paired_weight(images: float, settings: Settings) -> float:
    """Return the weight of how far images are from the real ones of their codes, by now.

    It falls as a square: what soonest brings faces that are whole holds a run back later.
    """
    return settings.paired * falling(seen(images, settings), settings.paired_kimg) ** 2


def growing(images: float, settings: Settings) -> bool:
    """Return whether both networks still see images of half of the size."""
    return seen(images, settings) < settings.grow_kimg * 1000


def narrowing(images: float, settings: Settings) -> bool:
    """Return whether G still learns with its first channels alone."""
    return seen(images, settings) < settings.narrow_kimg * 1000


def enlarging(images: float, settings: Settings) -> bool:
    """Return whether D looks at images enlarged by ``d_zoom`` by now."""
    return seen(images, settings) >= settings.d_zoom_kimg * 1000


def typifying(images: float, settings: Settings) -> bool:
    """Return whether G is told by now how typical its images are, by images of this run alone."""
    return settings.typical > 0 and images >= settings.typical_kimg * 1000


def doublings(settings: Settings) -> list[int]:
    """Return the images seen at which batches become twice as large: none, or two numbers.

    Small batches make most of the first images, large ones most of the last ones (Smith et al.
    2018, arXiv 1711.00489). They grow where images seen are a multiple of the larger batch.
    """
    if not settings.batch_kimg:
        return []
    after = settings.batch_kimg * 1000
    return [
        math.ceil(times / 2 * after / (times * settings.batch_size)) * times * settings.batch_size
        for times in (2, 4)
    ]


def stage(images: int, settings: Settings) -> Settings:
    """Return the settings by which the next step is done: of the batch, and in proportion to it."""
    times = 2 ** sum(images >= begin for begin in doublings(settings))
    if times == 1:
        return settings
    grown = {name: getattr(settings, name) * times for name in _COUNTED_IN_STEPS}
    return settings.model_copy(update={**grown, "batch_size": settings.batch_size * times})


def last_began(images: int, settings: Settings) -> int:
    """Return the images seen when the last step of so many images began."""
    return max(images - stage(max(images - 1, 0), settings).batch_size, 0)


def steps(images: int, settings: Settings) -> int:
    """Return how many steps so many images take from the start of a run."""
    done, seen, batch_size = 0, 0, settings.batch_size
    for end in [*doublings(settings), images]:
        done += (min(end, images) - seen) // batch_size
        seen, batch_size = min(end, images), batch_size * 2
    return done
