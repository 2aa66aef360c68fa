"""How the learning rate of D in the recipe ``classic`` was found; it was not published.

``python tests/benchmarks/classic_d_lr.py FACES OUT --lr 0.002 0.02 0.1 0.5`` trains one run for
each rate, same seed, data and budget, and prints the means of the last fifth of each. The grids
in ``OUT/lr-*/samples`` are then looked at side by side.

Found on 12,000 faces of 96 x 96, width 32, batch 64, 40,000 images, seed 0, one thread:

| d_lr  | loss_D | loss_G | D(x)  | D(G(z)) | the grid after 40,000 images |
| ----- | ------ | ------ | ----- | ------- | --- |
| 0.002 | 0.817  | 2.507  | 0.656 | 0.130   | one texture, all images alike |
| 0.02  | 1.293  | 2.408  | 0.605 | 0.214   | blurred heads with hair: the recipe's value |
| 0.1   | 1.003  | 2.751  | 0.665 | 0.142   | blobs of colour |
| 0.5   | 0.904  | 2.652  | 0.667 | 0.137   | noise |
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

NAMES = ("loss_D", "loss_G", "D_real", "D_fake")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lr", type=float, nargs="+", default=[0.002, 0.02, 0.1, 0.5])
    parser.add_argument("--kimg", type=float, default=40)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print("d_lr     " + "  ".join(f"{name:>7}" for name in NAMES), flush=True)
    for lr in options.lr:
        run = options.out / f"lr-{lr:g}"
        flags = {
            "--recipe": "classic",
            "--data": options.faces,
            "--run": run,
            "--d-lr": lr,
            "--width": options.width,
            "--total-kimg": options.kimg,
            "--threads": options.threads,
        }
        arguments = [str(word) for pair in flags.items() for word in pair]
        subprocess.run(
            [sys.executable, "-m", "animegan_cli", "train", "--quiet", *arguments], check=True
        )
        lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
        tail = lines[-max(len(lines) // 5, 1) :]
        means = [statistics.fmean(line[name] for line in tail) for name in NAMES]
        print(f"{lr:<9g}" + "  ".join(f"{mean:7.3f}" for mean in means), flush=True)


if __name__ == "__main__":
    main()
