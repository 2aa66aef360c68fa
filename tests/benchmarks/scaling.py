"""Speed of two processes of one thread beside one: the same command, with and without torchrun.

``python tests/benchmarks/scaling.py FACES --recipe modern`` trains short runs in turns and prints
images/s, by each run's own statistics, and the ratio. The batch is shared out, as in a real run;
``--weak`` gives every process as many images as the one had. What the machine itself takes from two
processes beside each other (shared memory, clocks, other tenants) is shown by two that train apart,
each with as many images as one of those that train together.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple


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
    ratios, shares = [], []
    for _ in range(options.turns):
        (alone,) = rates(options, 1)
        apart = sum(rates(options, options.processes))
        together = rate(launch(options, options.processes))
        ratios.append(together / alone)
        shares.append(together / apart)
        print(
            f"1 process {alone:.1f} images/s, {options.processes} apart {apart:.1f}, "
            f"together {together:.1f}",
            flush=True,
        )
    print(f"ratio to 1       median {statistics.median(ratios):.2f} (min {min(ratios):.2f})")
    print(f"ratio to apart   median {statistics.median(shares):.2f} (min {min(shares):.2f})")


def rates(options: argparse.Namespace, count: int) -> list[float]:
    """Return images/s of runs beside each other that know nothing of each other."""
    share = options.batch_size // (1 if options.weak else count)
    return [rate(run) for run in [launch(options, 1, share) for _ in range(count)]]


class Run(NamedTuple):
    """A short run under way, and the folder that goes with it."""

    process: subprocess.Popen[bytes]
    folder: tempfile.TemporaryDirectory[str]


def launch(options: argparse.Namespace, count: int, batch: int = 0) -> Run:
    """Start a short run of one process, or of several that train together."""
    batch = batch or options.batch_size * (count if options.weak else 1)
    kimg = options.iterations * batch / 1000
    folder = tempfile.TemporaryDirectory()
    command = [sys.executable, "-m"]
    if count > 1:
        command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        command += ["-m", "--"]
    command += ["animegan_cli", "train", "--data", str(options.faces)]
    command += ["--run", f"{folder.name}/run"]
    command += ["--recipe", options.recipe, "--batch-size", str(batch), "--g-iter-step", "1"]
    command += ["--grow-kimg", "0", "--d-zoom-kimg", "0"]
    command += ["--threads", "1", "--device", "cpu", "--quiet", "--state-minutes", "99"]
    command += ["--total-kimg", str(kimg), "--tick-kimg", str(kimg / 3)]
    return Run(subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}), folder)


def rate(run: Run) -> float:
    """Return images/s of a run at its end, by its statistics after the first third."""
    with run.folder as folder:
        assert run.process.wait() == 0
        lines = (Path(folder) / "run" / "stats.jsonl").read_text("utf-8").splitlines()
    return statistics.mean(json.loads(line)["images_per_sec"] for line in lines[1:])


if __name__ == "__main__":
    main()
