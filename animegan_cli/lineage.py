"""Reading the classic lineage's old weight files (plain state dicts of netG and netD)."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from animegan_cli.checkpoints import NetworkShapes, save_snapshot
from animegan_cli.errors import SnapshotError
from animegan_cli.networks.classic import Discriminator, Generator

LINEAGE_SIZE = 96


def import_snapshot(generator: Path, discriminator: Path, output: Path) -> None:
    """Write a snapshot from ``netG.pth`` and ``netD.pth`` of the classic 96 x 96 networks.

    The widths and the length of the noise are read from the weights. Names are not compared, since
    forks renamed them, but order and shape of every tensor are.

    Raises:
        SnapshotError: if a file is missing, holds more than tensors, or is another network.
    """
    G_weights, D_weights = _read(generator), _read(discriminator)
    first, last = G_weights[0].shape, G_weights[-1].shape
    if len(first) != 4 or len(last) != 4 or D_weights[0].dim() != 4:
        raise SnapshotError(f"{generator}, {discriminator}: not the classic networks")
    G_shape = {"z_dim": first[0], "size": LINEAGE_SIZE, "width": last[0]}
    D_shape = {"size": LINEAGE_SIZE, "width": D_weights[0].shape[0]}
    G, D = Generator(**G_shape), Discriminator(**D_shape)
    _fill(G, G_weights, generator)
    _fill(D, D_weights, discriminator)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        save_snapshot(output, G, D, NetworkShapes("classic", G_shape, D_shape), "imported", 0)
    except OSError as error:
        raise SnapshotError(f"cannot write {output}: {error.strerror or error}") from None


def _read(path: Path) -> list[Tensor]:
    """Return the tensors of a state dict in order, without the counters that old files lack."""
    if not path.is_file():
        raise SnapshotError(f"{path}: no such file")
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickle protocols, before it fails
            weights = torch.load(path, map_location="cpu", weights_only=True)
        tensors = [t for key, t in weights.items() if not key.endswith("num_batches_tracked")]
    except Exception:  # the reader raises whatever the bytes make it raise
        raise SnapshotError(
            f"{path}: damaged, or holds more than the tensors of a state dict; "
            "save it again with torch.save(netG.state_dict(), ...)"
        ) from None
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise SnapshotError(f"{path}: not a plain state dict of tensors")
    return tensors


def _fill(network: nn.Module, weights: list[Tensor], path: Path) -> None:
    wanted = {
        key: tensor
        for key, tensor in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    shapes = [tuple(tensor.shape) for tensor in wanted.values()]
    found = [tuple(tensor.shape) for tensor in weights]
    if found != shapes:
        raise SnapshotError(f"{path}: not the classic network: shapes {found[:3]} ... do not fit")
    network.load_state_dict(dict(zip(wanted, weights, strict=True)), strict=False)
