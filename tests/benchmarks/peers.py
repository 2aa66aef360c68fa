"""Peers from the registry on any device: their training step, and pictures after a budget.

``python tests/benchmarks/peers.py FACES OUT --minutes 5 15 30 60 --size 64`` trains lightweight-gan
1.2.1 on one thread and writes ``--n`` pictures at each budget of the process's own CPU time, as
``quality.py`` counts it (15 minutes are 1,800 CPU seconds; what drawing costs is not counted), into
``OUT/1800``. They are scored as our own pictures are:
``animegan evaluate --fake OUT/1800 --real HOLDOUT --size 64 --n 1000``.

The settings are those of the peer's own command: batches of 10, four of them a step, attention at
32 pixels, augmentation at the odds that it derives from the number of images. Its own averaged
generator begins after 20,000 steps and is a copy of step 2, 1,002, ... before, so the generator
itself draws; ``--averaged`` adds ``OUT/1800-averaged``, by an average that this benchmark keeps as
animegan does. Its grids and checkpoints every 100 and 1,000 steps are left out of the time.

Both peers refuse to start without CUDA. What they find here instead, in this process only and with
no file of theirs changed: ``torch.cuda.is_available`` says yes while they are imported, ``.cuda()``
leaves tensors and networks where they are, and ``torch.device`` is the CPU. stylegan2-pytorch 1.9.0
also imports a tracker, ``aim``, at its start and does not use it; an empty module takes its place.

To install them beside torch: ``pip install --no-deps lightweight-gan==1.2.1
stylegan2-pytorch==1.9.0 einops kornia kornia_rs adabelief-pytorch tabulate colorama fire termcolor
retry decorator py tqdm vector-quantize-pytorch==0.1.0``.
"""

import argparse
import contextlib
import copy
import importlib
import importlib.util
import random
import sys
import tempfile
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn
from torchvision.utils import save_image

from animegan_cli.settings import Settings
from animegan_cli.training_step import average

CPU = torch.device("cpu")
BATCH = 50  # pictures drawn at a time
AVERAGE = Settings(ema_kimg=5.0, batch_size=40)  # as the recipe modern has it


@dataclass(frozen=True)
class Peer:
    """A package: where its trainer is, and what its own command sets.

    Attributes:
        package: name in the registry, and of the module with ``_`` for ``-``.
        defaults: of its command, where they are not those of its ``Trainer``.
        timed_batches: how many batches of a step ``speed.py`` times; where one takes minutes the
            update of the weights is under a hundredth of it.
        period: steps after which its kinds of step repeat (a gradient penalty every fourth).
    """

    package: str
    defaults: dict[str, Any]
    timed_batches: int
    period: int = 4

    @property
    def module(self) -> str:
        """The module that holds all of it."""
        return self.package.replace("-", "_")

    @property
    def images_a_step(self) -> int:
        """Real images that one step sees."""
        return int(self.defaults["batch_size"] * self.defaults["gradient_accumulate_every"])

    def installed(self) -> bool:
        """Return whether the package is there."""
        return importlib.util.find_spec(self.module) is not None

    @property
    def batch(self) -> str:
        """Batches of one step, in words."""
        return f"{self.defaults['gradient_accumulate_every']} of {self.defaults['batch_size']}"

    def step(self, trainer: Any, kind: int) -> Callable[[], object]:
        """Return a step with the gradient penalty (kind 0) or without."""

        def work() -> None:
            trainer.steps = self.period + kind  # past the first steps, which only copy
            trainer.train()

        return work

    def mean(self, penalised: float, usual: float) -> float:
        """Return the mean of what a step with the penalty and one without took."""
        return (penalised + usual * (self.period - 1)) / self.period

    def trainer(self, faces: Path, size: int, device: torch.device, **settings: Any) -> Any:
        """Return its trainer on a folder of images, networks built, with nothing to write."""
        trainer_class = _patched(self.module, device).Trainer
        with contextlib.redirect_stdout(sys.stderr):
            folder = tempfile.mkdtemp()
            trainer = trainer_class(
                base_dir=folder, image_size=size, **{**self.defaults, **settings}
            )
            trainer.set_data_src(str(faces))
        trainer.init_GAN()
        trainer.evaluate = trainer.save = lambda *_, **__: None
        return trainer


PEERS = (
    Peer(
        "lightweight-gan",
        {
            "batch_size": 10,
            "gradient_accumulate_every": 4,
            "attn_res_layers": [32],
            "disc_output_size": 1,
            "aug_types": ["cutout", "translation"],
            "use_aim": False,
        },
        timed_batches=1,
    ),
    Peer(
        "stylegan2-pytorch",
        {"batch_size": 5, "gradient_accumulate_every": 6, "ttur_mult": 1.5},
        timed_batches=6,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5, 15, 30, 60])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--averaged", action="store_true", help="draw with an average of G, too")
    options = parser.parse_args()
    peer = PEERS[0]
    if not peer.installed():
        sys.exit(f"{peer.package} is not installed; see the top of this file")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    trainer = peer.trainer(options.faces, options.size, CPU, num_workers=0)  # decoding counts
    averaged = copy.deepcopy(trainer.GAN.G).eval()
    drawing, nimg = 0.0, 0
    print("minutes  CPU s   kimg   img/CPU s", flush=True)
    for minutes in options.minutes:
        while (cpu := time.process_time() - drawing) < minutes * 120:
            trainer.train()
            nimg = trainer.steps * peer.images_a_step
            average(averaged, trainer.GAN.G, AVERAGE, nimg)
        print(f"{minutes:<7g}  {cpu:<6.0f}  {nimg / 1000:<5.1f}  {nimg / cpu:.1f}", flush=True)
        began = time.process_time()
        name = f"{minutes * 120:.0f}"
        draw(trainer.GAN.G.eval(), trainer.latent_dim, options.n, options.out / name)
        if options.averaged:
            draw(averaged, trainer.latent_dim, options.n, options.out / f"{name}-averaged")
        drawing += time.process_time() - began


@torch.no_grad()
def draw(G: nn.Module, z_dim: int, n: int, folder: Path) -> None:
    """Write n pictures of a generator whose range is [0, 1]."""
    folder.mkdir(parents=True, exist_ok=True)
    device = next(G.parameters()).device
    for start in range(0, n, BATCH):
        images = G(torch.randn(min(BATCH, n - start), z_dim, device=device)).clamp(0, 1)
        for i, image in enumerate(images, start):
            save_image(image, folder / f"{i:05}.png")


def _patched(name: str, device: torch.device) -> Any:
    """Import a peer, and let it run on the CPU if that is the device."""
    sys.modules.setdefault("aim", types.ModuleType("aim"))
    with mock.patch("torch.cuda.is_available", lambda: True):
        module = importlib.import_module(f"{name}.{name}")
    if device.type == "cpu":
        stay: Callable[..., Any] = lambda self, *_, **__: self  # noqa: E731
        torch.Tensor.cuda = nn.Module.cuda = stay  # type: ignore[method-assign]
        vars(module)["torch"] = _TorchOnCpu()
    return module


class _TorchOnCpu:
    """The module torch, but that every device is the CPU."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def device(self, *_: object) -> torch.device:
        return torch.device("cpu")


if __name__ == "__main__":
    main()
