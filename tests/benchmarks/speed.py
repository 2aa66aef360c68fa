"""Speed of a training step beside a plain eager loop and two peers, and of the step's parts.

``python tests/benchmarks/speed.py FACES --recipe modern`` prints two tables. The first: images/s
of the plain loop and of animegan, in turns in one process, and of the peers of ``peers.py`` where
they are installed and the size is a power of two (``--set size=64``); the multiply-accumulates of
an image in a whole step, by torch's counter; what share that is of the rate of a matrix product
(2048 x 2048, 8192 on CUDA, in the same process, float32 and what the step computes in). The second:
time and multiply-accumulates of each part of animegan's step, from ``step_parts.py``.

The plain loop is what a tutorial writes: torchvision's ``ImageFolder`` and a ``DataLoader`` with
two workers, eager, float32, contiguous memory, fakes of its own for each network, gradients for
everything that has weights. Its layers are animegan's own, which do with fewer products and passes
what their papers say; there is also one with the papers' layers: torch's convolutions, nearest
neighbour and then a convolution, a convolution and then ReLU6. Ours is animegan's own step on the
decoded images. A peer is timed over one step with its gradient penalty and one without,
weighted as one in four, with the batch size of its own command; of the several batches of its step,
as many as ``peers.py`` says.

A profile of the final steps (torch.profiler, one thread, 96 px): ``classic`` spent 94 % of its
step inside convolutions, 53 % of it on the way back, and nothing else took more than 1.1 %. By
fewer products (``winograd.py``), on a core without bfloat16, it is 47 % in convolutions, 30 % in
products of matrices, and about 11 % in the sums before and after them.
``modern`` spends 64 % in convolutions, 36 % on the way back; the rest is spread thin over what is
element by element (copies, products, ReLU6, batch norm, sums), none of it above 4 %.

What held the step of ``modern`` back, by torch.profiler, one thread, in images per CPU second:

| images/s | change |
| --- | --- |
| 32 | float32 |
| 40 | bfloat16: a third of the time in the way back through strided depthwise kernels |
| 50 | those in float32; at stride 1 and cut after: 47 |
| 52 | those as zeros between and a plain forward convolution; the time moved to ``spread`` |
| 59 | kernels spread by one product, not four slices; moments without ``std`` |
| 63 | glibc told to keep freed memory |

What ``winograd.py`` gives, one thread of an EPYC of 2021 (no bfloat16), batches of 64, other work
on the other core; times as fast as torch's layer: forward, with the gradient of maps, with that of
kernels too:

| layer | halving | doubling |
| --- | --- | --- |
| 64 and 128 channels, 32 pixels | 0.56, 0.59, 0.86 | 0.77, 0.72, 0.82 |
| 128 and 256, 16 pixels | 1.01, 1.06, 1.53 | 1.05, 0.91, 1.27 |
| 256 and 512, 8 pixels | 1.10, 1.36, 1.89 | 1.72, 1.40, 2.60 |

So it is left alone below 128 channels, and where nothing learns. Batches of 256 at once (0.57 to
0.85, of 128 and 256 channels) are slower than torch's layer: their factors no longer fit a cache.
A step of ``classic`` is 1.26 to 1.38 times as fast with it, at width 32 1.02 to 1.06.

With bfloat16 at hand (one core of the EPYC that has it, in float32) it is 0.88, 0.73 and 0.82, then
0.84, 0.82 and 0.97; 1.07, 1.05, 1.18 and 1.05, 1.06, 1.17; 1.00, 1.12, 1.28 and 1.12, 1.14, 1.31.
Torch's convolutions reach 113 to 131 GFLOP/s there and a product of matrices 94 (of the sizes
needed 65 to 98), which is 70 to 90 % of such a layer. By the operator that torch's compiler takes
for linear layers they reach 85 to 106, and the layers with kernels that learn took 12 % more to 5 %
less time: not worth another private operator. Parts of a half to twice as many factors made no
difference that is larger, those of a third up to a third more time.

On that core (60 to 92 GFLOP/s in a product) ``modern`` does 16 to 27 images a second, a core that
varied by a fifth from one minute to the next; 70 % of the time is convolutions. There the frozen
network was made to see images turned by half a turn, so that no map is copied into a larger one to
be padded: 3.1 % less time a step (30 pairs of steps in turns; 3.0 % and, at half of the size, 1.5 %
of 14 pairs each). Then a convolution and its ReLU6 became one pass, and doublings took 9 products
and not 16: 9 % less, and at half 13 % (28 and 40 pairs; 11 and 16 % of 6 pairs beside other runs;
doublings alone 8 % and the one pass alone 2 % of 14 pairs each, at full size). The first doubling
as a matrix product and ``fold`` takes 35 ms and not 53 by itself, and made no difference in the
step; nor do the last layer's 3 channels get faster padded to 8, nor the 3x3 convolutions as
products, which reach 30 to 43 of 37 to 42 GMAC/s as they are. Activations in place made no
difference that shows (12 steps of each in turns: 0.4 % less to 0.9 % more at full size, 1.2 to 2.3
% less at half). Huge pages asked for by torch (``THP_MEM_ALLOC_ENABLE=1``) made no difference that
shows through that: 18.2 beside 16.9 (means of five pairs of runs, faster in three) without freed
memory kept, and 18.8 beside 19.4 (two pairs) with it.

On the virtual Xeon a step with D's images enlarged spends 35 % in the frozen network. To look at
half of a batch after the other made that slower (reals 117 ms at once, 122, 143, 156 in halves,
quarters, eighths; fakes and back 314, 332, 393, 422). The gradient of ReLU6 written over the one
that comes made 2 % (medians of 24 pairs of steps in turns: 0.98 enlarged, quartiles 0.96 and 1.00,
and 0.975 at full size, 0.93 and 1.06): not worth a way back that changes what it is given.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from peers import PEERS, Peer
from step_parts import LOGGING, Parts, Reals, marked_step, same_weights, tick
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count
from torchvision import transforms
from torchvision.datasets import ImageFolder

from animegan_cli.augment import Draw, augment
from animegan_cli.data import normalize, open_images
from animegan_cli.device import choose_device, reuse_freed_memory
from animegan_cli.listing import list_images
from animegan_cli.networks import classic, lite0
from animegan_cli.networks.blocks import Doubling
from animegan_cli.networks.lite0 import SameConv, turned
from animegan_cli.networks.projected import Discriminator, Generator
from animegan_cli.objectives import OBJECTIVES
from animegan_cli.order import Order
from animegan_cli.pairing import unlikeness
from animegan_cli.settings import Settings
from animegan_cli.sources import Layer, resolve
from animegan_cli.training_state import TrainingState, new_state
from animegan_cli.training_step import average, train_step

Iteration = Callable[[], object]
PLAIN_LAYERS = "plain loop, plain layers"


@dataclass(frozen=True)
class Watch:
    """Tells the time of a device: of the wall, or what this process used of one thread."""

    device: torch.device
    cpu_time: bool = False

    def now(self) -> float:
        """Return the time in seconds once the device has done what it was asked."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.process_time() if self.cpu_time else time.perf_counter()

    def timed(self, work: Iteration, repeats: int = 1) -> float:
        """Return the seconds that one call takes, the mean of several."""
        started = self.now()
        for _ in range(repeats):
            work()
        return (self.now() - started) / repeats


@dataclass(frozen=True)
class Row:
    """A line of the first table; operations in multiply-accumulates an image."""

    name: str
    batch: str
    rates: list[float]
    macs: float

    @property
    def rate(self) -> float:
        """Images a second, the median."""
        return statistics.median(self.rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--recipe", default="classic")
    parser.add_argument(
        "--set", dest="fields", nargs="*", default=[], help="width=32 batch_size=64"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--iterations", type=int, default=5, help="per turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="seconds that this process used, not the wall's: for one thread of a busy machine",
    )
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    reuse_freed_memory()
    device = choose_device(options.device)
    given = dict(field.split("=", 1) for field in options.fields)
    whole = {"grow_kimg": 0, "narrow_kimg": 0, "d_zoom_kimg": 0}  # as a step is in the end
    flags = {"recipe": options.recipe, "g_iter_step": 1, **whole, **given}
    settings = resolve([Layer("flag", flags)]).settings

    if options.cpu_time and (options.threads > 1 or device.type != "cpu"):
        parser.error("--cpu-time goes with --threads 1 --device cpu")
    watch = Watch(device, options.cpu_time)
    reals = reading(settings, options.faces, device)
    state = new_state(settings, device)
    show_machine(state, settings)
    peaks = peak_rates(watch, state.dtype)
    loops: dict[str, Iteration] = {"plain loop": plain_loop(settings, options.faces, device)}
    loops[PLAIN_LAYERS] = plain_loop(settings, options.faces, device, plain_layers=True)
    loops["animegan"] = lambda: train_step(state, settings, lambda: reals(state))
    rows = in_turns(loops, settings.batch_size, options.turns, options.iterations, watch)
    *plain, ours = rows
    pairs = {row.name: [b / a for a, b in zip(row.rates, ours.rates, strict=True)] for row in plain}
    if options.peers:
        rows += peer_rows(options.faces, settings.size, watch)
    later = peak_rates(watch, state.dtype)  # a shared machine is not always equally fast
    peaks = {kind: max(rate, later[kind]) for kind, rate in peaks.items()}
    show_rows(rows, peaks)
    print()
    for name, ratios in pairs.items():
        middle = statistics.median(ratios)
        print(f"animegan / {name}: median {middle:.2f}, min {min(ratios):.2f}")
    show_parts(state, settings, reals, peaks, watch, options.turns * options.iterations)
    print(memory(device))


def show_machine(state: TrainingState, settings: Settings) -> None:
    """Print what is measured, and on what."""
    device = state.device
    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device.type}, {torch.get_num_threads()} threads"
    )
    print(
        f"{settings.recipe}, {settings.size} px, batch {settings.batch_size}, "
        f"{str(state.dtype).removeprefix('torch.')}, {where}, torch {torch.__version__}\n"
    )


def in_turns(
    loops: dict[str, Iteration], batch_size: int, turns: int, iterations: int, watch: Watch
) -> list[Row]:
    """Time loops one after the other, several times, the first time to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(turns + 1):
        for name, iteration in loops.items():
            rates[name].append(batch_size / watch.timed(iteration, iterations))
    return [
        Row(name, f"{batch_size}", rates[name][1:], operations(iteration) / batch_size)
        for name, iteration in loops.items()
    ]


def peer_rows(faces: Path, size: int, watch: Watch) -> list[Row]:
    """Time a step of each peer that is installed."""
    if size & (size - 1):
        print(f"peers draw powers of two only, not {size} px: left out; --set size=64\n")
        return []
    rows = []
    for peer in PEERS:
        if not peer.installed():
            print(f"{peer.package} is not installed: left out; see tests/benchmarks/peers.py\n")
        elif watch.device.type not in ("cpu", "cuda"):
            print(f"{peer.package} cannot run on {watch.device.type}: left out\n")
        else:
            rows.append(peer_row(peer, faces, size, watch))
    return rows


def peer_row(peer: Peer, faces: Path, size: int, watch: Watch) -> Row:
    """Time one step with the penalty and one without; count their operations on two images."""
    trainer = peer.trainer(faces, size, watch.device, gradient_accumulate_every=peer.timed_batches)
    if watch.device.type == "cuda":
        for _ in range(2 * peer.period):  # warms up
            trainer.train()
    seconds = [watch.timed(peer.step(trainer, kind)) for kind in (0, 1)]
    small = peer.trainer(faces, size, watch.device, batch_size=2, gradient_accumulate_every=1)
    macs = [operations(peer.step(small, kind)) / 2 for kind in (0, 1)]
    rate = peer.defaults["batch_size"] * peer.timed_batches / peer.mean(*seconds)
    return Row(peer.package, peer.batch, [rate], peer.mean(*macs))


def show_rows(rows: list[Row], peaks: dict[str, float]) -> None:
    """Print the first table."""
    print(f"| loop | batch | images/s | M MACs an image | {' | '.join(map(of_a, peaks))} |")
    print("| --- " * (4 + len(peaks)) + "|")
    for row in rows:
        spread = f" ({min(row.rates):.1f} to {max(row.rates):.1f})" if len(row.rates) > 1 else ""
        shares = " | ".join(f"{row.macs * row.rate / peak:.0%}" for peak in peaks.values())
        print(
            f"| {row.name} | {row.batch} | {figure(row.rate)}{spread} | {row.macs / 1e6:,.0f} "
            f"| {shares} |"
        )
    rates = ", ".join(f"{2 * peak / 1e9:,.0f} GFLOP/s {name}" for name, peak in peaks.items())
    print(f"\nmatrix product: {rates}")


def show_parts(
    state: TrainingState,
    settings: Settings,
    reals: Reals,
    peaks: dict[str, float],
    watch: Watch,
    steps: int,
) -> None:
    """Print the second table: the step's parts, and whether they are the step."""
    device, batch = state.device, settings.batch_size
    same = same_weights(settings, device, reals)
    if device.type == "cpu" and not same:
        raise SystemExit("step_parts.py no longer does what training_step.py does")
    marked_step(state, settings, reals, lambda _: None)
    clock = Parts(watch.now)
    whole = 0.0
    for _ in range(steps):
        clock.start()
        marked_step(state, settings, reals, clock.mark)
        whole += watch.timed(lambda: train_step(state, settings, lambda: reals(state)))
    counter = flop_counter()
    with counter:
        counted = Parts(lambda: counter.get_total_flops() / 2)
        marked_step(state, settings, reals, counted.mark)
    ticking = watch.timed(tick(state, settings), 3) * batch / (settings.tick_kimg * 1000)
    seconds = {name: total / steps for name, total in clock.sums.items()}
    summed = sum(seconds.values())
    seconds[LOGGING] += ticking

    print(f"\n| part | ms | share | M MACs an image | {' | '.join(map(of_a, peaks))} |")
    print("| --- " * (4 + len(peaks)) + "|")
    for name, took in seconds.items():
        macs = counted.sums[name]
        shares = " | ".join(f"{macs / took / peak:.0%}" if macs else "-" for peak in peaks.values())
        print(
            f"| {name} | {took * 1000:.1f} | {took / (summed + ticking):.1%} "
            f"| {macs / batch / 1e6:,.1f} | {shares} |"
        )
    print(
        f"\nparts sum to {summed / (whole / steps):.1%} of the step"
        f"{', and leave the same weights' if same else ''}; logging holds {ticking * 1000:.1f} ms "
        f"a step for a tick every {settings.tick_kimg:g} kimg"
    )


def operations(work: Iteration) -> float:
    """Return the multiply-accumulates of a call, by torch's counter of what is computed."""
    counter = flop_counter()
    counter.mod_tracker = _NoModules()  # type: ignore[assignment]
    with counter:
        work()
    return counter.get_total_flops() / 2


def flop_counter() -> FlopCounterMode:
    """Return torch's counter, which also counts a convolution that is rectified at once."""
    known = {}
    if lite0._fuses(torch.float32):
        known[torch.ops.mkldnn._convolution_pointwise] = _convolution_flops
    return FlopCounterMode(display=False, custom_mapping=known)


def _convolution_flops(
    images: list[int], weight: list[int], *_: Any, out_shape: list[int], **__: Any
) -> int:
    return conv_flop_count(images, weight, out_shape)


class _NoModules(nullcontext[None]):
    """In place of the counter's list by module, which fails at a gradient of a gradient."""

    parents = frozenset({"Global"})


def peak_rates(watch: Watch, dtype: torch.dtype) -> dict[str, float]:
    """Return multiply-accumulates a second in a matrix product, in float32 and in ``dtype``."""
    side = 8192 if watch.device.type == "cuda" else 2048
    rates = {}
    for kind in dict.fromkeys((torch.float32, dtype)):
        a = torch.rand(side, side, device=watch.device, dtype=kind)
        torch.mm(a, a)
        best = min(watch.timed(lambda: torch.mm(a, a), 3) for _ in range(3))  # noqa: B023
        rates[str(kind).removeprefix("torch.")] = side**3 / best
    return rates


def of_a(kind: str) -> str:
    """Return the heading of a share."""
    return f"of a {kind} product"


def figure(rate: float) -> str:
    """Return a rate with three digits that mean something."""
    return f"{rate:.1f}" if rate >= 10 else f"{rate:.2f}"


def memory(device: torch.device) -> str:
    """Return the most memory that the process held."""
    if device.type == "cuda":
        return f"at most {torch.cuda.max_memory_allocated(device) / 2**20:,.0f} MB on the GPU"
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"at most {used:,.0f} MB, all loops together"


def plain_loop(
    settings: Settings, faces: Path, device: torch.device, plain_layers: bool = False
) -> Iteration:
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
        pin_memory=device.type == "cuda",
    )
    state = new_state(settings.model_copy(update={"precision": "fp32"}), device)
    state.G.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    state.D.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for layer in [*state.G.modules(), *state.D.modules()] if plain_layers else []:
        if type(layer) in _PLAINLY:
            layer.forward = MethodType(_PLAINLY[type(layer)], layer)
    losses = plain_projected if settings.family == "projected" else plain_classic
    batches = forever(loader)

    def iteration() -> None:
        losses(state, next(batches).to(device, non_blocking=True), settings)
        if state.G_ema is not None:
            average(state.G_ema, state.G, settings, 10**6)

    return iteration


def _doubled_plainly(self: Doubling, x: Tensor, z: Tensor) -> Tensor:
    def styled(x: Tensor, i: int) -> Tensor:
        if not len(self.style):
            return x
        gain, shift = self.style[i](z)[:, :, None, None].chunk(2, 1)
        return x * (1 + gain) + shift

    kernel = self.weight.transpose(0, 1).flip(2, 3)
    x = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), kernel, padding=1)
    x = F.leaky_relu(styled(self.norm(x), 0), 0.2)
    if self.conv is not None and self.conv_norm is not None:
        x = F.leaky_relu(styled(self.conv_norm(self.conv(x)), 1), 0.2)
    return x


def _convolved_plainly(self: SameConv, x: Tensor) -> Tensor:
    kernel = turned(self.weight)
    x = F.conv2d(x, kernel, self.bias, self.stride, self.padding, groups=self.groups)
    return F.relu6(x) if self.rectified else x


def _drawn_plainly(self: classic.Generator, z: Tensor) -> Tensor:
    images: Tensor = self.main(z[:, :, None, None])
    return images


def _judged_plainly(self: classic.Discriminator, images: Tensor) -> Tensor:
    return torch.flatten(self.main(images))


_PLAINLY = {
    Doubling: _doubled_plainly,
    SameConv: _convolved_plainly,
    classic.Generator: _drawn_plainly,
    classic.Discriminator: _judged_plainly,
}


def plain_classic(state: TrainingState, reals: Tensor, settings: Settings) -> None:
    """Do what the lineage's loop does."""
    G, D = state.G, state.D
    criterion = nn.BCELoss()
    ones = torch.full((settings.batch_size,), settings.real_label, device=reals.device)
    zeros = torch.full((settings.batch_size,), settings.fake_label, device=reals.device)
    state.D_optimizer.zero_grad()
    criterion(torch.sigmoid(D(reals)), ones).backward()
    fakes = G(torch.randn(settings.batch_size, settings.z_dim, device=reals.device)).detach()
    criterion(torch.sigmoid(D(fakes)), zeros).backward()
    state.D_optimizer.step()
    state.G_optimizer.zero_grad()
    fakes = G(torch.randn(settings.batch_size, settings.z_dim, device=reals.device))
    criterion(torch.sigmoid(D(fakes)), ones).backward()
    state.G_optimizer.step()


def plain_projected(state: TrainingState, reals: Tensor, settings: Settings) -> None:
    """Do the same mathematics with fakes of its own for each network."""
    G, D = state.G, state.D
    assert isinstance(D, Discriminator) and isinstance(G, Generator)
    coding, objective = G.coding, OBJECTIVES[settings.objective]

    numbers = torch.rand(2, settings.batch_size, 5, device=reals.device)
    if settings.paired:
        numbers[1, ::2] = numbers[0, ::2]

    def features(images: Tensor) -> list[Tensor]:
        draw = Draw.from_uniform(numbers[int(images is not reals)])
        return D.features(augment(images, draw, settings.augment))

    every = 1 if D.embeddings else 2  # without embeddings the codes of the other half are not asked
    found = coding and coding.encode(coding.look(reals[::every], D.lite0))

    def drawn() -> tuple[Tensor, Tensor | None]:
        z = torch.randn(settings.batch_size, settings.z_dim, device=reals.device)
        if found is None:
            return G(z), None
        codes = G.codes(z)
        codes[::2] = found[:: 2 // every]
        return G(z, codes=codes), codes

    state.D_optimizer.zero_grad()
    with torch.no_grad():
        fakes, codes = drawn()
    real_mixed, mixed = D.mixing(features(reals)), D.mixing(features(fakes))
    objective.D(D.judge(real_mixed, found), D.judge(mixed, codes)).backward()
    state.D_optimizer.step()
    state.G_optimizer.zero_grad()
    fakes, codes = drawn()
    real_features, fake_features = features(reals), features(fakes)
    mismatch = state.matching.mismatch(reals, real_features, fakes, fake_features)
    real_logits = D.judge(D.mixing(real_features), found)
    loss = objective.G(real_logits, D.judge(D.mixing(fake_features), codes))
    loss = loss + settings.match * mismatch
    if settings.paired:
        sides = [
            (images[::2], [x[::2] for x in maps])
            for images, maps in ((reals, real_features), (fakes, fake_features))
        ]
        apart = unlikeness(
            sides[0], sides[1], state.matching.real_moments(), focus=settings.paired_focus
        )
        loss = loss + settings.paired * apart / len(reals[::2])
    loss.backward()
    state.G_optimizer.step()


def reading(settings: Settings, faces: Path, device: torch.device) -> Reals:
    """Return how animegan reads the batch of a moment."""
    images = open_images(list_images(faces), settings.size)
    order = Order(len(images), settings.seed)

    def reals(state: TrainingState) -> Tensor:
        indices, flips = order.at(state.cur_nimg, settings.batch_size)
        flipped = torch.from_numpy(flips).to(device, non_blocking=True)
        return normalize(images.batch(indices, device), flipped)

    return reals


def forever(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
    """Yield batches without end."""
    while True:
        for images, _ in loader:
            yield images


if __name__ == "__main__":
    main()
