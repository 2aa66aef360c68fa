"""Is a training healthy? Measures of a batch of images, and one plain sentence with what helps.

The limits were set by runs made to fail on 12,000 real faces; the table is in
``tests/benchmarks/health.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from animegan_cli.settings import Settings

HEALTHY = "healthy"
VIEW = 24  # pixels: small enough to ignore noise and fine lines
DUPLICATE = 0.25  # of the usual distance between a real image and its nearest other one
MANY_DUPLICATES = 0.2
LOW_DIVERSITY = 0.3
RUNAWAY_LOSS = 50.0  # logits that far from 0 teach nobody
WARM_UP_NIMG = 30_000  # before that every G repeats itself


@dataclass(frozen=True)
class Variety:
    """How much images differ from each other.

    Attributes:
        distance: mean root-mean-square difference of two images, pixels in [0, 1].
        nearest: median of that between each image and its nearest other one.
        nearest_of_each: that for each image, ``[N]``.
    """

    distance: float
    nearest: float
    nearest_of_each: Tensor


def variety(images: Tensor) -> Variety:
    """Measure images ``[N, 3, S, S]``, uint8, N >= 2, at 24 x 24 pixels."""
    small = F.interpolate(images.float() / 255, size=VIEW, mode="area").flatten(1)
    distances = torch.cdist(small, small) / small.shape[1] ** 0.5
    n = len(images)
    mean = float(distances.sum() / (n * (n - 1)))
    nearest = (distances + torch.diag(torch.full((n,), torch.inf))).amin(1)
    return Variety(mean, float(nearest.median()), nearest)


def diversity(fakes: Variety, reals: Variety) -> dict[str, float]:
    """Return the fakes' mean distance over the reals', and the share of near-duplicates.

    A near-duplicate has another image within a quarter of the distance at which a real image
    usually has its nearest. Where the reals are all alike, the diversity is 0.
    """
    limit = max(DUPLICATE * reals.nearest, 1e-3)
    return {
        "diversity": max(fakes.distance / reals.distance, 1e-6) if reals.distance > 1e-3 else 0.0,
        "near_duplicates": float((fakes.nearest_of_each < limit).float().mean()),
    }


def diagnose(stats: Mapping[str, Any], settings: Settings) -> str:
    """Return ``healthy``, or what is wrong with a tick's means and which setting helps.

    Args:
        stats: ``cur_nimg``, ``D_real``, ``D_fake``, ``loss_G``, ``diversity`` (0 if the reals are
            alike) and ``near_duplicates``; what is missing is not judged.
        settings: of the run; better learning rates are named from its own.
    """
    d_lr, g_lr = settings.d_lr, settings.g_lr
    if stats.get("diversity") == 0:
        return "the training images are all alike; name more of them with --data"
    real, fake = stats.get("D_real"), stats.get("D_fake")
    if stats.get("loss_G", 0.0) > RUNAWAY_LOSS:
        return (
            f"D runs away: loss_G {stats['loss_G']:.1g}, its steps are too large; "
            f"try a new run with --d-lr {d_lr / 10:.1g}"
        )
    if real is not None and fake is not None:
        if fake > real + 0.05:
            swapped = settings.objective == "bce" and settings.real_label <= settings.fake_label
            return f"D takes fakes for real (D(x) {real:.2f}, D(G(z)) {fake:.2f}): " + (
                "--real-label must be above --fake-label"
                if swapped
                else f"try a new run with --d-lr {d_lr * 4:.1g}"
            )
        if fake < 0.01 and stats.get("loss_G", 0.0) > 5:
            return (
                f"D is winning: it gives fakes {fake:.3f} and G learns little from that; "
                f"try a new run with --d-lr {d_lr / 4:.1g}"
            )
        if real - fake < 0.02:
            return (
                f"D cannot tell (D(x) {real:.2f}, D(G(z)) {fake:.2f}): "
                f"try a new run with --d-lr {d_lr * 4:.1g}"
            )
    if stats["cur_nimg"] < WARM_UP_NIMG:
        return HEALTHY
    duplicates = stats.get("near_duplicates", 0.0)
    if duplicates > MANY_DUPLICATES:
        return (
            f"G repeats itself: {duplicates:.0%} near-duplicates; "
            f"try a new run with --g-lr {g_lr / 2:.1g}, or with --d-lr {d_lr * 4:.1g}"
        )
    if stats.get("diversity", 1.0) < LOW_DIVERSITY:
        return (
            f"G draws too much alike: {stats['diversity']:.0%} of the variety of real images; "
            "if that does not pass, try a new run with a larger --batch-size"
        )
    return HEALTHY
