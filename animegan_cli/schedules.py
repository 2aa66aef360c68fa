"""What changes over a run, as a function of images seen, however long the run will be."""

LOWEST = 0.25


def falling(images: float, kimg: float) -> float:
    """Return a factor that is 1 up to ``kimg``, then falls as ``kimg / images`` to a quarter.

    It knows no end, so a run may be made longer at any time. With ``kimg`` = 0 it stays 1.
    """
    return max(LOWEST, min(1.0, kimg * 1000 / max(images, 1))) if kimg else 1.0
