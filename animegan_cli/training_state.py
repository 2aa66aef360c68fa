"""All that training changes: built for a new run, saved, and loaded to continue one."""

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from animegan_cli import checkpoints
from animegan_cli.atypical import Atypicality
from animegan_cli.checkpoints import NetworkShapes
from animegan_cli.device import can_compile, choose_precision, derived_seed, has_bf16
from animegan_cli.errors import DataError, DivergedError, SettingsError, SnapshotError
from animegan_cli.matching import Matching
from animegan_cli.meters import Meters
from animegan_cli.networks import load_frozen, seen_through
from animegan_cli.parallel import ALONE, Ranks, share_batch_statistics
from animegan_cli.recording import Recorder
from animegan_cli.reporting import NullReporter, Reporter
from animegan_cli.run_dir import RunDir
from animegan_cli.schedules import growing, last_began, steps
from animegan_cli.settings import Settings
from animegan_cli.starting_weights import network_shapes, start_from

KEPT_STATES = 2


@dataclass(frozen=True)
class Best:
    """The best score so far, and what it was measured by and against."""

    score: float
    measure: str


@dataclass
class TrainingState:
    """All that training changes, on one device, and the precision that it computes in.

    ``ranks`` is this process among all that train the same networks; each holds such a state.
    ``G_ema`` is G averaged over its steps, in evaluation mode; None if the settings ask for none.
    """

    G: nn.Module
    D: nn.Module
    G_optimizer: Optimizer
    D_optimizer: Optimizer
    device: torch.device
    G_ema: nn.Module | None = None
    dtype: torch.dtype = torch.float32
    ranks: Ranks = ALONE
    meters: Meters = field(default_factory=Meters)
    matching: Matching = field(default_factory=Matching)
    atypicality: Atypicality = field(default_factory=Atypicality)
    recorder: Recorder = field(default_factory=Recorder)
    cur_nimg: int = 0
    elapsed_sec: float = 0.0
    best: Best | None = None

    @property
    def drawer(self) -> nn.Module:
        """The generator that grids, scores and snapshots are of: the averaged one if there is."""
        return self.G if self.G_ema is None else self.G_ema

    def autocast(self) -> AbstractContextManager[object]:
        """Return what computes in ``dtype`` while it is entered."""
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def networks(self) -> dict[str, nn.Module]:
        """Return all networks by name."""
        found = {"G": self.G, "D": self.D}
        return found if self.G_ema is None else {**found, "G_ema": self.G_ema}

    def network_tensors(self) -> dict[str, Tensor]:
        """Return the tensors of all networks as ``name.key``."""
        return {
            key: tensor
            for name, network in self.networks().items()
            for key, tensor in checkpoints.network_tensors(name, network).items()
        }

    def check_finite(self, step: int) -> None:
        """Stop a run whose weights or losses are lost, at a step that the message names.

        All processes call this, and find the same.

        Raises:
            DivergedError: naming the first tensor that is not finite.
        """
        self.meters.share(self.ranks)
        for name, tensor in {**self.network_tensors(), **self.meters.tensors()}.items():
            if not torch.isfinite(tensor).all():
                raise DivergedError(
                    f"{name} is not finite at step {step:,} "
                    f"({self.cur_nimg:,} images); what was saved before is whole: start a new run "
                    "with --init and a snapshot of this one, and with lower --g-lr and --d-lr"
                )


def new_state(
    settings: Settings,
    device: torch.device,
    ranks: Ranks = ALONE,
    reporter: Reporter | None = None,
    *,
    begun: bool = False,
) -> TrainingState:
    """Build networks and optimizers for a new run; weights follow from the seed or ``init``.

    The reporter is told what does not go on from ``init``. That of a run that has ``begun`` is not
    read, since a state is loaded next.

    Raises:
        SettingsError: if the snapshot to start from has networks of another shape, or a setting
            does not go with the networks.
        AnimeganError: if frozen weights that D needs are not installed.
    """
    shapes = network_shapes(settings)
    if settings.batch_size % ranks.count or settings.batch_size < 2 * ranks.count:
        raise SettingsError(
            f"--batch-size {settings.batch_size}: {ranks.count} processes share it; "
            f"use a multiple of {ranks.count}, at least {2 * ranks.count}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(settings.seed, "init"))
        G, D = shapes.build()
    if settings.init is not None and not begun:
        start_from(settings.init, shapes, G, D, reporter or NullReporter())
    elif device.type != "meta":
        load_frozen(D)
    if ranks.count > 1:
        G, D = (share_batch_statistics(network, device) for network in (G, D))
    layout = torch.channels_last  # a sixth faster on a CPU, and what CUDA's tensor cores want
    G = G.to(device, memory_format=layout).train()  # type: ignore[call-overload]
    D = D.to(device, memory_format=layout).train()  # type: ignore[call-overload]
    return TrainingState(
        G=G,
        D=D,
        G_optimizer=_optimizer(settings.g_optimizer, G, settings.g_lr, settings),
        D_optimizer=_optimizer(settings.d_optimizer, D, settings.d_lr, settings),
        device=device,
        G_ema=copy.deepcopy(G).eval().requires_grad_(False) if settings.ema_kimg else None,
        dtype=choose_precision(settings.precision, device),
        ranks=ranks,
        matching=Matching(settings.match_beta, settings.covariance, settings.detail),
    )


def compile_networks(state: TrainingState, wanted: bool | None, reporter: Reporter) -> None:
    """Compile what a step spends its time in.

    On a CPU that took longer than it saved, and on a GPU 89 s (``tests/benchmarks/cuda_step.py``).
    """
    if not wanted:
        return
    problem = can_compile(state.device)
    if problem:
        reporter.warn(f"torch.compile does not work here, training without it: {problem}")
        return
    state.G.compile()
    for network in seen_through(state.D):
        network.compile()


def records_steps(settings: Settings, device: torch.device, processes: int) -> bool:
    """Return whether steps are recorded as CUDA graphs; by default on CUDA.

    Raises:
        SettingsError: if that is asked for and cannot be.
    """
    hindrance = (
        f"needs CUDA, and this run trains on {device}"
        if device.type != "cuda"
        else "works in one process alone"
        if processes > 1
        else "does not go with --micro-batch"
        if settings.micro_batch
        else "does not go with SGD for G and --g-lr-kimg"
        if settings.g_optimizer == "sgd" and settings.g_lr_kimg
        else None
    )
    if settings.cuda_graph and hindrance:
        raise SettingsError(f"--cuda-graph {hindrance}; leave it out")
    return settings.cuda_graph is not False and not hindrance


def record_steps(state: TrainingState, settings: Settings, reporter: Reporter) -> None:
    """Let steps be recorded as CUDA graphs if they are to be.

    Raises:
        SettingsError: if that is asked for and cannot be.
    """
    if records_steps(settings, state.device, state.ranks.count):
        state.recorder = Recorder(True, reporter)


def as_last_seen(
    state: TrainingState, settings: Settings
) -> tuple[NetworkShapes, dict[str, Tensor]]:
    """Return the networks' shapes, and what is known of reals' features, of the last step."""
    began = last_began(state.cur_nimg, settings)
    reals = state.matching.real_features()
    if reals:
        reals["half"] = torch.tensor(int(growing(began, settings)))
    return network_shapes(settings, began), reals


def save_snapshot(run: RunDir, state: TrainingState, settings: Settings) -> Path:
    """Write the snapshot of this moment into the run, in the first process, and return its path."""
    path = run.snapshot(state.cur_nimg)
    if state.ranks.first:
        shapes, reals = as_last_seen(state, settings)
        about = (shapes, settings.recipe, state.cur_nimg)
        checkpoints.save_snapshot(path, state.drawer, state.D, *about, reals=reals)
    return path


def save_state(run: RunDir, state: TrainingState, settings: Settings, data_digest: str) -> None:
    """Write all that a continued run needs, and keep the state before it; all processes call this.

    Raises:
        DivergedError: before anything is written, if a weight or loss is not finite.
    """
    state.check_finite(steps(state.cur_nimg, settings))
    if not state.ranks.first:
        return
    tensors = {
        **state.network_tensors(),
        **checkpoints.optimizer_tensors("G_optimizer", state.G, state.G_optimizer),
        **checkpoints.optimizer_tensors("D_optimizer", state.D, state.D_optimizer),
        **state.meters.tensors(),
        **state.matching.averages.tensors(),
        **state.atypicality.tensors(),
    }
    about = {
        "cur_nimg": state.cur_nimg,
        "elapsed_sec": state.elapsed_sec,
        "data_digest": data_digest,
        "best": asdict(state.best) if state.best else None,
        "computed": [state.device.type, str(state.dtype).removeprefix("torch.")],
    }
    path = run.state(state.cur_nimg)
    checkpoints.write_tensors(path, tensors, checkpoints.STATE_FORMAT, about)
    older = [other for other in run.states() if other < path]
    for other in older[: -(KEPT_STATES - 1)]:
        other.unlink()
    for other in run.states():
        if other > path:  # it could not be read, or the run had gone on there
            other.replace(other.with_name(f"{other.name}.unread"))


def load_state(
    run: RunDir, state: TrainingState, settings: Settings, data_digest: str, reporter: Reporter
) -> None:
    """Continue from the newest state of the run that can be read.

    On a CPU it goes on in the precision that it had, unless the settings name one.

    Raises:
        DataError: if the images are not those that the run was started with.
        SnapshotError: if no state can be read.
    """
    for path in reversed(run.states()):
        try:
            tensors, about = checkpoints.read_tensors(path, checkpoints.STATE_FORMAT)
        except SnapshotError as error:
            reporter.warn(f"{error}; trying the state before it")
            continue
        if about["data_digest"] != data_digest:
            raise DataError(
                f"the images are not those that {run.path} was started with; choose another "
                "--run, and --init with a snapshot of the old one to keep what it learnt"
            )
        for name, network in state.networks().items():
            checkpoints.load_network(name, network, tensors)
        checkpoints.load_optimizer("G_optimizer", state.G, state.G_optimizer, tensors)
        checkpoints.load_optimizer("D_optimizer", state.D, state.D_optimizer, tensors)
        state.meters.load(tensors, state.device)
        state.matching.averages.load(tensors, state.device)
        state.atypicality.load(tensors, state.device)
        kind, dtype = about.get("computed", ("", ""))
        timed = settings.precision == "auto" and state.device.type == "cpu" and has_bf16()
        if timed and kind == "cpu":  # another timing might come out otherwise
            state.dtype = getattr(torch, dtype)
        state.cur_nimg = about["cur_nimg"]
        state.elapsed_sec = about["elapsed_sec"]
        state.best = Best(**about["best"]) if about.get("best") else None
        reporter.note(f"continuing {run.path} at {state.cur_nimg:,} images")
        return
    raise SnapshotError(f"no state in {run.path} can be read; choose another --run")


def _optimizer(kind: str, network: nn.Module, lr: float, settings: Settings) -> Optimizer:
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if kind == "sgd":
        return SGD(learnt, lr, momentum=settings.momentum)
    fused = any(parameter.is_cuda for parameter in learnt)
    return Adam(learnt, lr, betas=(settings.beta1, settings.beta2), fused=fused)
