"""Whether a generator copies: its faces' distance to the nearest one that it learnt from.

``python tests/benchmarks/copies.py SNAPSHOT LEARNT OTHERS`` prints that distance for ``--n`` drawn
images, by ``lite2`` features, beside the distances between real images that it must not undercut:
``OTHERS`` is a folder of real images that were not learnt from. Where there are enough of those,
the drawn ones' distance to as many others tells best: a generator that copies is nearer to what it
learnt from.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.data import ImageSet, open_images
from animegan_cli.listing import list_images
from animegan_cli.metrics import FeatureNetwork, load_feature_network
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.sampling import PASS, draw, truncate

SHARES = (0.0, 0.05, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path, help="a file, or pretrained")
    parser.add_argument("learnt", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--truncation", type=float, default=1.0)
    options = parser.parse_args()
    pretrained = options.snapshot == Path("pretrained")
    G = load_snapshot(PRETRAINED if pretrained else options.snapshot).G
    truncate(G, options.truncation)
    network = load_feature_network("lite2")
    drawn = network.features(batch.images for batch in draw(G, range(options.n)))
    learnt, others = (
        features(network, open_images(list_images(folder, "images"), int(G.size)))  # type: ignore[arg-type]
        for folder in (options.learnt, options.others)
    )
    show("drawn to learnt", torch.cdist(drawn, learnt))
    spare = others[options.n :]
    if len(spare) >= len(learnt):
        show("drawn to as many others", torch.cdist(drawn, spare[: len(learnt)]))
    show("others to learnt", torch.cdist(others[: options.n], learnt))
    show("learnt to learnt", torch.cdist(learnt, learnt).fill_diagonal_(torch.inf))


def features(network: FeatureNetwork, images: ImageSet) -> Tensor:
    """Return features ``[N, dim]`` of all images, in their own order."""
    rows = np.arange(len(images))
    return network.features(images.batch(part) for part in np.split(rows, rows[PASS::PASS]))


def show(name: str, distances: Tensor) -> None:
    """Print how far each row's nearest column is: the least, the 5th percentile, the median."""
    nearest = distances.amin(1)
    figures = "  ".join(f"{float(nearest.quantile(share)):.1f}" for share in SHARES)
    print(f"{name:<24} {figures}", flush=True)


if __name__ == "__main__":
    main()
