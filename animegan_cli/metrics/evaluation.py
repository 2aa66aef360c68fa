"""Generated images against real ones, always beside a floor and a ceiling.

One n holds for everything: the reference, the other half of the real images (the floor), the
generated images and plain noise (the ceiling) are sets of n images each. The Frechet distance is
biased upwards at small n, and so are its floor and its ceiling, by about as much; that is what
makes the three comparable, and why n is halved rather than the reference enlarged.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from torch import Tensor

from animegan_cli.data import ImageSet
from animegan_cli.device import generator
from animegan_cli.metrics import cache
from animegan_cli.metrics.distances import density_coverage, frechet, kid, precision_recall
from animegan_cli.metrics.features import PASS, FeatureNetwork
from animegan_cli.metrics.statistics import gaussian
from animegan_cli.metrics.weights import EvaluationError
from animegan_cli.reporting import NullReporter, Reporter

DEFAULT_N = 5000
FEWEST = 50


@dataclass(frozen=True)
class Scores:
    """One set of n images against the reference; ``frechet`` is None where n cannot bear it."""

    frechet: float | None
    kid: float
    kid_stderr: float
    precision: float
    recall: float
    density: float
    coverage: float


@dataclass(frozen=True)
class Report:
    """The scores of generated images and all that is needed to read them.

    Attributes:
        network, resize: the feature network, and the size in pixels that it sees.
        n: images in each set.
        seed: of the choice of real images, of the noise and of KID's subsets.
        yours, floor, noise: generated images, other real images and noise against the reference.
        notes: what a reader must know, one line each.
    """

    network: str
    resize: int
    n: int
    seed: int
    yours: Scores
    floor: Scores
    noise: Scores
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {**asdict(self), "notes": list(self.notes)}

    def sentence(self) -> str:
        """Say the distance beside its floor and ceiling; KID where there is no Frechet distance."""
        known = self.yours.frechet is not None
        floor, yours, noise = (
            _distance(s.frechet) if s.frechet is not None else f"{s.kid:.3g}"
            for s in (self.floor, self.yours, self.noise)
        )
        metric = "Frechet distance" if known else "KID"
        error = "" if known else f" +- {self.yours.kid_stderr:.2g}"
        return (
            f"floor {floor}, yours {yours}{error}, noise {noise} ({metric}, "
            f"{self.network} at {self.resize} px, n = {self.n}, seed {self.seed})"
        )


def evaluate(
    real: ImageSet,
    fake: Iterable[Tensor],
    network: FeatureNetwork,
    n: int = DEFAULT_N,
    seed: int = 0,
    *,
    cache_dir: Path | None = None,
    reporter: Reporter | None = None,
) -> Report:
    """Score generated images; the features of real ones are kept for the next time.

    Of the real images 2n are used, half as reference and half for the floor; n shrinks to what
    both folders can give, and the report says so.

    Args:
        real: images of the size of the generated ones.
        fake: batches ``[B, 3, H, W]``, uint8, of any sizes; no more than n images are drawn.
        network: see ``load_feature_network``.
        n: images per set.
        seed: of all choices.
        cache_dir: the user's cache folder if not given.
        reporter: where progress goes.

    Raises:
        EvaluationError: if there are fewer than 50 generated or 100 real images.
    """
    reporter = reporter or NullReporter()
    folder = cache_dir or Path(platformdirs.user_cache_dir("animegan"))
    wanted = _enough(min(n, len(real) // 2), "real images", 2, len(real))
    with reporter.task("Features of generated images", total=wanted) as advance:
        generated = network.features(_between(fake, 0, wanted), advance)
    n_used = _enough(len(generated), "generated images", 1, len(generated))
    halves = _real_features(real, 2 * n_used, network, seed, folder, reporter)
    reference, other = halves[::2], halves[1::2]  # interleaved: a larger n keeps both as they are
    floor, noise = _baselines(real, reference, other, network, seed, folder, reporter)
    return Report(
        network=network.name,
        resize=network.resize,
        n=n_used,
        seed=seed,
        yours=score(reference, generated, seed),
        floor=floor,
        noise=noise,
        notes=tuple(_notes(n, n_used, len(real), network)),
    )


def score(reference: Tensor, other: Tensor, seed: int = 0) -> Scores:
    """Compare features ``[N, dim]`` with a reference; no Frechet distance unless N > dim."""
    bears_frechet = min(len(reference), len(other)) > reference.shape[1]
    distance = frechet(gaussian(reference), gaussian(other)) if bears_frechet else None
    kid_mean, kid_stderr = kid(reference, other, seed)
    precision, recall = precision_recall(reference, other)
    density, coverage = density_coverage(reference, other)
    return Scores(distance, kid_mean, kid_stderr, precision, recall, density, coverage)


def shuffled(images: ImageSet, seed: int, purpose: str = "fake") -> Iterator[Tensor]:
    """Yield batches ``[B, 3, S, S]`` of all images in an order that follows from the seed."""
    order = torch.randperm(len(images), generator=generator(seed, "evaluate", purpose)).numpy()
    return (images.batch(rows) for rows in np.split(order, range(PASS, len(order), PASS)))


def noise_images(count: int, height: int, width: int, seed: int) -> Iterator[Tensor]:
    """Yield batches of images whose every byte is drawn evenly from 0 to 255."""
    for start in range(0, count, PASS):
        random = generator(seed, "evaluate", "noise", start)
        images = torch.randint(
            0, 256, (PASS, 3, height, width), generator=random, dtype=torch.uint8
        )
        yield images[: count - start]


def _real_features(
    images: ImageSet,
    count: int,
    network: FeatureNetwork,
    seed: int,
    folder: Path,
    reporter: Reporter,
) -> Tensor:
    """Return features of the first ``count`` images of the shuffle; only unknown ones are run."""
    file = folder / f"features-{_key(images, network, seed)}.safetensors"
    known = cache.read_features(file, network.dim)
    if len(known) < count:
        missing = _between(shuffled(images, seed, "real"), len(known), count)
        with reporter.task("Features of real images", total=count, done=len(known)) as advance:
            known = torch.cat([known, network.features(missing, advance)])
        if not cache.write_features(file, known):
            reporter.warn(f"cannot keep the features of real images in {folder}")
    return known[:count]


def _baselines(
    images: ImageSet,
    reference: Tensor,
    other: Tensor,
    network: FeatureNetwork,
    seed: int,
    folder: Path,
    reporter: Reporter,
) -> tuple[Scores, Scores]:
    """Return the scores of other real images and of noise; both depend on the real folder only."""
    n = len(reference)
    file = folder / f"baselines-{_key(images, network, seed)}-{n}.json"
    known = cache.read_json(file)
    if known is None:
        height, width = images.pixels.shape[1:3]
        with reporter.task("Features of noise", total=n) as advance:
            noise = network.features(noise_images(n, height, width, seed), advance)
        known = [asdict(score(reference, features, seed)) for features in (other, noise)]
        cache.write_json(file, known)
    return Scores(**known[0]), Scores(**known[1])


def _key(images: ImageSet, network: FeatureNetwork, seed: int) -> str:
    return f"{cache.CACHE_VERSION}-{images.digest}-{network.key}-{seed}"


def _enough(n: int, what: str, sets: int, found: int) -> int:
    if n < FEWEST:
        fewest = FEWEST * sets
        used = found if found < fewest else n * sets
        raise EvaluationError(f"too few {what} to score: {used}, and {fewest} are the fewest")
    return n


def _between(batches: Iterable[Tensor], start: int, stop: int) -> Iterator[Tensor]:
    """Yield images number ``start`` up to ``stop`` of batches, drawing none beyond."""
    seen = 0
    for batch in batches:
        part = batch[max(start - seen, 0) : stop - seen]
        seen += len(batch)
        if len(part):
            yield part
        if seen >= stop:
            return


def _notes(n: int, n_used: int, n_real: int, network: FeatureNetwork) -> Iterator[str]:
    if n_used < n:
        real_end = n_used == n_real // 2
        short = (
            f"the {n_real:,} real images make two sets" if real_end else "no more generated images"
        )
        yield f"n = {n_used:,} and not {n:,}: {short}"
    if n_used <= network.dim:
        yield (
            f"no Frechet distance: {n_used:,} images do not determine the covariance of "
            f"{network.dim:,} features; KID holds at any n"
        )
    if network.caveat:
        yield network.caveat


def _distance(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
