"""Fine detail of drawn images beside that of real ones, to see hatching that scores do not.

``python tests/benchmarks/spectrum.py SNAPSHOT REALS`` prints, for each pair of frequencies in
cycles an image, the mean power of drawn images over that of real ones: 1 is right, 11 are stripes.
Images are windowed (Hann), so that their edges count for nothing; half of the size is the highest
frequency. Below that it prints how much fine detail is at the same place in all images: the root
mean square of the mean image's finest octave, of drawn and of real images, in thousandths of the
half range. With more images (``--n``) chance has less of it.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.data import normalize, open_images
from animegan_cli.listing import list_images
from animegan_cli.matching import octaves
from animegan_cli.sampling import draw


def power(images: Tensor) -> Tensor:
    """Return the mean power ``[S, S]`` of images ``[N, 3, S, S]``, uint8, at each frequency."""
    x = normalize(images)
    window = torch.hann_window(x.shape[2])
    x = (x - x.mean((2, 3), keepdim=True)) * window * window[:, None]
    found: Tensor = torch.fft.fft2(x).abs().square().mean((0, 1))
    return found


def at_fixed_places(images: Tensor) -> float:
    """Return the root mean square of the finest octave of the mean of images, uint8, times 1,000.

    Of brightness, so that it does not count how a colour differs from the others.
    """
    mean = normalize(images).mean((0, 1), keepdim=True)
    return 1000 * float(octaves(mean, 2)[-1].square().mean().sqrt())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("reals", type=Path)
    parser.add_argument("--n", type=int, default=500)
    options = parser.parse_args()
    snapshot = load_snapshot(options.snapshot)
    size = int(snapshot.shapes.G["size"])
    reals = open_images(list_images(options.reals), size)
    drawn = torch.cat([batch.images for batch in draw(snapshot.G, range(options.n))])
    wanted = reals.batch(torch.arange(min(options.n, len(reals))).numpy())
    ratio = power(drawn) / power(wanted)
    frequencies = [round(size * share / 96) for share in (0, 4, 8, 16, 24, 32, 40, 44, 48)]
    print("x \\ y " + "".join(f"{y:>7}" for y in frequencies))
    for x in frequencies:
        print(f"{x:>5} " + "".join(f"{ratio[y, x]:>7.2f}" for y in frequencies))
    print(f"at fixed places: {at_fixed_places(drawn):.1f}, reals {at_fixed_places(wanted):.1f}")


if __name__ == "__main__":
    main()
