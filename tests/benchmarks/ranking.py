"""Does ranking help: what rank keeps, scored beside what it was chosen from.

``python tests/benchmarks/ranking.py SNAPSHOT HOLDOUT`` draws candidates (``pretrained`` names the
networks in the box), ranks them by D's logit and by typicality, and prints precision, density,
recall and coverage against held-out images of the best quarter, of as many drawn at random and of
the worst quarter, by ``lite2``, which D does not see through; then how far the 16 best of them (16
at random, the 16 worst) are from each other, and the nearest two. ``--grid FILE`` draws the 32 best
and the 32 worst by each, to look at.

A rank of quality has its best above chance and its worst below, in precision and density. Recall
falls with it: what is typical is not rare. Of the box, 2,000 candidates, 500 of each kind, and
with ``--truncation 0.6``, as ``rank`` draws:

| | precision | density | recall | coverage |
| --- | --- | --- | --- | --- |
| at random | 0.832, 0.920 | 1.519, 2.279 | 0.449, 0.120 | 0.753, 0.763 |
| best by D's logit | 0.838, 0.940 | 1.494, 2.346 | 0.414, 0.129 | 0.712, 0.761 |
| worst by D's logit | 0.864, 0.934 | 1.521, 2.213 | 0.354, 0.071 | 0.715, 0.669 |
| best by typicality | 0.952, 0.984 | 2.551, 3.883 | 0.236, 0.040 | 0.843, 0.779 |
| worst by typicality | 0.714, 0.830 | 0.738, 1.176 | 0.588, 0.192 | 0.444, 0.502 |

By what the run knew of its last batches alone, and not of all faces (``pretrained.py``), the best
had 0.952, 2.540, 0.238 and 0.860 and the worst 0.716, 0.758, 0.577 and 0.465; with 0.6 0.986,
3.902, 0.038 and 0.789, and 0.832, 1.216, 0.185 and 0.535.

Of the hour's run, the box before that one:

| | precision | density | recall | coverage |
| --- | --- | --- | --- | --- |
| at random | 0.840, 0.936 | 1.510, 2.587 | 0.403, 0.130 | 0.758, 0.799 |
| best by D's logit | 0.814, 0.922 | 1.508, 2.447 | 0.384, 0.135 | 0.733, 0.794 |
| worst by D's logit | 0.846, 0.950 | 1.382, 2.569 | 0.352, 0.087 | 0.674, 0.727 |
| best by typicality | 0.926, 0.984 | 2.440, 4.057 | 0.215, 0.045 | 0.843, 0.817 |
| worst by typicality | 0.690, 0.856 | 0.754, 1.336 | 0.527, 0.229 | 0.461, 0.604 |

Of the box before that one:

| | precision | density | recall | coverage |
| --- | --- | --- | --- | --- |
| at random | 0.832 | 1.473 | 0.405 | 0.767 |
| best by D's logit | 0.786 | 1.140 | 0.458 | 0.680 |
| worst by D's logit | 0.872 | 1.871 | 0.292 | 0.779 |
| best by typicality | 0.952 | 2.488 | 0.218 | 0.850 |
| worst by typicality | 0.684 | 0.724 | 0.538 | 0.493 |

Of that one before it drew from codes: 0.792, 1.259, 0.480 and 0.706 at random; best by the logit
0.770, 1.057, 0.490 and 0.613, worst 0.806, 1.440, 0.414 and 0.718; best by typicality 0.922, 2.148,
0.303 and 0.839, worst 0.648, 0.630, 0.632 and 0.419.

Of one before that, D seeing mixtures: 0.740, 1.077, 0.512 and 0.669 at random; best by the logit
0.706, 0.861, 0.544 and 0.587, worst 0.814, 1.420, 0.415 and 0.734; best by typicality 0.888, 2.051,
0.282 and 0.821, worst 0.596, 0.538, 0.649 and 0.370.

A run of 89 kimg on a CPU: 0.748, 1.14, 0.229 and 0.638 at random; best by the logit 0.722, 0.99,
0.250 and 0.544; by typicality 0.896, 1.80, 0.117 and 0.717.

What was tried in place of the logit, on candidates of that one, by features in D's frozen
network at four scales, averaged over places, of 4,000 real faces; best quarter, then worst:

| precision | density | what |
| --- | --- | --- |
| 0.820, 0.710 | 1.50, 0.81 | a Gaussian of the finest scale |
| 0.812, 0.708 | 1.48, 0.83 | of the second |
| 0.888, 0.596 | 1.86, 0.55 | of the third |
| 0.880, 0.608 | 1.92, 0.57 | of the coarsest |
| 0.890, 0.600 | 1.95, 0.56 | one Gaussian of all four scales |
| 0.900, 0.590 | 2.06, 0.54 | one of each, their log likelihoods summed, shrunk by 0.1 |
| **0.888, 0.596** | **2.05, 0.54** | **the same of the averages that training keeps anyway** |
| 0.862, 0.630 | 1.89, 0.62 | the same, each scale over its channels |
| 0.860, 0.656 | 1.74, 0.70 | a Gaussian of the third scale at 4 x 4 places |
| 0.852, 0.648 | 1.66, 0.67 | of the coarsest at all places, 200 principal components |
| 0.842, 0.634 | 1.64, 0.64 | distance to the fifth nearest real face in those |
| 0.868, 0.610 | 1.85, 0.59 | the same of the coarsest averaged over places |
| 0.746, 0.736 | 1.07, 1.12 | logistic regression of real and drawn, all four scales |
| 0.768, 0.722 | 1.11, 1.10 | of the third at 4 x 4 places |

Whatever tells real from drawn, D's heads or a regression, ranks by what G draws too seldom.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.data import open_images
from animegan_cli.listing import list_images
from animegan_cli.metrics import load_feature_network
from animegan_cli.metrics.distances import density_coverage, precision_recall
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.ranking import judge_of, score_batch
from animegan_cli.sampling import draw, grid_of, truncate

SHOWN = 32
SIXTEEN = 16  # what rank keeps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot")
    parser.add_argument("holdout", type=Path)
    parser.add_argument("--n", type=int, default=2000, help="candidates")
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--truncation", type=float, default=1.0)
    options = parser.parse_args()
    named = options.snapshot == "pretrained"
    snapshot = load_snapshot(PRETRAINED if named else Path(options.snapshot))
    truncate(snapshot.G, options.truncation)
    network = load_feature_network("lite2")
    held = open_images(list_images(options.holdout, "images"), int(snapshot.G.size))  # type: ignore[arg-type]
    parts = np.split(np.arange(len(held)), range(100, len(held), 100))
    reals = network.features(held.batch(part) for part in parts)
    judges = dict(judge_of(snapshot, name)[::-1] for name in ("logit", "typicality"))
    scores: dict[str, list[float]] = {name: [] for name in judges}

    def drawn(batch: object) -> Tensor:
        for name, judge in judges.items():
            scores[name] += score_batch(judge, batch)  # type: ignore[arg-type]
        return batch.images  # type: ignore[attr-defined, no-any-return]

    features = network.features(drawn(batch) for batch in draw(snapshot.G, range(options.n)))
    random = torch.randperm(options.n, generator=torch.Generator().manual_seed(0))
    print("kept                   precision  density  recall  coverage  apart  nearest", flush=True)
    quarter = options.n // 4
    show("at random", reals, features[random[:quarter]])
    for name, found in scores.items():
        order = torch.tensor(found).argsort(descending=True)
        show(f"best by {name}", reals, features[order[:quarter]])
        show(f"worst by {name}", reals, features[order.flip(0)[:quarter]])
        if options.grid:
            for kind, seeds in (("best", order[:SHOWN]), ("worst", order[-SHOWN:])):
                images = torch.cat([batch.images for batch in draw(snapshot.G, seeds.tolist())])
                file = options.grid.with_stem(f"{options.grid.stem}-{name}-{kind}")
                Image.fromarray(grid_of(images)).save(file)


def show(kept: str, reals: Tensor, features: Tensor) -> None:
    precision, recall = precision_recall(reals, features)
    density, coverage = density_coverage(reals, features)
    apart = torch.pdist(features[:SIXTEEN])
    row = f"{precision:<11.3f}{density:<9.3f}{recall:<8.3f}{coverage:<10.3f}"
    row += f"{apart.mean():<7.1f}{apart.min():.1f}"
    print(f"{kept:<23}{row}", flush=True)


if __name__ == "__main__":
    main()
