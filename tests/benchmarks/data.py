"""Reading a folder of images: beside a loop in one process, a second start, a map of a million.

``python tests/benchmarks/data.py FACES`` prints one table; the loop and ours run in turns, a ratio
is the median over the turns. The loop is what one process does with Pillow for the same product:
list, open, turn upright, convert, resize and crop, and write the pixels to a file.

What was tried on 12,000 JPEG files of 96 x 96, in microseconds of CPU an image, on two cores that
other work shared; the loop took 203 without writing:

| decoding and writing | what |
| --- | --- |
| 390 | a thread on each core: they wait for Python's lock, which Pillow holds half of the time |
| 250 | the same work in processes of their own |
| 215 | without three copies of each picture (EXIF, convert, numpy) |
| 200 | files read without Python's buffer |
| 230 | the pixels of 64 files joined to one write |

The hash of all pixels takes 29 more as BLAKE2, with which ours was 1.92 times as fast as the loop,
and 16 as SHA-256: 2.07 times (at most 2.53), 3.33 s and 1.73 s; a second start 0.10 s.

A map of a million images adds 10 MB of memory: 9 are the shuffle. What is slow there is the
kernel's readahead (8 MB here) around each image that is not in its cache: 3.6 ms an image, against
0.06 with ``MADV_RANDOM``. We leave it: it is what fills the cache of a smaller map soonest.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from animegan_cli.data import ImageSet, open_images
from animegan_cli.listing import list_images
from animegan_cli.order import Order

MILLION = 1_000_000
BATCHES = 20  # of 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    faces, size = options.faces, options.size
    seconds: dict[str, list[float]] = {"loop": [], "ours": [], "cached": []}
    with tempfile.TemporaryDirectory() as name:
        for turn in range(options.turns):
            cache = Path(name, str(turn))
            seconds["loop"].append(timed(lambda: loop(faces, size, Path(name, "loop"))))
            seconds["ours"].append(timed(lambda: start(faces, size, cache)))  # noqa: B023
            seconds["cached"].append(timed(lambda: start(faces, size, cache)))  # noqa: B023
            count = len(list_images(faces))
        ratios = [a / b for a, b in zip(seconds["loop"], seconds["ours"], strict=True)]
        median = {key: statistics.median(values) for key, values in seconds.items()}
        print("| what | loop | animegan | ratio |\n| --- | --- | --- | --- |")
        print(
            f"| {count:,} files, first start | {median['loop']:.2f} s | {median['ours']:.2f} s "
            f"| {statistics.median(ratios):.2f} (max {max(ratios):.2f}) |"
        )
        print(f"| {count:,} files, second start | | {median['cached']:.2f} s | |")
        show_million(Path(name, "sparse.u8"), size)


def loop(folder: Path, size: int, target: Path) -> None:
    """Decode a folder as one process does with Pillow."""
    with target.open("wb") as file:
        for name in sorted(os.listdir(folder)):  # noqa: PTH208
            with Image.open(folder / name) as image:
                rgb = ImageOps.exif_transpose(image).convert("RGB")
            square = ImageOps.fit(rgb, (size, size), Image.Resampling.LANCZOS)
            file.write(np.asarray(square).tobytes())


def start(folder: Path, size: int, cache: Path) -> None:
    """Do all that comes before the first step: list, decode or find decoded, draw a batch."""
    images = open_images(list_images(folder), size, cache_dir=cache)
    images.batch(Order(len(images), seed=0).at(0, 64)[0])


def show_million(file: Path, size: int) -> None:
    """Print what a map of a million images, a file of holes, costs in memory and in time."""
    with file.open("wb") as sparse:
        sparse.truncate(MILLION * size * size * 3)
    before = own_memory()
    started = time.perf_counter()
    images = ImageSet(np.memmap(file, np.uint8, "r", shape=(MILLION, size, size, 3)), "", [])
    order = Order(len(images), seed=0)
    for step in range(BATCHES):
        images.batch(order.at(step * 64, 64)[0])
    seconds = time.perf_counter() - started
    print(
        f"| a map of {MILLION:,} images ({file.stat().st_size / 2**30:.0f} GiB), {BATCHES} batches "
        f"| | {seconds:.2f} s, {own_memory() - before:.0f} MB more | |"
    )


def own_memory() -> float:
    """Return the memory of this process in MB, without pages of mapped files.

    Those are the kernel's cache of the file: it takes them back when it needs them.
    """
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("RssAnon"))
    return float(line.split()[1]) / 1024


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
