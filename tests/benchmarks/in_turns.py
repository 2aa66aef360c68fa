"""What a setting costs: steps of one run with it and of one without, in turns in one process.

``python tests/benchmarks/in_turns.py --set recipe=modern --without d_conditional=false`` prints how
many times as long a step takes by the first settings as by the second, at each stage of a run: at
half of the size, at the whole, and with what D sees enlarged, where the settings have these. Where
D learns in every other step, that is of two steps. By CPU time on one thread, so that other work on
the machine counts less; medians of ``--turns``.

Of that command, on an EPYC with bfloat16, other runs beside it: 1.11 (1.03 to 1.23), 1.08 (1.02 to
1.12) and 1.04 (0.96 to 1.09). Of ``--set recipe=modern d_iter_step=2 --without d_iter_step=1
--turns 6``, tests beside it: 0.95 (0.93 to 0.96), 0.94 (0.91 to 0.97) and 0.94 (0.93 to 0.97). Of
``--set recipe=modern width=64 max_channels=256 narrow_width=32 narrow_kimg=40 --without width=32
max_channels=512``, at half of the size narrow: 1.02 (0.98 to 1.10), 1.37 (1.28 to 1.53) and 1.30
(1.16 to 1.39).

On a virtual Xeon without AMX, two processes beside it, of ``--set recipe=modern precision=bf16
--without precision=fp32 --turns 5``: 1.21 (0.79 to 1.29), 1.25 (1.12 to 1.31) and 1.14 (1.01 to
1.21).
"""

import argparse
import math
import statistics
import time

import torch

from animegan_cli.settings import Settings
from animegan_cli.sources import Layer, resolve
from animegan_cli.training_state import TrainingState, new_state
from animegan_cli.training_step import train_step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--without", nargs="+", metavar="KEY=VALUE", required=True)
    parser.add_argument("--turns", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    given = dict(pair.split("=", 1) for pair in options.set)
    other = given | dict(pair.split("=", 1) for pair in options.without)
    runs = []
    for values in (given, other):
        settings = resolve([Layer("flag", values)]).settings
        runs.append((settings, new_state(settings, torch.device("cpu"))))
    settings, without = (settings for settings, _ in runs)
    count = math.lcm(*(settings.d_iter_step for settings, _ in runs))
    stages = {"the whole": max(settings.grow_kimg, settings.narrow_kimg, without.narrow_kimg)}
    if settings.grow_kimg:
        stages = {"half of the size": 0.0, **stages}
    if settings.d_zoom:
        stages["enlarged"] = max(*stages.values(), settings.d_zoom_kimg)
    print("| stage | times as long | least | most |\n| --- | --- | --- | --- |")
    for name, kimg in stages.items():
        ratios = []
        for turn in range(options.turns + 1):
            order = (0, 1) if turn % 2 else (1, 0)
            seconds = {i: steps(*runs[i], kimg, count) for i in order}
            ratios.append(seconds[0] / seconds[1])
        ratios = sorted(ratios[1:])  # the first step of a stage allocates
        middle = statistics.median(ratios)
        print(f"| {name} | {middle:.3f} | {ratios[0]:.3f} | {ratios[-1]:.3f} |", flush=True)


def steps(settings: Settings, state: TrainingState, kimg: float, count: int) -> float:
    """Return the CPU seconds of some steps after so many thousands of images."""
    reals = torch.rand(settings.batch_size, 3, settings.size, settings.size) * 2 - 1
    state.cur_nimg = round(kimg * 1000 / settings.batch_size + 1) * settings.batch_size
    began = time.process_time()
    for _ in range(count):
        train_step(state, settings, lambda: reals)
    return time.process_time() - began


if __name__ == "__main__":
    main()
