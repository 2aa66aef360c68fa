"""A step on CUDA, launched operation by operation and as a recorded graph.

``python tests/benchmarks/cuda_step.py --batches 32 128`` prints, at full size and on one batch of
noise: milliseconds a step three times each, the ratio of the medians, and peak memory.

On an H200 of a virtual machine, 16 CPU cores, torch 2.11, bfloat16, recipe ``modern`` as it was
before styles, codes and heads without mixtures, 96 px:

| batch | launched, ms | recorded, ms | ratio | memory, both |
| --- | --- | --- | --- | --- |
| 32 | 60.3, 55.1, 60.5 | 9.59, 9.59, 9.59 | 6.3 | 502 MiB |
| 128 | 55.7, 53.4, 52.9 | 15.45, 15.45, 15.45 | 3.5 | 1,464 MiB |

Launched, the host is what takes time: 3,475 kernels a step at batch 32, which by torch.profiler
are busy for 8.7 ms (3,354 and 7.1 ms at half size); the rest of the 60 ms they wait. Most are small
and element by element: copies between bfloat16 and float32 566, sums of biases 164. None takes more
than 0.7 ms a step in all.

``torch.compile`` of both networks took 89 s before the first steps, beside a training on the same
GPU and tests on the same cores. What it saves was not measured: that probe ran out of time.
"""

import argparse
import statistics
import time

import torch

from animegan_cli.device import choose_device, use_tensor_cores
from animegan_cli.recording import Recorder
from animegan_cli.sources import Layer, resolve
from animegan_cli.training_state import new_state
from animegan_cli.training_step import train_step

REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="modern")
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    device = choose_device("cuda")
    use_tensor_cores(device)
    print("batch  launched, ms          recorded, ms          ratio  MiB", flush=True)
    for batch in options.batches:
        fields = {"recipe": options.recipe, "batch_size": batch, "device": "cuda"}
        if options.recipe.startswith("modern"):  # whole, and steady from the start
            fields |= {"grow_kimg": 0.0, "narrow_kimg": 0.0, "d_zoom_kimg": 0.0}
            fields |= {"match_beta": 1e-6}
        settings = resolve([Layer("benchmark", fields)]).settings
        state = new_state(settings, device)
        reals = torch.rand(batch, 3, settings.size, settings.size, device=device) * 2 - 1

        def timed(steps: int) -> float:
            torch.cuda.synchronize()
            began = time.perf_counter()
            for _ in range(steps):
                train_step(state, settings, lambda: reals)  # noqa: B023
            torch.cuda.synchronize()
            return (time.perf_counter() - began) / steps * 1000

        torch.cuda.reset_peak_memory_stats()
        timed(4)
        launched = [timed(8) for _ in range(REPEATS)]
        state.recorder = Recorder(True)
        timed(5)
        recorded = [timed(options.steps) for _ in range(REPEATS)]
        print(
            f"{batch:<6d} {'  '.join(f'{x:.2f}' for x in launched):<21s} "
            f"{'  '.join(f'{x:.2f}' for x in recorded):<21s} "
            f"{statistics.median(launched) / statistics.median(recorded):<6.1f} "
            f"{torch.cuda.max_memory_allocated() // 2**20}",
            flush=True,
        )


if __name__ == "__main__":
    main()
