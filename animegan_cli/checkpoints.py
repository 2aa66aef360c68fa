"""Snapshots (inference) and states (resume): safetensors files that appear whole or not at all."""

import hashlib
import json
import operator
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from animegan_cli.atomic import written_whole
from animegan_cli.errors import SnapshotError
from animegan_cli.networks import FAMILIES, frozen_keys, load_frozen, projected, typicality

SNAPSHOT_FORMAT = "animegan-snapshot-1"
STATE_FORMAT = "animegan-state-1"
_METADATA = "animegan"


@dataclass(frozen=True)
class NetworkShapes:
    """All that is needed to build G and D: the family's name and both networks' arguments."""

    family: str
    G: Mapping[str, int]
    D: Mapping[str, float]

    def build(self, device: torch.device | str = "cpu") -> tuple[nn.Module, nn.Module]:
        """Return a new G and D on a device.

        Raises:
            SnapshotError: if this version does not know the family.
        """
        with torch.device(device):
            return self.build_G(), self.build_D()

    def build_G(self) -> nn.Module:
        """Return a new G, as ``build`` does."""
        return self._family()[0](**self.G)

    def build_D(self) -> nn.Module:
        """Return a new D, as ``build`` does."""
        return self._family()[1](**self.D)

    def fit(self, other: "NetworkShapes") -> bool:
        """Return whether a run with these may start from networks of the other shapes.

        Each map of a projected G may have more channels (``networks.narrow``).
        """
        widths = ("width", "max_channels") if self.family == "projected" else ()
        any_G = dict.fromkeys(("styled", "coded", "narrow_width", *widths), 0)
        any_D = dict.fromkeys(("zoom", "mixed", "codes"), 0)

        def needed(shapes: NetworkShapes) -> tuple[str, Mapping[str, int], Mapping[str, float]]:
            return shapes.family, {**shapes.G, **any_G}, {**shapes.D, **any_D}

        if needed(self) != needed(other):
            return False
        keeps = all(self.G.get(key, 0) >= other.G.get(key, 0) for key in ("styled", "coded"))
        return keeps and (not widths or all(map(operator.ge, _channels(self), _channels(other))))

    def _family(self) -> tuple[type[nn.Module], type[nn.Module]]:
        if self.family not in FAMILIES:
            raise SnapshotError(f"unknown network family {self.family!r}; a newer animegan has it")
        return FAMILIES[self.family]


def _channels(shapes: NetworkShapes) -> list[int]:
    G = shapes.G
    return projected.channels(G["size"], G["width"], G.get("max_channels", projected.MAX_CHANNELS))


@dataclass(frozen=True)
class Snapshot:
    """Trained networks and what is known of them.

    Attributes:
        G: the generator, in evaluation mode.
        shapes: from which they were built.
        recipe: name of the recipe that trained them, or ``imported``.
        cur_nimg: real images seen in training.
        hash: first 16 hexadecimal digits of the file's SHA-256.
        reals: what is known of real images' features in D, as ``Typicality`` takes it; may be
            empty.
    """

    G: nn.Module
    shapes: NetworkShapes
    recipe: str
    cur_nimg: int
    hash: str
    reals: Mapping[str, Tensor]
    _path: Path
    _discriminator: Callable[[], nn.Module]

    @cached_property
    def D(self) -> nn.Module:
        """The discriminator, in evaluation mode; built when it is first asked for.

        Raises:
            AnimeganError: if its weights do not fit, or if the file leaves out the frozen network
                in it and the package that carries its weights is not installed.
        """
        return self._discriminator()

    @cached_property
    def typicality(self) -> nn.Module | None:
        """What tells how typical images are of real ones, or None if too little is known of those.

        Raises:
            AnimeganError: as ``D``, or if what is known does not fit D.
        """
        D = self.D
        with _fitting(self._path):
            judge = typicality(D, self.reals)
        return judge and judge.to(next(D.parameters()).device).eval().requires_grad_(False)


def save_snapshot(
    path: Path,
    G: nn.Module,
    D: nn.Module,
    shapes: NetworkShapes,
    recipe: str,
    cur_nimg: int,
    score: Mapping[str, Any] | None = None,
    *,
    frozen: bool = True,
    reals: Mapping[str, Tensor] | None = None,
) -> None:
    """Write G and D with the metadata from which both are rebuilt, and G's score if known.

    With ``reals``, what D's frozen network sees in real images, it can be told how typical an image
    is. Without ``frozen`` the file leaves out what a package carries anyway.
    """
    about = {"networks": asdict(shapes), "recipe": recipe, "cur_nimg": cur_nimg}
    about |= {"score": score} if score else {}
    tensors = network_tensors("G", G) | network_tensors("D", D)
    tensors |= {f"reals.{key}": value for key, value in (reals or {}).items()}
    for key in [] if frozen else frozen_keys(D):
        del tensors[f"D.{key}"]
    write_tensors(path, tensors, SNAPSHOT_FORMAT, about)


def load_snapshot(path: Path, device: torch.device | str = "cpu") -> Snapshot:
    """Rebuild G and D from one file.

    Raises:
        SnapshotError: if the file is missing, damaged, no snapshot, or does not fit its metadata.
    """
    tensors, about = read_tensors(path, SNAPSHOT_FORMAT)

    def ready(network: nn.Module) -> nn.Module:
        return network.to(device).eval().requires_grad_(False)

    def load_D() -> nn.Module:
        with _fitting(path):
            D = shapes.build_D()
            frozen = {f"D.{key}": D.state_dict()[key] for key in frozen_keys(D)}
            lacks_frozen = not tensors.keys() & frozen.keys()
            load_network("D", D, {**tensors, **frozen} if lacks_frozen else tensors)
        if lacks_frozen:
            load_frozen(D)
        return ready(D)

    with _fitting(path):
        shapes = NetworkShapes(**about["networks"])
        G = shapes.build_G()
        load_network("G", G, tensors)
        return Snapshot(
            G=ready(G),
            shapes=shapes,
            recipe=str(about["recipe"]),
            cur_nimg=int(about["cur_nimg"]),
            hash=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
            reals=_below("reals", tensors),
            _path=path,
            _discriminator=load_D,
        )


def network_tensors(name: str, network: nn.Module) -> dict[str, Tensor]:
    """Return a network's weights and statistics as ``name.key``."""
    return {f"{name}.{key}": value for key, value in network.state_dict().items()}


def optimizer_tensors(name: str, network: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """Return an optimizer's tensors as ``name.parameter.key``."""
    return {
        f"{name}.{parameter_name}.{key}": value
        for parameter_name, parameter in network.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def load_network(name: str, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load a network's tensors strictly."""
    network.load_state_dict(_below(name, tensors), strict=True)


@torch.no_grad()
def load_optimizer(
    name: str, network: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Load an optimizer's tensors; its hyperparameters stay as built from the settings.

    Raises:
        SnapshotError: if some parameters have tensors and others lack one of the same kind.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for full_name, tensor in _below(name, tensors).items():
        parameter_name, _, key = full_name.rpartition(".")
        found.setdefault(parameter_name, {})[key] = tensor
    kinds = {key for entry in found.values() for key in entry}
    parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
    for parameter_name, parameter in parameters.items():
        missing = kinds - set(found.get(parameter_name, kinds))
        if missing:
            raise SnapshotError(f"{name} has no {min(missing)} of {parameter_name}")
        for key, tensor in found.get(parameter_name, {}).items():
            if tensor.shape == parameter.shape:  # in the parameter's own memory layout
                found[parameter_name][key] = torch.empty_like(parameter).copy_(tensor)
    packed = optimizer.state_dict()
    packed["state"] = {i: found[name] for i, name in enumerate(parameters) if name in found}
    optimizer.load_state_dict(packed)


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], kind: str, about: Mapping[str, Any]
) -> None:
    """Write a safetensors file under a temporary name, flush it to the disk, then rename it."""
    plain = {name: t.detach().to("cpu").contiguous() for name, t in tensors.items()}
    # One entry of metadata: safetensors writes several in an order that changes with the process.
    metadata = {_METADATA: json.dumps({"format": kind, **about})}
    try:
        with written_whole(path) as temporary:
            temporary.touch()
            mode = temporary.stat().st_mode  # safetensors would leave its own: no other user reads
            save_file(plain, temporary, metadata)
            temporary.chmod(mode)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
    except (OSError, SafetensorError) as error:
        raise SnapshotError(f"cannot write {path}: {_first_line(error)}") from None
    if os.name == "posix":  # the rename itself must survive a power cut
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            with suppress(OSError):  # a file system that has no such thing
                os.fsync(folder)
        finally:
            os.close(folder)


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file written by ``write_tensors``: tensors on the CPU, and its metadata.

    Raises:
        SnapshotError: if the file is missing, damaged or of another kind.
    """
    if not path.is_file():
        raise SnapshotError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
            if about.get("format") != kind:
                found = about.get("format", "another program's")
                raise SnapshotError(f"{path}: is {found} and not {kind}")
            # Copies: what safetensors returns is the mapped file itself.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        return tensors, about
    except (SafetensorError, OSError, ValueError) as error:
        raise SnapshotError(
            f"{path}: damaged, or no safetensors file: {_first_line(error)}"
        ) from None


def _below(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = name + "."
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, RuntimeError) as error:
        raise SnapshotError(
            f"{path}: weights and metadata do not fit: {_first_line(error)}"
        ) from None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) or type(error).__name__
