"""The shapes of a run's networks, and the weights of a snapshot that it starts from."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from animegan_cli.checkpoints import NetworkShapes, Snapshot, load_snapshot
from animegan_cli.errors import SettingsError
from animegan_cli.networks.coding import code_length
from animegan_cli.networks.narrow import begin_as
from animegan_cli.networks.projected import MAX_CHANNELS, Discriminator
from animegan_cli.recipes import RECIPES
from animegan_cli.reporting import Reporter
from animegan_cli.schedules import enlarging, narrowing
from animegan_cli.settings import Settings, preset

PROJECTED_ONLY = (
    "match",
    "match_kimg",
    "match_beta",
    "covariance",
    "detail",
    "typical",
    "typical_kimg",
    "grow_kimg",
    "narrow_kimg",
    "narrow_width",
    "max_channels",
    "augment",
    "d_zoom",
    "d_zoom_kimg",
    "d_mixed",
    "d_conditional",
    "g_styled",
    "paired",
    "paired_kimg",
    "paired_focus",
)


def check_together(settings: Settings) -> None:
    """Refuse settings that do not go with each other or with the networks.

    Raises:
        SettingsError: naming the flag and what to do.
    """
    if (settings.family == "classic") != (settings.objective == "bce"):
        raise SettingsError(
            f"--objective {settings.objective} does not go with --family {settings.family}: "
            "bce goes with classic, the others with projected"
        )
    if settings.family == "classic":
        for name in PROJECTED_ONLY:
            if getattr(settings, name):
                flag = name.replace("_", "-")
                raise SettingsError(f"--{flag} goes with --family projected, not with classic")
    if settings.typical and not (settings.match and settings.match_beta):
        raise SettingsError(
            "--typical goes with --match and --match-beta, since it needs the averages that they "
            "keep; use --typical 0"
        )
    if settings.paired and not (settings.match and settings.match_beta):
        raise SettingsError(
            "--paired goes with --match and --match-beta, whose averages are its units; "
            "use --paired 0"
        )
    if settings.paired_kimg and not settings.paired:
        raise SettingsError(
            "--paired-kimg says when --paired falls, which has no weight: give --paired one, or "
            "leave out both"
        )
    if settings.typical_kimg and not settings.typical:
        raise SettingsError(
            "--typical-kimg says when --typical begins, which has no weight: give --typical one, "
            "or leave out both"
        )
    if bool(settings.narrow_kimg) != bool(settings.narrow_width):
        raise SettingsError(
            "--narrow-width and --narrow-kimg say how wide G is at first, and for how long: give "
            "both, or leave out both"
        )
    if settings.narrow_width and settings.narrow_width >= settings.width:
        raise SettingsError(
            f"--narrow-width {settings.narrow_width} is not less than --width {settings.width}: "
            "use a smaller one, or leave it and --narrow-kimg out"
        )
    if settings.family == "classic" and settings.micro_batch:
        raise SettingsError(
            "--micro-batch goes with --family projected: classic normalises over whole batches; "
            "where memory is short, use a smaller --batch-size"
        )
    if settings.family == "classic" and settings.precision == "bf16":
        raise SettingsError("--precision bf16 goes with --family projected; classic is float32")


def network_shapes(settings: Settings, images: float = math.inf) -> NetworkShapes:
    """Return the networks' shapes for the settings of a run, as in a step after so many images.

    Raises:
        SettingsError: if a setting does not go with the networks.
    """
    check_together(settings)
    G = {"z_dim": settings.z_dim, "size": settings.size, "width": settings.width}
    if settings.max_channels not in (None, MAX_CHANNELS):
        G["max_channels"] = settings.max_channels
    if settings.narrow_width and narrowing(0, settings):  # not after --init
        G["narrow_width"] = settings.narrow_width
    if settings.g_styled:
        G["styled"] = True
    if settings.paired:
        G["coded"] = True
    D: dict[str, float] = {"size": settings.size, "width": settings.d_width or settings.width}
    if settings.d_zoom and enlarging(images, settings):
        D["zoom"] = settings.d_zoom
    if settings.family == "projected" and settings.d_mixed is False:
        D["mixed"] = False
    if settings.d_conditional and settings.paired:
        D["codes"] = code_length(settings.z_dim)
    return NetworkShapes(settings.family, G, D)


def fitting(path: Path, shapes: NetworkShapes) -> Snapshot:
    """Return a snapshot that new networks of some shapes may start from.

    Raises:
        SnapshotError: if it cannot be read.
        SettingsError: if its networks are of other shapes.
    """
    start = load_snapshot(path)
    if not shapes.fit(start.shapes):
        raise SettingsError(f"--init {path}: its networks are {_asked_for_by(start)}")
    return start


def start_from(
    path: Path, shapes: NetworkShapes, G: nn.Module, D: nn.Module, reporter: Reporter
) -> None:
    """Give new networks of some shapes the weights of a snapshot.

    The heads of a D that sees the frozen features in another way stay as they are, and the reporter
    is told so. Embeddings of codes, where the snapshot's D has none, stay as they are as well. What
    its G lacks, channels too, begins such that its images stay the same, until codes are fitted to
    the run's images (``codes``).

    Raises:
        SnapshotError: if the snapshot cannot be read.
        SettingsError: if its networks are of other shapes.
    """
    start = fitting(path, shapes)
    with torch.random.fork_rng(devices=[]):
        as_wide = replace(shapes, G={**shapes.G, **_widths(start.shapes)}).build_G()
    as_wide.load_state_dict(start.G.state_dict())
    begin_as(G, as_wide)
    mixed = shapes.D.get("mixed", True)
    if mixed == start.shapes.D.get("mixed", True):
        own, known = D.state_dict(), start.D.state_dict()
        D.load_state_dict({key: known.get(key, value) for key, value in own.items()})
        return
    assert isinstance(D, Discriminator) and isinstance(start.D, Discriminator)
    D.lite0.load_state_dict(start.D.lite0.state_dict())
    kept = "--no-d-mixed" if mixed else "--d-mixed"
    reporter.note(f"--init: D's heads begin anew; {kept} keeps them")


def networks_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return the settings, with a recipe, that ask for networks of a snapshot's shapes."""
    shapes, recipe = snapshot.shapes, snapshot.recipe
    if preset(recipe).get("family") != shapes.family:  # such as "imported"
        recipe = next(name for name in RECIPES if preset(name)["family"] == shapes.family)
    lengths = {key: shapes.G[key] for key in ("z_dim", "size")}
    return {"recipe": recipe, **lengths, **_widths(shapes), "d_width": shapes.D["width"]}


def _widths(shapes: NetworkShapes) -> dict[str, int]:
    most = {"max_channels": MAX_CHANNELS} if shapes.family == "projected" else {}
    return most | {key: shapes.G[key] for key in ("width", "max_channels") if key in shapes.G}


def _asked_for_by(snapshot: Snapshot) -> str:
    """Return which flags ask for networks of a snapshot's shapes."""
    flags = [f"--{key.replace('_', '-')} {x}" for key, x in networks_of(snapshot).items()]
    flags += ["--paired 1"] if snapshot.shapes.G.get("coded") else []
    flags += ["--g-styled"] if snapshot.shapes.G.get("styled") else []
    return f"those of {' '.join(flags)}; give these too"
