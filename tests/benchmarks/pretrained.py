"""Put a trained snapshot into the package: half precision, with the score of what it then draws.

``python tests/benchmarks/pretrained.py SNAPSHOT HOLDOUT`` writes
``animegan_cli/pretrained/faces.safetensors`` and prints the lines that its model card needs. What
the run had seen that this one began from (``--init``) is added by ``--before KIMG``.
"""

import argparse
from pathlib import Path

import torch

from animegan_cli.checkpoints import load_snapshot, save_snapshot
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.reporting import NullReporter
from animegan_cli.scoring import evaluate_against_real
from animegan_cli.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("holdout", type=Path)
    parser.add_argument("--before", type=float, default=0.0, help="in thousands of images")
    parser.add_argument("--n", type=int, default=1000)
    options = parser.parse_args()
    trained = load_snapshot(options.snapshot)
    seen = trained.cur_nimg + round(options.before * 1000)
    about = (trained.shapes, trained.recipe, seen)
    reals = {k: x.half() if x.is_floating_point() else x for k, x in trained.reals.items()}
    rest = {"frozen": False, "reals": reals}
    save_snapshot(PRETRAINED, trained.G.half(), trained.D.half(), *about, **rest)
    rounded = load_snapshot(PRETRAINED)
    settings = Settings(real=options.holdout, eval_n=options.n, features="lite2")
    report = evaluate_against_real(settings, rounded, torch.device("cpu"), NullReporter())
    networks = rounded.G.half(), rounded.D.half()
    save_snapshot(PRETRAINED, *networks, *about, report.to_dict(), **rest)
    print(f"{PRETRAINED.stat().st_size / 1e6:.1f} MB, {seen / 1000:,.0f} kimg")
    print(f"hash {load_snapshot(PRETRAINED).hash}")
    print(report.sentence())
    print(report.yours)


if __name__ == "__main__":
    main()
