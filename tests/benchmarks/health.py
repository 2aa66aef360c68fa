"""Runs made to fail, and what the health line says of them.

``python tests/benchmarks/health.py FACES OUT`` trains one healthy run and three that cannot work,
same seed, size and budget, and prints what each tick's sentence said and the figures behind it.
The limits in ``animegan_cli/health.py`` were set so that each fault is named and the healthy run
is not. Found on 12,000 faces of 96 x 96, recipe classic at width 32, 32,000 images each (12,000
with swapped labels), at every tick of a run:

| run                  | what the health line said                                           |
| -------------------- | ------------------------------------------------------------------- |
| as the recipe is     | healthy                                                             |
| D learning rate x 50 | D runs away: loss_G 1e+15, its steps are too large; ... --d-lr 0.1  |
| one training image   | the training images are all alike; name more of them with --data    |
| labels swapped       | D takes fakes for real ...: --real-label must be above --fake-label |

What was tried before: a warm-up of 20,000 images (the healthy run was told that G repeats itself
until 26,000), and no rule for a D that runs away (told that D cannot tell, and to raise --d-lr).
"""

import argparse
import json
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path

NAMES = ("D_real", "D_fake", "loss_G", "grad_norm_G", "diversity", "near_duplicates")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kimg", type=float, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    one = options.out / "one-image"
    one.mkdir(parents=True, exist_ok=True)
    shutil.copy(min(path for path in options.faces.iterdir() if path.is_file()), one)
    faults: dict[str, dict[str, object]] = {
        "healthy": {},
        "D learning rate x 50": {"--d-lr": 1.0},
        "one training image": {"--data": one},
        "labels swapped": {"--real-label": 0.1, "--fake-label": 0.8},
    }
    for name, changes in faults.items():
        run = options.out / name.replace(" ", "-")
        flags = {
            "--recipe": "classic",
            "--data": options.faces,
            "--run": run,
            "--width": options.width,
            "--total-kimg": options.kimg,
            "--threads": options.threads,
            **changes,
        }
        arguments = [str(word) for pair in flags.items() for word in pair]
        subprocess.run(
            [sys.executable, "-m", "animegan_cli", "train", "--quiet", *arguments], check=False
        )
        print(f"{name}:", flush=True)
        ticks = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
        for kind, group in groupby(ticks, lambda tick: tick["health"].split(" (")[0].split(":")[0]):
            spell = list(group)
            last = spell[-1]
            figures = "  ".join(f"{name} {last[name]:.3f}" for name in NAMES if name in last)
            print(f"  {spell[0]['cur_nimg']:,} to {last['cur_nimg']:,} images: {kind}")
            print(f"    {last['health']}\n    {figures}", flush=True)


if __name__ == "__main__":
    main()
