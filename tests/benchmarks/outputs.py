"""Sampling and ranking beside the bare networks and Pillow's encoder, memory, and start-up times.

``python tests/benchmarks/outputs.py`` prints one table. Everything runs in turns in one process;
a ratio is the median over the turns.

- *bare network*: ``G(z)``, or ``D(G(z))`` with what ``rank`` scores by for D, over prepared noise,
  32 rows a pass; the faster of one pass on all cores and one pass on each core.
- *bare encoder*: Pillow's PNG encoder with our text chunks, to memory, in a process on each core.
- Network and encoder share the cores, so the best that both can do is the sum of their times.
- *memory*: peak of a process that ranks; a million candidates with tiny networks (16 x 16), since
  what could grow is a candidate's seed, score and line, and not its network.

What was tried, with networks in the box of before on two cores (milliseconds of CPU an image: G
4.1, D 4.4, PNG 1.6, lossless WebP 8.0 by Pillow's default and 0.4 by method 0):

- One thread for G and the encoders on the other core leave that one idle for two thirds of the
  time. A pass with one thread on each core, which draws, encodes and writes, leaves none idle,
  and costs G as much CPU an image as one pass on all cores does.
- The grid of 1,024 images took 1.6 s to compress, as long as drawing 700: now at level 1, and
  while later images are drawn. Below some 2,000 images it still weighs: 0.66 to 0.86 at 1,280.
- Filling up a pass by ``torch.cat`` handed images to D in another memory order: 188 ms a pass and
  not 140. ``rank`` then reached 0.83 to 0.88 of what is bare.
- Start of ``sample --n 1``: 3.3 s more than torch with torchvision, which imports torch's compiler
  for its ``make_grid``; 0.8 s without, with D built when asked for.

Ratios after that, ranked by D's logit, while other work shared the cores: PNG 0.87 (2,560 images),
rank 0.99 and 1.05.
On two idle cores of an EPYC of 2021, 10,000 images, one turn: PNG 1.04 (234 images/s), rank 1.33
(146); why what is bare was the slower was not looked into.
Peak memory of ranking with tiny networks: 539 MB for 1,000 candidates and for 1,000,000.
"""

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from animegan_cli.checkpoints import NetworkShapes, Snapshot, load_snapshot, save_snapshot
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.ranking import judge_of, rank
from animegan_cli.sampling import PASS, draw, latents, sample, to_rows
from animegan_cli.streams import cores

ABOUT = {"seed": "12345", "snapshot": 16 * "0", "mean": "0.0", "std": "1.0", "software": "animegan"}
START = (sys.executable, "-m", "animegan_cli")
RANK = """
import sys
from pathlib import Path
from animegan_cli.checkpoints import load_snapshot
from animegan_cli.ranking import rank
snapshot, count, grid = sys.argv[1:]
rank(load_snapshot(Path(snapshot)), range(int(count)), 16, grid=Path(grid))
status = Path("/proc/self/status").read_text()  # getrusage would count what forked it too
print(float(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--snapshot", type=Path, default=PRETRAINED)
    parser.add_argument("--n", type=int, default=1280, help="images a turn")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--speed", nargs="*", default=["png", "zip", "webp", "npz", "rank"])
    parser.add_argument("--candidates", type=int, default=1_000_000, help="0 leaves memory out")
    parser.add_argument("--starts", type=int, default=3)
    options = parser.parse_args()
    snapshot = load_snapshot(options.snapshot)
    print("| what | | bare | animegan | ratio |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.n:
            show_speed(snapshot, options.n, options.turns, options.speed, folder)
        if options.candidates:
            show_memory(options.candidates, folder)
        if options.starts:
            show_starts(options.starts, folder)


def show_speed(snapshot: Snapshot, n: int, turns: int, what: list[str], folder: Path) -> None:
    """Print the rates of formats and of ranking, and their ratios to what is bare."""
    G, (D, _) = snapshot.G, judge_of(snapshot)
    z = latents(range(PASS), int(G.z_dim))  # type: ignore[arg-type]
    pixels = np.concatenate([to_rows(batch.images) for batch in draw(G, range(4 * PASS))])
    grid = folder / "grid.png"
    seconds: dict[str, list[float]] = {}

    def run(name: str, count: int, work: Callable[[], object]) -> None:
        seconds.setdefault(name, []).append(timed(work) / count)

    with ProcessPoolExecutor(cores()) as pool:
        for turn in range(turns + 1):
            count = n if turn else 2 * PASS  # the first turn warms up
            many = (pixels[i % len(pixels)] for i in range(count))
            run("G", count, lambda: bare(G, z, count))  # noqa: B023
            if "rank" in what:
                run("G+D", count, lambda: bare(lambda rows: D(G(rows)), z, count))  # noqa: B023
            run("encoder", count, lambda: all(pool.map(encode, many, chunksize=PASS)))  # noqa: B023
            for kind in (kind for kind in what if kind != "rank"):
                out = folder / f"{kind}-{turn}"
                run(
                    kind,
                    count,
                    lambda: sample(snapshot, range(count), grid=grid, out=out, format=kind),  # noqa: B023
                )
            if "rank" in what:
                run("rank", count, lambda: rank(snapshot, range(count), 16, grid=grid))  # noqa: B023
    kept = {name: values[1:] for name, values in seconds.items()}
    both = [a + b for a, b in zip(kept["G"], kept["encoder"], strict=True)]
    for kind, title, theirs in (
        ("png", "sample, PNG files", both),
        ("zip", "sample, zip of PNG", both),
        ("webp", "sample, WebP files", both),
        ("npz", "sample, npz", kept["G"]),
        ("rank", "rank", kept.get("G+D", [])),
    ):
        if kind not in kept:
            continue
        ratio = statistics.median(a / b for a, b in zip(theirs, kept[kind], strict=True))
        rates = [1 / statistics.median(values) for values in (theirs, kept[kind])]
        print(f"| {title} | images/s | {rates[0]:.0f} | {rates[1]:.0f} | {ratio:.2f} |")


def bare(network: Callable[[Tensor], Tensor], z: Tensor, n: int) -> None:
    """Run a network on all cores, in the way that is the faster one here."""
    passes = -(-n // PASS)

    def once(_: int) -> None:
        with torch.no_grad():
            network(z)

    threads = torch.get_num_threads()
    if FASTEST.setdefault("lanes", 0) == 0:
        FASTEST["lanes"] = faster_lanes(once, threads)
    in_lanes(once, passes, FASTEST["lanes"], threads)


FASTEST: dict[str, int] = {}


def faster_lanes(once: Callable[[int], None], threads: int) -> int:
    """Return how many passes beside each other are the fastest: one, or one on each core."""
    times = {}
    for _ in range(2):  # the first warms up
        for lanes in (1, threads):
            times[lanes] = timed(lambda: in_lanes(once, 8, lanes, threads))  # noqa: B023
    return min(times, key=lambda lanes: times[lanes])


def in_lanes(once: Callable[[int], None], passes: int, lanes: int, threads: int) -> None:
    """Run passes, some beside each other, on all threads together."""
    torch.set_num_threads(threads // lanes)
    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(once, range(passes)))
    torch.set_num_threads(threads)


def encode(pixels: NDArray[np.uint8]) -> int:
    """Encode one image as a user would with Pillow; return how many bytes it has."""
    chunks = PngInfo()
    for key, value in ABOUT.items():
        chunks.add_text(key, value)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=chunks)
    return file.tell()


def show_memory(candidates: int, folder: Path) -> None:
    """Print the peak memory of ranking 1,000 candidates and many."""
    shapes = NetworkShapes(
        "classic", {"z_dim": 8, "size": 16, "width": 1}, {"size": 16, "width": 1}
    )
    G, D = shapes.build()
    snapshot = folder / "tiny.safetensors"
    save_snapshot(snapshot, G, D, shapes, "classic", 0)
    peaks = []
    for count in (1000, candidates):
        command = [sys.executable, "-c", RANK, snapshot, str(count), folder / "r.png"]
        peaks.append(float(subprocess.check_output(command, text=True)))
    title = f"rank, memory at 1,000 and {candidates:,} candidates"
    print(f"| {title} | MB | {peaks[0]:.0f} | {peaks[1]:.0f} | {peaks[1] / peaks[0]:.2f} |")


def show_starts(turns: int, folder: Path) -> None:
    """Print how long commands take from nothing, beside importing torch where they need it."""
    grid = folder / "one.png"
    commands = {
        "import torch": (sys.executable, "-c", "import torch"),
        "--help": (*START, "--help"),
        "a bad argument": (*START, "sample", "--n", "0"),
        "sample --n 1": (*START, "sample", "--n", "1", "--snapshot", "pretrained", "--grid", grid),
    }
    seconds: dict[str, list[float]] = {}
    for _ in range(turns):
        for name, command in commands.items():
            run = lambda: subprocess.run(command, capture_output=True, check=False)  # noqa: B023, E731
            seconds.setdefault(name, []).append(timed(run))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    for name in ("--help", "a bad argument"):
        print(f"| start, {name} | s | | {median[name]:.2f} | |")
    torch_sec = median["import torch"]
    more = median["sample --n 1"] - torch_sec
    print(f"| start, sample --n 1 | s | {torch_sec:.2f} (import torch) | {more:.2f} more | |")


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
