"""The trained networks in the box: small, used where there is no run, a place to start from."""

import json
from pathlib import Path

import pytest
import torch
from conftest import Cli
from safetensors import safe_open

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.cli.drawing import networks
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.sampling import draw
from animegan_cli.settings import Settings
from animegan_cli.training_state import new_state


def test_the_box_is_small_and_half_precise() -> None:
    assert PRETRAINED.stat().st_size <= 12e6
    with safe_open(PRETRAINED, "pt") as file:
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()["animegan"])
    assert kinds <= {torch.float16, torch.int64}
    assert about["recipe"] == "modern"
    assert about["score"]["yours"]["frechet"] > about["score"]["floor"]["frechet"]
    card = PRETRAINED.with_name("README.md").read_text("utf-8")
    assert f"{about['cur_nimg'] / 1000:,.0f} kimg" in card
    assert load_snapshot(PRETRAINED).hash in card


def test_a_fresh_install_draws_and_ranks(process: Cli, cli: Cli, tmp_path: Path) -> None:
    sampled = process("sample", "--n", 2)
    assert (sampled.returncode, sampled.stdout) == (0, "sample.png\n"), sampled.stderr
    (line,) = (line for line in sampled.stderr.splitlines() if "drawing" in line)
    assert line.startswith(
        "no snapshot in runs: drawing with the pretrained faces that animegan brings ("
    )
    ranked = cli("rank", "--candidates", 40, "--top-k", 2, "--json")
    assert ranked.returncode == 0, ranked.stderr
    assert json.loads(ranked.stdout)["snapshot"] == str(PRETRAINED)
    named = cli("sample", "--n", 2, "--snapshot", "pretrained", "--grid", "named.png")
    assert "no snapshot" not in named.stderr
    assert (tmp_path / "named.png").read_bytes() == (tmp_path / "sample.png").read_bytes()


def test_a_deviation_that_changes_nothing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    G = load_snapshot(PRETRAINED).G
    (once,), (half,) = draw(G, [3]), draw(G, [3], std=0.5)
    assert (once.images.int() - half.images.int()).abs().max() <= 1
    for settings, said in (({}, 0), ({"std": 0.5}, 1), ({"std": 0.5, "mean": 1.0}, 0)):
        networks(Settings(snapshot=Path("pretrained"), **settings))
        assert capsys.readouterr().err.count("changes nothing") == said, settings


def test_a_new_run_starts_from_it(cli: Cli, photos: Path) -> None:
    box = load_snapshot(PRETRAINED)
    settings = Settings(init=Path("pretrained"), width=64, max_channels=256)
    state = new_state(settings, torch.device("cpu"))
    for ours, theirs in ((state.G, box.G), (state.D, box.D), (state.drawer, box.G)):
        for key, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[key], value), key
    flags = ["--data", photos, "--batch-size", 4, "--total-kimg", "0.004", "--threads", 1]
    result = cli("train", "--from", "pretrained", *flags, "--run", "tuned")
    assert result.returncode == 0, result.stderr
