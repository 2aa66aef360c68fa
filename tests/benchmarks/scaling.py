"""Speed of two processes of one thread beside one: the same command, with and without torchrun.

``python tests/benchmarks/scaling.py FACES --recipe modern`` trains short runs in turns and prints
images/s, by each run's own statistics, and the ratio. The batch is shared out, as in a real run;
``--weak`` gives every process as many images as the one had.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--recipe", default="modern")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=24, help="per run; a third warms up")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--weak", action="store_true")
    options = parser.parse_args()
    ratios = []
    for _ in range(options.turns):
        alone, together = (rate(options, count) for count in (1, options.processes))
        ratios.append(together / alone)
        print(f"1 process {alone:.1f} images/s, {options.processes} {together:.1f}", flush=True)
    print(f"ratio     median {statistics.median(ratios):.2f} (min {min(ratios):.2f})")


def rate(options: argparse.Namespace, count: int) -> float:
    """Return images/s of a short run, by its statistics after the first third."""
    batch = options.batch_size * (count if options.weak else 1)
    kimg = options.iterations * batch / 1000
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m"]
        if count > 1:
            command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
            command += ["-m", "--"]
        command += ["animegan_cli", "train", "--data", str(options.faces), "--run", folder + "/run"]
        command += ["--recipe", options.recipe, "--batch-size", str(batch), "--g-iter-step", "1"]
        command += ["--grow-kimg", "0"]
        command += ["--threads", "1", "--device", "cpu", "--quiet", "--state-minutes", "99"]
        command += ["--total-kimg", str(kimg), "--tick-kimg", str(kimg / 3)]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        lines = (Path(folder) / "run" / "stats.jsonl").read_text("utf-8").splitlines()
    return statistics.mean(json.loads(line)["images_per_sec"] for line in lines[1:])


if __name__ == "__main__":
    main()
