"""Images/s and days of a training on one GPU and on many: an estimate on paper.

``python tests/benchmarks/estimate.py`` prints a Markdown table. Counted, on torch's meta device
where nothing is computed: the multiply-accumulates of a whole training step of a recipe (by torch's
own layers, as on a GPU), and the operators that it runs. A step then takes a time for each
operator, however small, and a time for the arithmetic. Both are those of an H200 at width 32, from
two measured steps (``cuda_step.py``: 9.59 ms at batch 32, 15.45 ms at 128):

- ``--operator-us 2.6``: for each of the 2,920 operators that a recorded step had then.
- ``--tflops 30``: 3 % of that card's dense bfloat16 rate; most of a step is memory moved.
- ``--launch-us 18``: several processes record no step, and then none is shorter than all its
  operators launched one after the other; that host took 53.4 ms for them.

Assumed, each an argument:

- ``--batch 64``: images a step on each GPU; the same on all, so that 64 GPUs step 4,096 images.
- ``--scaling 1 0.9 0.8``: what is left of each GPU's rate on 1, 8 and 64.
- ``--kimg 25000``: how long a training is, here as long as StyleGAN2 was shown faces; equal for all
  batches, which a large batch does not promise.

Reading data, drawing grids and scoring are not in it.
"""

import argparse

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from animegan_cli.settings import Settings
from animegan_cli.sources import Layer, resolve
from animegan_cli.training_state import new_state
from animegan_cli.training_step import train_step

META = torch.device("meta")
WHOLE = {"grow_kimg": 0, "narrow_kimg": 0, "d_zoom_kimg": 0}  # as a step is in the end


class Operators(TorchDispatchMode):
    """Counts the operators that reach a device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="modern")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 128, 256])
    parser.add_argument("--kimg", type=float, default=25000)
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--scaling", type=float, nargs="+", default=[1, 0.9, 0.8])
    parser.add_argument("--operator-us", type=float, default=2.6)
    parser.add_argument("--tflops", type=float, default=30)
    parser.add_argument("--launch-us", type=float, default=18)
    options = parser.parse_args()
    print("| px | G MACs an image | operators a step | of it arithmetic |", end="")
    print("".join(f" {n} GPU{'s' if n > 1 else ''}: images/s, days |" for n in options.gpus))
    print("| --- " * (4 + len(options.gpus)) + "|")
    for size in options.sizes:
        flags = {"recipe": options.recipe, "size": size, "width": options.width}
        batch = {"batch_size": options.batch, "g_iter_step": 1, **WHOLE}
        macs, operators = counted(resolve([Layer("estimate", {**flags, **batch})]).settings)
        computing = 2 * macs / (options.tflops * 1e12)
        seconds = computing + operators * options.operator_us * 1e-6
        launched = max(seconds, operators * options.launch_us * 1e-6)
        rates = [
            n * share * options.batch / (seconds if n == 1 else launched)
            for n, share in zip(options.gpus, options.scaling, strict=True)
        ]
        share = f"{computing / seconds:.0%}"
        print(f"| {size} | {macs / options.batch / 1e9:.1f} | {operators:,} | {share} |", end="")
        print("".join(f" {rate:,.0f}, {options.kimg / rate / 86.4:.2g} |" for rate in rates))


def counted(settings: Settings) -> tuple[float, int]:
    """Return the multiply-accumulates and the operators of a training step."""
    state = new_state(settings, META)
    reals = torch.empty(settings.batch_size, 3, settings.size, settings.size, device=META)
    train_step(state, settings, lambda: reals)  # the first one also creates optimizer states
    with FlopCounterMode(display=False) as counter:
        train_step(state, settings, lambda: reals)
    with Operators() as operators:
        train_step(state, settings, lambda: reals)
    return counter.get_total_flops() / 2, operators.count


if __name__ == "__main__":
    main()
