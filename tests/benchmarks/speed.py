"""Speed of a training iteration beside a plain eager loop over the same networks, and of its parts.

``python tests/benchmarks/speed.py FACES --recipe modern`` runs both in one process, in turns, and
prints images/s of each and the ratio, the multiply-accumulates that one image needs, what share
that is of the rate of a matrix product (float32, 2048 x 2048, in the same process), the time of
each part, and memory.

The plain loop is what a tutorial writes: torchvision's ``ImageFolder`` and a ``DataLoader`` with
two workers, eager, float32, contiguous memory, fakes of its own for each network, gradients for
everything that has weights. Ours is animegan's own step on the decoded images.

What held the step of ``modern`` back, by torch.profiler, one thread, in images per CPU second:

| images/s | change |
| --- | --- |
| 32 | float32 |
| 40 | bfloat16: a third of the time in the way back through strided depthwise kernels |
| 50 | those in float32; at stride 1 and cut after: 47 |
| 52 | those as zeros between and a plain forward convolution; the time moved to ``spread`` |
| 59 | kernels spread by one product, not four slices; moments without ``std`` |
| 63 | glibc told to keep freed memory |
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms
from torchvision.datasets import ImageFolder

from animegan_cli.augment import Draw, augment
from animegan_cli.data import Order, list_images, normalize, open_images
from animegan_cli.device import reuse_freed_memory
from animegan_cli.networks import multiply_accumulates
from animegan_cli.networks.projected import Discriminator
from animegan_cli.objectives import OBJECTIVES, feature_mismatch
from animegan_cli.settings import Settings
from animegan_cli.sources import Layer, resolve
from animegan_cli.training_state import TrainingState, network_shapes, new_state
from animegan_cli.training_step import COLORS, average, train_step

Iteration = Callable[[], object]
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--recipe", default="classic")
    parser.add_argument(
        "--set", dest="fields", nargs="*", default=[], help="width=32 batch_size=64"
    )
    parser.add_argument("--iterations", type=int, default=5, help="per turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    reuse_freed_memory()
    given = dict(field.split("=", 1) for field in options.fields)
    flags = {"recipe": options.recipe, "g_iter_step": 1, **given}
    settings = resolve([Layer("flag", flags)]).settings

    read, step = ours(settings, options.faces)
    loops = {"plain": plain_loop(settings, options.faces), "animegan": step}
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(options.turns + 1):
        for name, iteration in loops.items():
            seconds = timed(iteration, options.iterations)
            rates[name].append(settings.batch_size / seconds)
    kept = {name: values[1:] for name, values in rates.items()}  # the first turn warms up
    for name, values in kept.items():
        print(
            f"{name:9} median {statistics.median(values):6.1f} images/s "
            f"(min {min(values):.1f}, max {max(values):.1f})"
        )
    pairs = [b / a for a, b in zip(kept["plain"], kept["animegan"], strict=True)]
    print(f"ratio     median {statistics.median(pairs):.2f} (min {min(pairs):.2f})")
    show_parts(settings, read, step, statistics.median(kept["animegan"]))


def show_parts(settings: Settings, read: Iteration, step: Iteration, rate: float) -> None:
    """Print operations, share of the peak, the reading's share and memory."""
    with FlopCounterMode(display=False) as counter:
        step()
    macs = counter.get_total_flops() / 2 / settings.batch_size
    G, D = network_shapes(settings).build("meta")
    z = torch.empty(1, settings.z_dim, device="meta")
    forward = [multiply_accumulates(network.eval(), x) for network, x in ((G, z), (D, G(z)))]
    print(
        f"an image  {macs / 1e6:,.0f} M multiply-adds (G forward {forward[0] / 1e6:,.0f}, "
        f"D forward {forward[1] / 1e6:,.0f})"
    )
    a = torch.rand(2048, 2048)
    peak = 2048**3 / timed(lambda: torch.mm(a, a), 5)
    print(
        f"peak      {2 * peak / 1e9:,.0f} GFLOP/s in a matrix product; the step reaches "
        f"{macs * rate / peak:.0%} of that"
    )
    share = timed(read, 20) / (settings.batch_size / rate)
    print(f"data      {share:.1%} of the step")
    print(f"memory    {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB at most")


def timed(work: Callable[[], object], repeats: int) -> float:
    """Return the seconds that one call takes, the mean of several."""
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - started) / repeats


def plain_loop(settings: Settings, faces: Path) -> Iteration:
    """Return an iteration of the tutorial's loop."""
    folder = Path(tempfile.mkdtemp())  # ImageFolder wants classes
    (folder / "faces").symlink_to(faces.resolve())
    transform = transforms.Compose(
        [
            transforms.Resize(settings.size),
            transforms.CenterCrop(settings.size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.5,) * 3),
        ]
    )
    loader = DataLoader(
        ImageFolder(folder, transform),
        batch_size=settings.batch_size,
        shuffle=True,
        num_workers=2,
        drop_last=True,
        persistent_workers=True,
    )
    state = new_state(settings.model_copy(update={"precision": "fp32"}), CPU)
    state.G.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    state.D.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    losses = plain_projected if settings.family == "projected" else plain_classic
    batches = forever(loader)

    def iteration() -> None:
        losses(state, next(batches), settings)
        if state.G_ema is not None:
            average(state.G_ema, state.G, settings, 10**6)

    return iteration


def plain_classic(state: TrainingState, reals: Tensor, settings: Settings) -> None:
    """Do what the lineage's loop does."""
    G, D = state.G, state.D
    criterion = nn.BCELoss()
    ones = torch.full((settings.batch_size,), settings.real_label)
    zeros = torch.full((settings.batch_size,), settings.fake_label)
    state.D_optimizer.zero_grad()
    criterion(torch.sigmoid(D(reals)), ones).backward()
    fakes = G(torch.randn(settings.batch_size, settings.z_dim)).detach()
    criterion(torch.sigmoid(D(fakes)), zeros).backward()
    state.D_optimizer.step()
    state.G_optimizer.zero_grad()
    fakes = G(torch.randn(settings.batch_size, settings.z_dim))
    criterion(torch.sigmoid(D(fakes)), ones).backward()
    state.G_optimizer.step()


def plain_projected(state: TrainingState, reals: Tensor, settings: Settings) -> None:
    """Do the same mathematics with fakes of its own for each network."""
    G, D = state.G, state.D
    assert isinstance(D, Discriminator)
    objective = OBJECTIVES[settings.objective]

    def features(images: Tensor) -> list[Tensor]:
        draw = Draw.from_generator(len(images), torch.default_generator, CPU)
        return D.features(augment(images, draw, settings.augment))

    state.D_optimizer.zero_grad()
    fakes = G(torch.randn(settings.batch_size, settings.z_dim)).detach()
    objective.D(D.judge(features(reals)), D.judge(features(fakes))).backward()
    state.D_optimizer.step()
    state.G_optimizer.zero_grad()
    fakes = G(torch.randn(settings.batch_size, settings.z_dim))
    real_features, fake_features = features(reals), features(fakes)
    mismatch = feature_mismatch(
        [*real_features, nn.functional.avg_pool2d(reals, COLORS)],
        [*fake_features, nn.functional.avg_pool2d(fakes, COLORS)],
    )
    loss = objective.G(D.judge(real_features), D.judge(fake_features))
    (loss + settings.match * mismatch).backward()
    state.G_optimizer.step()


def ours(settings: Settings, faces: Path) -> tuple[Iteration, Iteration]:
    """Return our reading of a batch, and our iteration with it."""
    state = new_state(settings, CPU)
    images = open_images(list_images(faces), settings.size)
    order = Order(len(images), settings.seed)

    def reals() -> Tensor:
        indices, flips = order.at(state.cur_nimg, settings.batch_size)
        return normalize(images.batch(indices), torch.from_numpy(flips))

    return reals, lambda: train_step(state, settings, reals)


def forever(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
    """Yield batches without end."""
    while True:
        for images, _ in loader:
            yield images


if __name__ == "__main__":
    main()
