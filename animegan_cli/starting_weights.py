"""A new run that starts from the weights of a snapshot."""

from pathlib import Path

from torch import nn

from animegan_cli.checkpoints import NetworkShapes, Snapshot, load_snapshot
from animegan_cli.errors import SettingsError
from animegan_cli.networks.projected import Discriminator
from animegan_cli.recipes import RECIPES
from animegan_cli.reporting import Reporter


def start_from(
    path: Path, shapes: NetworkShapes, G: nn.Module, D: nn.Module, reporter: Reporter
) -> None:
    """Give new networks of some shapes the weights of a snapshot.

    The heads of a D that sees the frozen features in another way stay as they are, and the reporter
    is told so.

    Raises:
        SnapshotError: if the snapshot cannot be read.
        SettingsError: if its networks are of other shapes.
    """
    start = load_snapshot(path)
    if not shapes.fit(start.shapes):
        raise SettingsError(f"--init {path}: its networks are {_asked_for_by(start)}")
    G.load_state_dict(start.G.state_dict())
    mixed = shapes.D.get("mixed", True)
    if mixed == start.shapes.D.get("mixed", True):
        D.load_state_dict(start.D.state_dict())
        return
    assert isinstance(D, Discriminator) and isinstance(start.D, Discriminator)
    D.lite0.load_state_dict(start.D.lite0.state_dict())
    kept = "--no-d-mixed" if mixed else "--d-mixed"
    reporter.note(f"--init: D's heads begin anew; {kept} keeps them")


def _asked_for_by(snapshot: Snapshot) -> str:
    """Return which flags ask for networks of a snapshot's shapes."""
    shapes, known = snapshot.shapes, snapshot.recipe in RECIPES
    values: dict[str, object] = {**shapes.G, "d_width": shapes.D["width"]}
    first = ("recipe", snapshot.recipe) if known else ("family", shapes.family)
    flags = " ".join(f"--{key.replace('_', '-')} {x}" for key, x in [first, *values.items()])
    return f"those of {flags}; give these too"
