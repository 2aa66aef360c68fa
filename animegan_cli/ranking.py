"""Score candidates with a discriminator and keep the best."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from operator import length_hint
from pathlib import Path

import torch
from torch import nn

from animegan_cli.atomic import writing, written_whole
from animegan_cli.checkpoints import Snapshot
from animegan_cli.data import normalize
from animegan_cli.pictures import save_png, write_each
from animegan_cli.reporting import NullReporter, Reporter
from animegan_cli.sampling import (
    Batch,
    draw_batch,
    grid_of,
    in_passes,
    on_all_cores,
    provenance,
    to_rows,
    turns,
)
from animegan_cli.seeds import Spans


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
    G, D, turn = snapshot.G, snapshot.D, turns(device)

    def work(chosen: list[int]) -> tuple[list[int], list[float]]:
        with turn:
            return chosen, score_batch(D, draw_batch(G, chosen, mean, std, device), device)

    with writing(scores):
        grid.parent.mkdir(parents=True, exist_ok=True)
        with (
            written_whole(scores) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as table,
            on_all_cores(work, seeds, G, D) as results,
            (reporter or NullReporter()).task(
                "Ranking", total=total or length_hint(seeds)
            ) as advance,
        ):
            table.write("seed,score\r\n")
            for chosen, scored in results:
                for seed, score in zip(chosen, scored, strict=True):
                    kept.add(seed, score)
                    table.write(f"{seed},{score:.6g}\r\n")
                count += len(chosen)
                advance(len(chosen))
    best = kept.best()
    order = [entry.seed for entry in best]
    about = provenance(snapshot, mean, std)

    def draw_again(chosen: list[int]) -> torch.Tensor:
        with turn:
            return draw_batch(G, chosen, mean, std, device).images

    with on_all_cores(draw_again, order, G) as drawn:
        images = torch.cat(list(drawn))
    save_png(grid_of(images), grid, {"seeds": str(Spans(order)), **about})
    paths = []
    if out is not None:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
        paths = write_each(order, to_rows(images), out, about)
    return Ranked(best, count, grid, scores, paths)
