"""What a projected D can see of parts out of place: real images against real ones that are broken.

``python tests/benchmarks/parts.py FACES HOLDOUT`` teaches the heads of a D to tell real images from
real ones of which a soft ellipse was replaced, by what is elsewhere in the image or near there in
another one, half of them in the colours that were there: an eye too many, a mouth gone, eyes that
are no pair. Then it prints how well they tell held-out images apart (area under the curve, 0.5 is
chance), all together and each scale. Heads, loss, learning rate and augmentation are those of
``modern``.

Of 6,016 images, 96 px, bfloat16, one thread of an EPYC (seconds of CPU time; what is marked * by a
forerunner of this script, of every second face and held-out image, which also gave 0.692 with
mixtures, in 65 seconds, and 0.767 without, in 61):

| D | all | by scale, finest first | seconds |
| --- | --- | --- | --- |
| ``--mixed`` | 0.688 | 0.639 0.680 0.670 0.668 | 84 |
| ``--mixed --width 128`` * | 0.698 | 0.628 0.685 0.689 0.677 | 121 |
| ``--mixed``, heads not normalised * | 0.706 | 0.665 0.693 0.686 0.671 | 62 |
| **the features themselves** | **0.768** | 0.573 0.692 0.789 0.715 | 74 |
| ``--width 128`` * | 0.762 | 0.557 0.653 0.775 0.736 | 107 |
| heads not normalised * | 0.772 | 0.591 0.683 0.794 0.737 | 59 |

So it is the random mixtures that hide it, of the deeper features above all: of 112 and 320 channels
they make 64. Neither wider ones nor freer heads bring it back.

All rows above began with other weights, which makes 0.01. With those that the networks of a run
begin with, one run each (``--told``: D is told what code the image had when it was whole, as with
``d_conditional``):

| D | all | by scale, finest first | seconds |
| --- | --- | --- | --- |
| the features themselves | 0.757 | 0.595 0.709 0.795 0.716 | 76 |
| ``--told`` | **0.784** | 0.606 0.713 0.811 0.747 | 86 |
| ``--told``, heads that compare places | **0.822** | 0.591 0.749 0.838 0.739 | 90 |

(By code that is not kept: before the last convolution but one, attention over all places finds for
each what is seen elsewhere; its product with what is seen there, and the difference, go through a
convolution and are added. A run with them as D: ``quality.py``.)

Heads that know places see more still (by code that is not kept, 77 to 88 seconds where the row in
bold took 78 beside them): with a learnt number added for each channel and place 0.775, with 64
weighted sums of all of the last 4 x 4 map before the logit **0.788** (0.631 0.773 0.826 0.720), and
with attention before these 0.791; with a residual block of two convolutions too 0.796, in 128
seconds; beside their mirror images 0.782, and of the middle 64 pixels alone, enlarged to as many,
0.785 (where some parts lie outside). After 300 steps of learning to, those of 0.788 tell what the
box draws from real faces in 0.91 of pairs, and the heads in use in 0.73: G draws lines and flecks
at places of its own. What came of it as D: ``quality.py``.

A frozen network that was itself taught to tell such images apart (its last eleven blocks, 9,600
pairs, 426 s) lets larger heads reach 0.941, and the mean of its weights and the published ones
0.892 through mixtures. As D's eyes from 77 kimg on neither made faces better by 98: distance 207
and 131, where it was 114 without mixtures, and 115 at 110 kimg with them; faces lost their colours
and irises first. Broken images as a third of what a D of mixtures has to tell from real ones: after
9 kimg its mean probability was 0.547 for them and 0.585 for real ones, at half of the speed, and
that was stopped.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from animegan_cli.augment import Draw, augment
from animegan_cli.codes import coding_of, learn_codes
from animegan_cli.data import normalize, open_images
from animegan_cli.listing import list_images
from animegan_cli.networks.coding import Coding
from animegan_cli.networks.projected import Discriminator
from animegan_cli.objectives import hinge_d
from animegan_cli.reporting import NullReporter
from animegan_cli.settings import Settings
from animegan_cli.training_state import new_state

BATCH, HELD_OUT = 32, 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("holdout", type=Path)
    parser.add_argument("--mixed", action="store_true", help="random mixtures, as published")
    parser.add_argument("--told", action="store_true", help="D is told the code of what was whole")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--zoom", type=float, default=1.5)
    parser.add_argument("--kimg", type=float, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = open_images(list_images(options.faces), 96)
    given = {"d_width": options.width, "d_zoom": options.zoom, "d_mixed": options.mixed}
    settings = Settings(**given, d_conditional=options.told, d_zoom_kimg=0.0)
    state = new_state(settings, torch.device("cpu"))
    D, coding = state.D, coding_of(state) if options.told else None
    assert isinstance(D, Discriminator)
    if coding is not None:
        learn_codes(state, settings, images, NullReporter())
    optimizer = torch.optim.Adam(D.learnt.parameters(), 8e-4, betas=(0.0, 0.99))
    random = torch.Generator().manual_seed(0)
    began = time.process_time()
    for _ in range(math.ceil(options.kimg * 1000 / BATCH)):
        chosen = torch.randint(len(images), (BATCH,), generator=random).numpy()
        reals = normalize(images.batch(chosen))
        both = torch.cat([reals, broken(reals, random)])
        numbers = torch.rand(len(both), 5, generator=random)
        both = augment(both, Draw.from_uniform(numbers))
        codes = codes_of(reals, D, coding).repeat(2, 1)
        real, fake = judged(D, both, codes).split(BATCH)
        optimizer.zero_grad()
        hinge_d(real, fake).backward()
        optimizer.step()
    seconds = time.process_time() - began
    held_out = open_images(list_images(options.holdout), 96)
    spaced = np.arange(HELD_OUT) * len(held_out) // HELD_OUT
    reals = normalize(held_out.batch(spaced))
    told = [codes_of(part, D, coding) for part in reals.split(BATCH)]
    with torch.no_grad():
        sides = [
            torch.cat([judged(D, *parts) for parts in zip(side.split(BATCH), told, strict=True)])
            for side in (reals, broken(reals, random))
        ]
    each = " ".join(f"{area(*(side[:, i] for side in sides)):.3f}" for i in range(4))
    print(f"| {area(*(side.mean(1) for side in sides)):.3f} | {each} | {seconds:.0f} |")


@torch.no_grad()
def codes_of(images: Tensor, D: Discriminator, coding: Coding | None) -> Tensor:
    """Return the codes ``[N, L]`` of images; none of them, L = 0, where D is not told."""
    if coding is None:
        return images.new_empty(len(images), 0)
    with torch.autocast("cpu", torch.bfloat16):
        looks = coding.look(images, D.lite0)
    return coding.encode(looks)


def judged(D: Discriminator, images: Tensor, codes: Tensor) -> Tensor:
    """Return logits ``[N, 4]`` of images, computed as ``modern`` does; only the heads learn."""
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            features = D.mixing(D.features(images))
        return D.judge(features, codes)


def area(reals: Tensor, others: Tensor) -> float:
    """Return how often a real image has the higher logit of two."""
    return (reals[:, None] > others[None]).float().mean().item()


def broken(images: Tensor, random: torch.Generator) -> Tensor:
    """Replace an ellipse in each of the images ``[N, 3, S, S]`` by a part from elsewhere."""
    n, _, side, _ = images.shape
    u = torch.rand(n, 9, generator=random)
    of_another = u[:, 0] < 0.5
    source = torch.where(of_another[:, None, None, None], images.roll(1, 0), images)

    # From a little or further away, a quarter of them mirrored.
    most = torch.where(of_another, side / 8 * u[:, 1], side / 3 * (0.35 + 0.65 * u[:, 1]))
    angle = 2 * math.pi * u[:, 2]
    place = torch.arange(side)
    rows = (place + (most * angle.sin()).round().long()[:, None]).clamp(0, side - 1)
    columns = (place + (most * angle.cos()).round().long()[:, None]).clamp(0, side - 1)
    columns = torch.where(u[:, 3:4] < 0.25, side - 1 - columns, columns)
    index = torch.arange(n)[:, None, None]
    part = source.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)

    # Half of them in the colours that were there.
    step = side // 6
    colors = F.interpolate(F.avg_pool2d(images - part, step), scale_factor=step, mode="bilinear")
    part = torch.where(u[:, 8, None, None, None] < 0.5, part + colors, part).clamp(-1, 1)

    y = ((place + 0.5) / side - (0.25 + 0.6 * u[:, 4:5])) / (0.08 + 0.2 * u[:, 6:7] ** 2)
    x = ((place + 0.5) / side - (0.2 + 0.6 * u[:, 5:6])) / (0.08 + 0.25 * u[:, 7:8] ** 2)
    distance = (y[:, :, None] ** 2 + x[:, None] ** 2).sqrt()
    mask = torch.sigmoid((1 - distance) * 8)[:, None]
    return images + mask * (part - images)


if __name__ == "__main__":
    main()
