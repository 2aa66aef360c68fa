"""Seeds -> latents -> images, grids and files.

One seed gives one image, whatever else is drawn beside it: each seed has its own noise, batch
normalisation uses its running statistics, and the network always sees passes of the same number
of rows (the last one filled up), because a matrix product may round differently at another one.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from operator import length_hint
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from animegan_cli.atomic import writing
from animegan_cli.checkpoints import Snapshot
from animegan_cli.device import noise
from animegan_cli.errors import SettingsError
from animegan_cli.networks.coding import Coding
from animegan_cli.pictures import ONE_FILE, open_output, output_file, save_png
from animegan_cli.reporting import NullReporter, Reporter
from animegan_cli.seeds import Spans, parse_seeds
from animegan_cli.streams import in_order

Result = TypeVar("Result")
PASS = 32
GRID_LIMIT = 1024

# Truncation where a command draws to please: whole faces of 64 rise from 49 to 56, what rank keeps
# from 51 to 59 (58 of real ones; ``tests/benchmarks/blind.py``), and images are less varied.
CLEAN = 0.6

_PADDING = 2


@dataclass(frozen=True)
class Batch:
    """Images ``[N, 3, S, S]``, uint8 on the CPU, and the seed of each."""

    seeds: list[int]
    images: Tensor


@dataclass(frozen=True)
class Written:
    """What ``sample`` wrote: a grid, and the pictures of ``spans`` where it was given a folder."""

    grid: Path
    spans: Spans
    out: Path | None = None
    format: str = "png"

    @property
    def seeds(self) -> str:
        """The seeds as a list that ``--seeds`` reads."""
        return str(self.spans)

    @property
    def images(self) -> list[Path]:
        """Every file that holds pictures."""
        if self.out is None:
            return []
        seeds = [0] if self.format in ONE_FILE else self.spans
        return [output_file(self.out, self.format, seed) for seed in seeds]


def choose_seeds(text: str | None, count: int) -> Iterable[int]:
    """Return the seeds of a list such as ``1,5,10-20``, or 0 up to ``count`` without one."""
    if text is None:
        return range(count)
    return (seed for span in parse_seeds(text) for seed in span)


def count_seeds(text: str | None, count: int) -> int:
    """Return how many seeds ``choose_seeds`` gives."""
    return count if text is None else sum(x.stop - x.start for x in parse_seeds(text))


def latents(seeds: Sequence[int], z_dim: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Return noise ``[N, z_dim]`` from N(mean, std), one independent row per seed."""
    rows = [noise((z_dim,), "sample", seed) for seed in seeds]
    return torch.stack(rows) * std + mean


@contextmanager
def evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """Put a network into evaluation mode without gradients, and back afterwards."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield network
    finally:
        network.train(was_training)


def in_passes(network: nn.Module, rows: Tensor, device: torch.device | str) -> Tensor:
    """Run a network over ``rows`` in passes of ``PASS`` rows; results on the CPU."""
    with evaluating(network):
        results = [
            network(_filled_up(part).to(device))[: len(part)].float().cpu()
            for part in rows.split(PASS)
        ]
        return torch.cat(results) if len(results) > 1 else results[0]


def to_bytes(images: Tensor) -> Tensor:
    """Map images in [-1, 1] to uint8, rounded and clipped."""
    return images.mul(127.5).add(127.5).round().clamp(0, 255).to(torch.uint8)


def to_rows(images: Tensor) -> NDArray[np.uint8]:
    """Return images ``[N, 3, S, S]`` as ``[N, S, S, 3]``."""
    return images.permute(0, 2, 3, 1).contiguous().numpy()


def fitted_coding(G: nn.Module) -> Coding | None:
    """Return what makes noise codes as real images have them before G draws; None without."""
    coding = getattr(G, "coding", None)
    return coding if isinstance(coding, Coding) and coding.fitted else None


def truncation_of(G: nn.Module) -> float:
    """Return how many times as far from their cluster's mean as in training codes are drawn."""
    coding = fitted_coding(G)
    return 1.0 if coding is None else coding.truncation


def truncate(G: nn.Module, truncation: float, name: str = "this generator") -> None:
    """Let G draw from codes so many times as far from their cluster's mean, 0 to 1.

    Args:
        G: changed in place; what it draws afterwards says so (``provenance``).
        truncation: 1 for codes as real images have them, 0 for the means of clusters.
        name: of G, for the error.

    Raises:
        SettingsError: if it is not 1 and G does not draw from codes of real images.
    """
    coding = fitted_coding(G)
    if coding is not None:
        coding.truncation = truncation
    elif truncation != 1:
        raise SettingsError(
            f"--truncation {truncation:g}: {name} does not draw from codes of real images, as runs "
            "of modern do; leave it out, or name such a run with --run"
        )


def draw(
    G: nn.Module,
    seeds: Iterable[int],
    *,
    mean: float = 0.0,
    std: float = 1.0,
    batch_size: int = PASS,
    device: torch.device | str = "cpu",
) -> Iterator[Batch]:
    """Draw one image per seed, ``batch_size`` at a time; memory depends on that alone."""
    for chosen in _parts(seeds, batch_size):
        yield draw_batch(G, chosen, mean, std, device)


def draw_batch(
    G: nn.Module,
    seeds: list[int],
    mean: float = 0.0,
    std: float = 1.0,
    device: torch.device | str = "cpu",
) -> Batch:
    """Draw one image per seed."""
    z = latents(seeds, int(G.z_dim), mean, std)  # type: ignore[arg-type]
    return Batch(seeds, to_bytes(in_passes(G, z, device)))


@contextmanager
def on_all_cores(
    work: Callable[[list[int]], Result], seeds: Iterable[int], *networks: nn.Module
) -> Iterator[Iterator[Result]]:
    """Yield the results of ``work`` for passes of seeds, in order, passes beside each other.

    Each pass has one thread and there are as many passes as torch had threads: networks as small
    as these do not fill several cores with one pass, and while one pass is encoded others are
    drawn. What comes out is the same to the last bit. ``networks`` are those that ``work`` runs.
    """
    lanes = torch.get_num_threads()
    with ExitStack() as stack:
        for network in networks:
            stack.enter_context(evaluating(network))
        stack.callback(torch.set_num_threads, lanes)
        torch.set_num_threads(1)
        yield stack.enter_context(closing(in_order(work, _parts(seeds, PASS), lanes)))


def turns(device: torch.device | str) -> Any:
    """Return what a pass holds while it runs a network: nothing on a CPU, else the accelerator.

    One pass at a time fills an accelerator, and its memory then holds the features of one.
    """
    return nullcontext() if torch.device(device).type == "cpu" else Lock()


def sample(
    snapshot: Snapshot,
    seeds: Iterable[int],
    *,
    grid: Path = Path("sample.png"),
    out: Path | None = None,
    format: str = "png",  # noqa: A002 - the setting's name
    mean: float = 0.0,
    std: float = 1.0,
    device: torch.device | str = "cpu",
    total: int = 0,
    reporter: Reporter | None = None,
) -> Written:
    """Draw images, write them as one grid and, with ``out``, as files of a format into it.

    The grid shows the first 1,024 images. ``png`` and ``webp`` (lossless) are one file per seed
    that says how to draw it again; ``zip`` is one file of such PNG files; ``npz`` one of
    ``images`` ``[N, S, S, 3]`` and ``seeds`` ``[N]``, for which ``total`` must be known if
    ``seeds`` has no length. Memory does not grow with the number of images.

    Raises:
        DataError: if a file cannot be written.
    """
    about = provenance(snapshot, mean, std)
    total = total or length_hint(seeds)
    kept: list[Tensor] = []
    shown, drawn = Spans(), Spans()
    turn = turns(device)
    with writing(grid):
        grid.parent.mkdir(parents=True, exist_ok=True)

    def write_grid() -> None:
        text = {"seeds": str(shown), **about}
        save_png(grid_of(torch.cat(kept)), grid, text, level=1)  # a second for 1,024 images

    with open_output(out, format, about, total) as output, ThreadPoolExecutor(1) as beside:

        def work(chosen: list[int]) -> tuple[Batch, Any]:
            with turn:
                batch = draw_batch(snapshot.G, chosen, mean, std, device)
            return batch, output.prepare(chosen, to_rows(batch.images))

        with (
            on_all_cores(work, seeds, snapshot.G) as results,
            (reporter or NullReporter()).task("Drawing", total=total) as advance,
        ):
            for batch, prepared in results:
                room = GRID_LIMIT - len(drawn)
                if room > 0:
                    kept.append(batch.images[:room])
                    shown.extend(batch.seeds[:room])
                drawn.extend(batch.seeds)
                output.add(prepared)
                if 0 < room <= len(batch.seeds):  # full: written while others are drawn
                    full = beside.submit(write_grid)
                advance(len(batch.seeds))
        if len(drawn) < GRID_LIMIT:
            write_grid()
        else:
            full.result()
    return Written(grid, drawn, out, format)


def provenance(snapshot: Snapshot, mean: float, std: float) -> dict[str, str]:
    """Return that from which, with a seed, an image can be drawn again."""
    about = {"snapshot": snapshot.hash, "mean": str(mean), "std": str(std), "software": "animegan"}
    coding = fitted_coding(snapshot.G)
    return about if coding is None else {**about, "truncation": str(coding.truncation)}


def grid_of(images: Tensor) -> NDArray[np.uint8]:
    """Lay images ``[N, 3, S, S]`` out in a near-square grid ``[H, W, 3]``, row by row.

    As ``torchvision.utils.make_grid`` does; importing that takes longer than importing torch.
    """
    if len(images) == 1:
        (alone,) = to_rows(images)
        return np.ascontiguousarray(alone)
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    height, width = (side + _PADDING for side in images.shape[2:])
    grid = np.full((rows * height + _PADDING, columns * width + _PADDING, 3), 255, np.uint8)
    for i, pixels in enumerate(to_rows(images)):
        top, left = i // columns * height + _PADDING, i % columns * width + _PADDING
        grid[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return grid


def _parts(seeds: Iterable[int], size: int) -> Iterator[list[int]]:
    remaining = iter(seeds)
    while chosen := list(islice(remaining, size)):
        yield chosen


def _filled_up(part: Tensor) -> Tensor:
    """Repeat the last row up to ``PASS`` rows, in the same memory order.

    ``torch.cat`` may change that order, and D took a third longer for images in the other one.
    """
    if len(part) == PASS:
        return part
    order = torch.contiguous_format
    if part.dim() == 4 and part.is_contiguous(memory_format=torch.channels_last):
        order = torch.channels_last
    rows = torch.arange(PASS, device=part.device).clamp_(max=len(part) - 1)
    return part[rows].contiguous(memory_format=order)
