"""Speed of a classic training iteration beside a plain loop over the same networks.

``python tests/benchmarks/plain_loop.py FACES`` runs both in one process, in turns, and prints
images/s of each and the ratio. The plain loop is what a tutorial writes: torchvision's
``ImageFolder`` and a ``DataLoader`` with two workers, eager, contiguous memory, no tricks. Ours is
``animegan``'s own ``train_step`` on the decoded images, with the reading of each batch.

| what was tried (width 64, batch 64, 96 px, two cores)  | images/s against the plain loop |
| --- | --- |
| see the README's results section for the figures of the present code | |
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from animegan_cli.data import Order, list_images, normalize, open_images
from animegan_cli.networks.classic import Discriminator, Generator
from animegan_cli.settings import Settings
from animegan_cli.sources import Layer, resolve
from animegan_cli.training_state import new_state
from animegan_cli.training_step import train_step

Iteration = Callable[[], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--recipe", default="classic")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=10, help="per turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    flags = {"recipe": options.recipe, "width": options.width, "batch_size": options.batch_size}
    settings = resolve([Layer("flag", flags | {"g_iter_step": 1})]).settings

    loops = {
        "plain": plain_loop(settings, options.faces),
        "animegan": ours(settings, options.faces),
    }
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(options.turns + 1):
        for name, iteration in loops.items():
            started = time.perf_counter()
            for _ in range(options.iterations):
                iteration()
            elapsed = time.perf_counter() - started
            rates[name].append(options.iterations * options.batch_size / elapsed)
    kept = {name: values[1:] for name, values in rates.items()}  # the first turn warms up
    for name, values in kept.items():
        print(
            f"{name:9} median {statistics.median(values):6.1f} images/s "
            f"(min {min(values):.1f}, max {max(values):.1f})"
        )
    pairs = [b / a for a, b in zip(kept["plain"], kept["animegan"], strict=True)]
    print(f"ratio     median {statistics.median(pairs):.2f} (min {min(pairs):.2f})")


def plain_loop(settings: Settings, faces: Path) -> Iteration:
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
    G = Generator(settings.z_dim, settings.size, settings.width)
    D = Discriminator(settings.size, settings.width)
    betas = (settings.beta1, settings.beta2)
    G_optimizer = torch.optim.Adam(G.parameters(), settings.g_lr, betas)
    D_optimizer: torch.optim.Optimizer = torch.optim.SGD(D.parameters(), settings.d_lr)
    if settings.d_optimizer == "adam":
        D_optimizer = torch.optim.Adam(D.parameters(), settings.d_lr, betas)
    criterion = nn.BCELoss()
    ones = torch.full((settings.batch_size,), settings.real_label)
    zeros = torch.full((settings.batch_size,), settings.fake_label)
    batches = forever(loader)

    def iteration() -> None:
        D_optimizer.zero_grad()
        criterion(torch.sigmoid(D(next(batches))), ones).backward()
        fakes = G(torch.randn(settings.batch_size, settings.z_dim)).detach()
        criterion(torch.sigmoid(D(fakes)), zeros).backward()
        D_optimizer.step()
        G_optimizer.zero_grad()
        fakes = G(torch.randn(settings.batch_size, settings.z_dim))
        criterion(torch.sigmoid(D(fakes)), ones).backward()
        G_optimizer.step()

    return iteration


def ours(settings: Settings, faces: Path) -> Iteration:
    state = new_state(settings, torch.device("cpu"))
    images = open_images(list_images(faces), settings.size)
    order = Order(len(images), settings.seed)

    def reals() -> Tensor:
        indices, flips = order.at(state.cur_nimg, settings.batch_size)
        return normalize(images.batch(indices), torch.from_numpy(flips))

    return lambda: train_step(state, settings, reals)


def forever(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
    while True:
        for images, _ in loader:
            yield images


if __name__ == "__main__":
    main()
