"""Old weight files become snapshots; anything else is refused in one line."""

import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from conftest import Cli, error_line

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.networks import classic

Weights = OrderedDict[str, torch.Tensor]


def old_file(network: torch.nn.Module, path: Path, rename: str = "main") -> Path:
    """Save a state dict as 2019 did: without counters, maybe with other names."""
    weights: Weights = OrderedDict(
        (key.replace("main", rename), value)
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    )
    torch.save(weights, path)
    return path


@pytest.mark.parametrize("rename", ["main", "module.layers"])
def test_old_weights_can_be_sampled_and_ranked(cli: Cli, tmp_path: Path, rename: str) -> None:
    G, D = classic.Generator(z_dim=12, width=3), classic.Discriminator(width=2)
    G(torch.randn(8, 12))
    files = [old_file(G, tmp_path / "netG.pth", rename), old_file(D, tmp_path / "netD.pth", rename)]
    result = cli("import", *files, "--output", "old/model.safetensors")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "old/model.safetensors"
    loaded = load_snapshot(tmp_path / "old" / "model.safetensors")
    z = torch.randn(4, 12)
    with torch.no_grad():
        assert torch.equal(loaded.G(z), G.eval()(z))
        assert torch.equal(loaded.D(G(z)), D.eval()(G(z)))
    ranked = cli("rank", "--snapshot", "old/model.safetensors", "--candidates", 8, "--top-k", 2)
    assert ranked.returncode == 0, ranked.stderr


def test_other_files_are_refused(cli: Cli, tmp_path: Path) -> None:
    G = old_file(classic.Generator(width=2), tmp_path / "netG.pth")
    D = old_file(classic.Discriminator(width=2), tmp_path / "netD.pth")
    assert "no such file" in error_line(cli("import", G, "missing.pth"))
    assert "not the classic network" in error_line(cli("import", D, G))
    text = tmp_path / "text.pth"
    text.write_text("hello")
    assert "holds more than the tensors" in error_line(cli("import", text, D))
    empty = tmp_path / "empty.pth"
    torch.save({}, empty)
    assert "not a plain state dict" in error_line(cli("import", empty, D))
    other = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(3)}, other)
    assert "not the classic networks" in error_line(cli("import", other, D))
    assert "cannot write" in error_line(cli("import", G, D, "--output", D / "x.safetensors"))


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("code ran",))


def test_no_code_in_a_file_is_ever_run(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    with path.open("wb") as file:
        pickle.dump({"a": Evil()}, file)
    result = cli("import", path, path)
    assert "holds more than the tensors" in error_line(result)
    assert "code ran" not in result.stdout
