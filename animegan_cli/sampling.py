"""Seeds -> latents -> images, grids and PNG files.

One seed gives one image, whatever else is drawn beside it: each seed has its own noise, batch
normalisation uses its running statistics, and the network always sees passes of the same number
of rows (the last one filled up), because a matrix product may round differently at another one.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor, nn
from torchvision.utils import make_grid

from animegan_cli.atomic import written_whole
from animegan_cli.checkpoints import Snapshot
from animegan_cli.device import noise
from animegan_cli.errors import DataError
from animegan_cli.reporting import NullReporter, Reporter
from animegan_cli.seeds import parse_seeds

PASS = 32
GRID_LIMIT = 1024
_PADDING = 2


@dataclass(frozen=True)
class Batch:
    """Images ``[N, 3, S, S]``, uint8 on the CPU, and the seed of each."""

    seeds: list[int]
    images: Tensor


@dataclass(frozen=True)
class Written:
    """What ``sample`` wrote."""

    grid: Path
    images: list[Path]
    seeds: str


def choose_seeds(text: str | None, count: int) -> Iterable[int]:
    """Return the seeds of a list such as ``1,5,10-20``, or 0 up to ``count`` without one."""
    if text is None:
        return range(count)
    return (seed for span in parse_seeds(text) for seed in span)


def count_seeds(text: str | None, count: int) -> int:
    """Return how many seeds ``choose_seeds`` gives."""
    return count if text is None else sum(map(len, parse_seeds(text)))


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
        results = []
        for part in rows.split(PASS):
            padded = torch.cat([part, part[-1:].expand(PASS - len(part), *part.shape[1:])])
            results.append(network(padded.to(device))[: len(part)].float().cpu())
        return torch.cat(results)


def to_bytes(images: Tensor) -> Tensor:
    """Map images in [-1, 1] to uint8, rounded and clipped."""
    return images.mul(127.5).add(127.5).round().clamp(0, 255).to(torch.uint8)


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
    remaining = iter(seeds)
    while chosen := list(islice(remaining, batch_size)):
        z = latents(chosen, int(G.z_dim), mean, std)  # type: ignore[arg-type]
        yield Batch(chosen, to_bytes(in_passes(G, z, device)))


def sample(
    snapshot: Snapshot,
    seeds: Iterable[int],
    *,
    grid: Path = Path("sample.png"),
    out: Path | None = None,
    mean: float = 0.0,
    std: float = 1.0,
    device: torch.device | str = "cpu",
    total: int = 0,
    reporter: Reporter | None = None,
) -> Written:
    """Draw images, write them as one grid and, with ``out``, one PNG per seed.

    The grid shows the first 1,024 images. Each PNG says in its text chunks how to draw it again.

    Raises:
        DataError: if a file cannot be written.
    """
    about = provenance(snapshot, mean, std)
    kept: list[Tensor] = []
    drawn: list[int] = []
    paths: list[Path] = []
    with (reporter or NullReporter()).task("Drawing", total=total) as advance:
        for batch in draw(snapshot.G, seeds, mean=mean, std=std, device=device):
            kept.append(batch.images[: max(GRID_LIMIT - len(drawn), 0)])
            drawn += batch.seeds
            if out is not None:
                paths += write_images(batch, out, about)
            advance(len(batch.seeds))
    save_png(grid_of(torch.cat(kept)), grid, {"seeds": compact(drawn[:GRID_LIMIT]), **about})
    return Written(grid, paths, compact(drawn))


def provenance(snapshot: Snapshot, mean: float, std: float) -> dict[str, str]:
    """Return the text chunks from which, with a seed, an image can be drawn again."""
    return {"snapshot": snapshot.hash, "mean": str(mean), "std": str(std), "software": "animegan"}


def write_images(batch: Batch, folder: Path, about: Mapping[str, str]) -> list[Path]:
    """Write each image of a batch as ``seed-NNNNNNNN.png`` and return the paths."""
    paths = []
    for seed, image in zip(batch.seeds, batch.images, strict=True):
        paths.append(folder / f"seed-{seed:08d}.png")
        save_png(_rows(image), paths[-1], {"seed": str(seed), **about})
    return paths


def grid_of(images: Tensor) -> NDArray[np.uint8]:
    """Lay images ``[N, 3, S, S]`` out in a near-square grid ``[H, W, 3]``, row by row."""
    columns = math.ceil(math.sqrt(len(images)))
    return _rows(make_grid(images, nrow=columns, padding=_PADDING, pad_value=255))


def save_png(pixels: NDArray[np.uint8], path: Path, text: Mapping[str, str] | None = None) -> None:
    """Write ``[H, W, 3]`` bytes as PNG with text chunks, under a temporary name first.

    Raises:
        DataError: if the file cannot be written.
    """
    chunks = PngInfo()
    for key, value in (text or {}).items():
        chunks.add_text(key, value)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            Image.fromarray(pixels).save(temporary, "PNG", pnginfo=chunks)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


def compact(seeds: Sequence[int]) -> str:
    """Write seeds as a list that ``--seeds`` reads: 1, 2, 3, 7 -> ``1-3,7``."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def _rows(image: Tensor) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())
