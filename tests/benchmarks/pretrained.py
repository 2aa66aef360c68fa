"""Put a trained snapshot into the package: half precision, with the score of what it then draws.

``python tests/benchmarks/pretrained.py SNAPSHOT FACES HOLDOUT`` writes
``animegan_cli/pretrained/faces.safetensors`` and prints the lines that its model card needs. What
the run had seen that this one began from (``--init``) is added by ``--before KIMG``.

What ``rank`` knows of real images is of all of FACES, which it learnt from. In the run's snapshot
it is of the last few batches: with that 156 of 160 faces are more typical than when blurred, and
155 than with their columns in another order; with this 159 and 157.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from animegan_cli.checkpoints import load_snapshot, save_snapshot
from animegan_cli.data import normalize, open_images
from animegan_cli.listing import list_images
from animegan_cli.networks.projected import Discriminator
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.reporting import NullReporter
from animegan_cli.sampling import PASS
from animegan_cli.scoring import evaluate_against_real
from animegan_cli.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("faces", type=Path, help="all that it learnt from")
    parser.add_argument("holdout", type=Path)
    parser.add_argument("--before", type=float, default=0.0, help="in thousands of images")
    parser.add_argument("--n", type=int, default=1000)
    options = parser.parse_args()
    trained = load_snapshot(options.snapshot)
    seen = trained.cur_nimg + round(options.before * 1000)
    about = (trained.shapes, trained.recipe, seen)
    D = trained.D
    assert isinstance(D, Discriminator)
    rest = {"frozen": False, "reals": statistics(D, options.faces)}
    save_snapshot(PRETRAINED, trained.G.half(), D.half(), *about, **rest)
    rounded = load_snapshot(PRETRAINED)
    settings = Settings(real=options.holdout, eval_n=options.n, features="lite2")
    report = evaluate_against_real(settings, rounded, torch.device("cpu"), NullReporter())
    networks = rounded.G.half(), rounded.D.half()
    save_snapshot(PRETRAINED, *networks, *about, report.to_dict(), **rest)
    print(f"{PRETRAINED.stat().st_size / 1e6:.1f} MB, {seen / 1000:,.0f} kimg")
    print(f"hash {load_snapshot(PRETRAINED).hash}")
    print(report.sentence())
    print(report.yours)


@torch.no_grad()
def statistics(D: Discriminator, faces: Path) -> dict[str, Tensor]:
    """Return mean and covariance of the features of all images, as ``Typicality`` takes them."""
    images = open_images(list_images(faces), D.size)
    seen = [
        [x.mean((2, 3)) for x in D.features(normalize(images.batch(rows)))]
        for rows in np.split(np.arange(len(images)), range(PASS, len(images), PASS))
    ]
    found = {}
    for i, maps in enumerate(zip(*seen, strict=True)):
        features = torch.cat(maps)
        found[f"mean.{i}"] = features.mean(0).half()
        found[f"covariance.{i}"] = torch.cov(features.T).half()
    return found


if __name__ == "__main__":
    main()
