"""What ``train --dry-run`` shows: settings and their origin, sizes, and the files to come."""

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import nn

from animegan_cli.device import choose_device
from animegan_cli.images import parse_color
from animegan_cli.keep_best import check_holdout
from animegan_cli.listing import list_images
from animegan_cli.metrics.weights import require_extra
from animegan_cli.networks import multiply_accumulates, parameter_count
from animegan_cli.parallel import launched
from animegan_cli.recipes import RECIPES
from animegan_cli.run_dir import open_run
from animegan_cli.settings import SECTIONS, train_fields
from animegan_cli.sources import Resolved, flag_name
from animegan_cli.starting_weights import fitting, network_shapes
from animegan_cli.training_state import records_steps

WIDE = 240  # characters, where no terminal says how many
SMALL = 128  # channels: up to there networks are built sooner in memory than on the meta device


def show_plan(resolved: Resolved, console: Console) -> None:
    """Print what a training with these settings would use and write.

    Raises:
        AnimeganError: for everything that would also stop the training before its first step.
    """
    settings = resolved.settings
    if not console.is_terminal:  # a file or a pipe has no width
        console = Console(width=WIDE, highlight=False, soft_wrap=True, emoji=False)
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for section, fields in train_fields(settings).items():
        table.add_row(f"[bold]{SECTIONS[section].title}[/bold]", "", "")
        for field, value in fields.items():
            shown = "-" if value is None else str(value)
            origin = Text(resolved.origin[field])
            table.add_row(f"  {flag_name(field)}", Text(shown, overflow="fold"), origin)
    console.print(table)

    run = open_run(settings.run, settings.recipe)
    run.check_same(settings)
    device = choose_device(settings.device, launched().own_device)
    records_steps(settings, device, launched().count)
    check_holdout(settings)
    if settings.evaluate_every:
        require_extra(settings.features)
    if settings.holdout_data is not None:
        list_images(settings.holdout_data, "--holdout-data")
    parse_color(settings.background)
    listing = list_images(settings.data)
    shapes = network_shapes(settings)
    states = run.states()
    if settings.init is not None and not states:
        fitting(settings.init, shapes)
    small = max(shapes.G["width"], shapes.D["width"]) <= SMALL
    G, D = (network.to("meta") for network in shapes.build("cpu" if small else "meta"))
    z = torch.empty(1, settings.z_dim, device="meta")
    macs = [multiply_accumulates(network.eval(), x) for network, x in ((G, z), (D, G(z)))]
    lines = {
        "recipe": f"{settings.recipe}: {RECIPES[settings.recipe].summary}",
        "device": str(device),
        "images": f"{len(listing):,} files in {listing.source}",
        "G": _size(G, macs[0]),
        "D": _size(D, macs[1]),
        "run": f"{run.path} ({f'continues after {states[-1].stem}' if states else 'new'})",
        "files": "settings.json stats.jsonl reals.png samples/fakes-NNNNNNNNN.png "
        "snapshot-NNNNNNNNN.safetensors state-NNNNNNNNN.safetensors tensorboard/"
        + (" best.safetensors" if settings.evaluate_every else ""),
    }
    console.print()
    for name, text in lines.items():
        console.print(f"{name:8}{text}", markup=False, soft_wrap=True)


def _size(network: nn.Module, macs: int) -> str:
    frozen = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    also = f" and {frozen:,} frozen ones" if frozen else ""
    return (
        f"{parameter_count(network):,} parameters{also}, {macs / 1e6:,.0f} M multiply-adds an image"
    )
