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
from animegan_cli.errors import SettingsError
from animegan_cli.pictures import save_png, write_each
from animegan_cli.reporting import NullReporter, Reporter
from animegan_cli.sampling import (
    GRID_LIMIT,
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

_MEANING = {
    "typicality": "best is what is most typical of real images, by D's frozen network",
    "logit": "best is what has D's highest logit",
}


@dataclass(frozen=True)
class Scored:
    """One candidate; a higher score is better: a log likelihood or a logit."""

    score: float
    seed: int


@dataclass(frozen=True)
class Ranked:
    """What ``rank`` wrote; ``best`` is in descending order of what it is scored by."""

    best: list[Scored]
    candidates: int
    scored_by: str
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


def judge_of(snapshot: Snapshot, score_by: str = "auto") -> tuple[nn.Module, str]:
    """Return what scores images, ``[N, 3, S, S]`` to ``[N]``, and its name.

    Args:
        snapshot: its typicality where it knows real images' features, else its D, which is not
            told of codes here.
        score_by: ``auto``, or ``typicality`` or ``logit`` for no other.

    Raises:
        SettingsError: if typicality is asked for and the snapshot does not know it.
    """
    typicality = None if score_by == "logit" else snapshot.typicality
    if typicality is not None:
        return typicality, "typicality"
    if score_by == "typicality":
        raise SettingsError(
            "--score-by typicality: the snapshot holds nothing of real images' features, as of "
            "classic, of short runs and of older versions; use --score-by logit"
        )
    return snapshot.D, "logit"


def score_batch(judge: nn.Module, batch: Batch, device: torch.device | str = "cpu") -> list[float]:
    """Return the score of each image of a batch, in evaluation mode, as a user's PNG shows it."""
    scores: list[float] = in_passes(judge, normalize(batch.images), device).tolist()
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
    score_by: str = "auto",
    reporter: Reporter | None = None,
) -> Ranked:
    """Draw and score one candidate per seed; write the best and every score.

    ``score_by`` is what ``judge_of`` takes. Only seeds and scores of the best are kept while
    candidates stream by; the best are drawn again from their seeds at the end, the first 1,024 of
    them into ``grid``. ``scores.csv`` lies beside it, one line a candidate.

    Raises:
        DataError: if a file cannot be written.
        SettingsError: as ``judge_of``.
    """
    kept = TopK(top_k)
    count = 0
    scores = grid.with_name("scores.csv")
    G, turn = snapshot.G, turns(device)
    judge, name = judge_of(snapshot, score_by)
    reporter = reporter or NullReporter()
    reporter.note(_MEANING[name])

    def work(chosen: list[int]) -> tuple[list[int], list[float]]:
        with turn:
            return chosen, score_batch(judge, draw_batch(G, chosen, mean, std, device), device)

    with writing(scores):
        grid.parent.mkdir(parents=True, exist_ok=True)
        with (
            written_whole(scores) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as table,
            on_all_cores(work, seeds, G, judge) as results,
            reporter.task("Ranking", total=total or length_hint(seeds)) as advance,
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

    if out is not None:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
    shown: list[torch.Tensor] = []
    paths: list[Path] = []
    done = 0
    with (
        on_all_cores(draw_again, order, G) as drawn,
        reporter.task("Drawing", total=len(order)) as advance,
    ):
        for images in drawn:
            if done < GRID_LIMIT:
                shown.append(images[: GRID_LIMIT - done])
            if out is not None:
                paths += write_each(order[done : done + len(images)], to_rows(images), out, about)
            done += len(images)
            advance(len(images))
    seeds_shown = str(Spans(order[:GRID_LIMIT]))
    save_png(grid_of(torch.cat(shown)), grid, {"seeds": seeds_shown, **about})
    return Ranked(best, count, name, grid, scores, paths)
