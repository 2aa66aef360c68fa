"""Score candidates with a discriminator and keep the best."""

import csv
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from animegan_cli.atomic import written_whole
from animegan_cli.checkpoints import Snapshot
from animegan_cli.data import normalize
from animegan_cli.errors import DataError
from animegan_cli.reporting import NullReporter, Reporter
from animegan_cli.sampling import (
    Batch,
    compact,
    draw,
    grid_of,
    in_passes,
    provenance,
    save_png,
    write_images,
)


@dataclass(frozen=True)
class Scored:
    """One candidate; a higher score (a logit) means that D takes it for more real."""

    score: float
    seed: int


@dataclass(frozen=True)
class Ranked:
    """What ``rank`` wrote; ``best`` is in descending order of score."""

    best: list[Scored]
    candidates: int
    grid: Path
    scores: Path
    images: list[Path]


class TopK:
    """The k best of a stream, in memory for k; equal scores go to the smaller seed."""

    def __init__(self, k: int) -> None:
        self.k = k
        self._heap: list[tuple[float, int]] = []

    def add(self, seed: int, score: float) -> None:
        """Offer one candidate; a score that is not a number counts as the worst."""
        entry = (score if score == score else float("-inf"), -seed)
        if len(self._heap) < self.k:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def best(self) -> list[Scored]:
        """Return what is kept, best first."""
        return [Scored(score, -seed) for score, seed in sorted(self._heap, reverse=True)]


def score_batch(D: nn.Module, batch: Batch, device: torch.device | str = "cpu") -> list[float]:
    """Return D's logit for each image of a batch, in evaluation mode, as a user's PNG shows it."""
    scores: list[float] = in_passes(D, normalize(batch.images), device).tolist()
    return scores


def rank(
    snapshot: Snapshot,
    seeds: Iterable[int],
    top_k: int,
    *,
    grid: Path = Path("result.png"),
    out: Path | None = None,
    mean: float = 0.0,
    std: float = 1.0,
    device: torch.device | str = "cpu",
    total: int = 0,
    reporter: Reporter | None = None,
) -> Ranked:
    """Draw and score one candidate per seed; write the best and every score.

    Only seeds and scores of the best are kept while candidates stream by; the best are drawn
    again from their seeds at the end. ``scores.csv`` lies beside ``grid``, one line a candidate.

    Raises:
        DataError: if a file cannot be written.
    """
    kept = TopK(top_k)
    count = 0
    scores = grid.with_name("scores.csv")
    try:
        grid.parent.mkdir(parents=True, exist_ok=True)
        with (
            written_whole(scores) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
            (reporter or NullReporter()).task("Ranking", total=total) as advance,
        ):
            table = csv.writer(file)
            table.writerow(["seed", "score"])
            for batch in draw(snapshot.G, seeds, mean=mean, std=std, device=device):
                for seed, score in zip(
                    batch.seeds, score_batch(snapshot.D, batch, device), strict=True
                ):
                    kept.add(seed, score)
                    table.writerow([seed, f"{score:.6g}"])
                count += len(batch.seeds)
                advance(len(batch.seeds))
    except OSError as error:
        raise DataError(f"cannot write {scores}: {error.strerror or error}") from None
    best = kept.best()
    order = [entry.seed for entry in best]
    about = provenance(snapshot, mean, std)
    drawn = list(draw(snapshot.G, order, mean=mean, std=std, device=device))
    images = torch.cat([batch.images for batch in drawn])
    save_png(grid_of(images), grid, {"seeds": compact(order), **about})
    paths = write_images(Batch(order, images), out, about) if out is not None else []
    return Ranked(best, count, grid, scores, paths)
