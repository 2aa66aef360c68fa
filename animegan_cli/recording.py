"""A training step recorded once on a CUDA device, then replayed by a single launch.

The networks are small: a step is more than a thousand operations of a few microseconds each, and to
launch them one by one takes longer than they do. A CUDA graph holds them all. What differs from
step to step is written into the tensors that it reads before each replay. It needs no compiler.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from animegan_cli.device import sent
from animegan_cli.meters import Meters
from animegan_cli.reporting import NullReporter, Reporter

WARM_STEPS = 3  # of a kind, before it is recorded: the first ones allocate, and time algorithms

Step = Callable[[Tensor | None], None]


class Kind(NamedTuple):
    """What a step does; those that differ in it are other recordings."""

    half: bool
    enlarged: bool
    batch_size: int
    typical: bool
    narrow: bool
    train_D: bool
    train_G: bool


class Recorder:
    """Runs steps, and after a few of a kind replays a recording of it.

    Args:
        enabled: whether to record at all; else each step is launched as it is written.
        reporter: told once if a step cannot be recorded.

    Attributes:
        replays: how many steps were replayed.
    """

    def __init__(self, enabled: bool = False, reporter: Reporter | None = None) -> None:
        self.enabled = enabled
        self.replays = 0
        self._reporter = reporter or NullReporter()
        self._warm: Counter[Kind] = Counter()
        self._recordings: dict[Kind, _Recording] = {}
        self._open: _Recording | None = None

    def tensor(self, make: Callable[[], Tensor], device: torch.device) -> Tensor:
        """Return what ``make`` gives, on a device; replays call it again for what they need."""
        if self._open is None:
            return sent(make(), device)
        return self._open.input(make, device)

    def number(self, make: Callable[[], float], device: torch.device) -> float | Tensor:
        """Return what ``make`` gives: a number, or in a recording a scalar tensor of it."""
        if self._open is None:
            return make()
        return self._open.input(lambda: torch.tensor(make()), device)

    def run(
        self,
        kind: Kind,
        step: Step,
        reals: Tensor | None,
        steady: bool,
        meters: Meters,
        optimizers: Sequence[Optimizer],
    ) -> None:
        """Do a step.

        Args:
            kind: of the step.
            step: does it with the real images, if it needs any; what else differs from one to
                another it takes from ``tensor`` and ``number``, in the same order each time.
            reals: ``[N, 3, S, S]`` on the device.
            steady: whether nothing else will differ from now on.
            meters: what the step adds to them, a replay adds too.
            optimizers: which the step uses.
        """
        if kind in self._recordings:
            self._recordings[kind].replay(reals, meters)
            self.replays += 1
            return
        self._warm[kind] += steady
        if not self.enabled or self._warm[kind] <= WARM_STEPS:
            step(reals)
            return
        for other in [other for other in self._recordings if other[:5] != kind[:5]]:
            del self._recordings[other]  # the first five never change back
        self._open = recording = _Recording(reals)
        try:
            step(reals)  # as ever, but for its inputs: they stay
            self._record(kind, recording, step, meters, optimizers)
        finally:
            self._open = None

    def _record(
        self,
        kind: Kind,
        recording: "_Recording",
        step: Step,
        meters: Meters,
        optimizers: Sequence[Optimizer],
    ) -> None:
        try:
            recording.record(step, meters, optimizers)
        except RuntimeError as error:  # of CUDA or of torch: each has its own text
            self.enabled = False
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._reporter.warn(f"no CUDA graph can be recorded, training without: {reason}")
        else:
            self._recordings[kind] = recording


class _Recording:
    """A graph, the tensors that it reads and those that it leaves for the meters.

    What it reads lies outside of the graph's memory, in which a tensor that is not needed yet
    shares its place with others.
    """

    def __init__(self, reals: Tensor | None) -> None:
        self.graph = torch.cuda.CUDAGraph()
        self.reals = None if reals is None else reals.clone()
        self.inputs: list[tuple[Tensor, Callable[[], Tensor]]] = []
        self.measures: dict[str, Tensor] = {}
        self._known: Iterator[tuple[Tensor, Callable[[], Tensor]]] | None = None

    def input(self, make: Callable[[], Tensor], device: torch.device) -> Tensor:
        """Return a tensor that each replay fills: at first a new one, then the same in order."""
        if self._known is not None:
            return next(self._known)[0]
        self.inputs.append((make().to(device), make))
        return self.inputs[-1][0]

    def record(self, step: Step, meters: Meters, optimizers: Sequence[Optimizer]) -> None:
        """Record a step whose inputs are known; this does not do it."""
        self._known = iter(self.inputs)
        with (
            _recordable(optimizers),
            meters.apart() as self.measures,
            # Meanwhile another thread may pin memory for the next batch, which "global" forbids.
            torch.cuda.graph(self.graph, capture_error_mode="thread_local"),
        ):
            step(self.reals)

    def replay(self, reals: Tensor | None, meters: Meters) -> None:
        """Do the step with other inputs."""
        if self.reals is not None and reals is not None:
            self.reals.copy_(reals)
        for tensor, make in self.inputs:
            tensor.copy_(make(), non_blocking=True)
        self.graph.replay()
        for name, value in self.measures.items():
            meters.add(name, value.clone())


@contextmanager
def _recordable(optimizers: Sequence[Optimizer]) -> Iterator[None]:
    """Let optimizers that ask for it be recorded; outside of a graph they warn of that."""
    groups = [
        group
        for optimizer in optimizers
        for group in optimizer.param_groups
        if "capturable" in group
    ]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in groups:
            group["capturable"] = False
