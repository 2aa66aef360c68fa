"""One seed is one image; what is written says how to draw it again."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli, error_line
from PIL import Image

from animegan_cli import pictures, run_start, sampling, training_loop
from animegan_cli.checkpoints import NetworkShapes, Snapshot, load_snapshot, save_snapshot
from animegan_cli.errors import DataError, SnapshotError
from animegan_cli.sampling import PASS, choose_seeds, count_seeds, draw, latents
from animegan_cli.seeds import Spans
from animegan_cli.settings import Settings

Make = Callable[..., Settings]


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A snapshot whose batch-norm statistics are not their initial ones."""
    torch.manual_seed(5)
    shapes = NetworkShapes(
        "classic", {"z_dim": 8, "size": 16, "width": 4}, {"size": 16, "width": 4}
    )
    G, D = shapes.build()
    for _ in range(3):
        D(G(torch.randn(32, 8)))
    path = tmp_path / "made.safetensors"
    save_snapshot(path, G, D, shapes, "classic", 1234)
    return path


def test_a_snapshot_rebuilds_both_networks(tiny: Make) -> None:
    result = training_loop.train(tiny())
    state = training_loop.new_state(tiny(), torch.device("cpu"))
    training_loop.load_state(
        training_loop.RunDir(result.run),
        state,
        tiny(),
        run_start.open_training_images(tiny(), training_loop.NullReporter()).digest,
        training_loop.NullReporter(),
    )
    loaded = load_snapshot(result.snapshot)
    assert (loaded.recipe, loaded.cur_nimg) == ("classic", 32)
    assert not loaded.G.training and not loaded.D.training
    for ours, theirs in ((loaded.G, state.G), (loaded.D, state.D)):
        for key, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[key], value), key


def test_one_seed_is_one_image_at_every_batch_size(snapshot: Path) -> None:
    G = load_snapshot(snapshot).G
    whole = torch.cat([batch.images for batch in draw(G, range(100))])
    assert len({image.numpy().tobytes() for image in whole}) == 100
    for batch_size in (1, 3, PASS, 100):
        parts = list(draw(G, range(100), batch_size=batch_size))
        assert max(len(part.seeds) for part in parts) == batch_size
        assert torch.equal(torch.cat([part.images for part in parts]), whole)
    (alone,) = draw(G, [77])
    assert torch.equal(alone.images[0], whole[77])
    (among,) = draw(G, [5, 77, 3])
    assert torch.equal(among.images[1], whole[77])


def test_mean_and_std_move_the_noise() -> None:
    z = latents(range(2000), 8)
    assert abs(float(z.mean())) < 0.05 and abs(float(z.std()) - 1) < 0.05
    assert torch.allclose(latents([3], 8, mean=2.0, std=0.5), latents([3], 8) * 0.5 + 2)
    assert torch.equal(latents([3, 4], 8, std=0.0), torch.zeros(2, 8))


def test_seeds() -> None:
    assert list(choose_seeds(None, 3)) == [0, 1, 2]
    assert list(choose_seeds("7,1-3", 99)) == [7, 1, 2, 3]
    assert (count_seeds("7,1-3", 99), count_seeds(None, 99)) == (4, 99)
    assert str(Spans([1, 2, 3, 7, 9, 10])) == "1-3,7,9-10"
    assert list(choose_seeds(str(Spans([4, 1, 2])), 0)) == [4, 1, 2]


def test_sample_writes_a_grid_and_files_that_can_be_drawn_again(
    cli: Cli, snapshot: Path, tmp_path: Path
) -> None:
    result = cli("sample", "--snapshot", snapshot, "--seeds", "3,8-11", "--std", 0.7, "--out", "o")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["sample.png", "o (5 images)"]
    names = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert names == [f"seed-{seed:08d}.png" for seed in (3, 8, 9, 10, 11)]
    with Image.open(tmp_path / "sample.png") as grid:
        assert grid.size == (3 * 18 + 2, 2 * 18 + 2)
        text = dict(grid.text)  # type: ignore[attr-defined]
        cell = np.asarray(grid)[2:18, 20:36]
    loaded = load_snapshot(snapshot)
    assert text == {
        "seeds": "3,8-11",
        "snapshot": loaded.hash,
        "mean": "0.0",
        "std": "0.7",
        "software": "animegan",
    }
    with Image.open(tmp_path / "o" / "seed-00000008.png") as image:
        assert image.text["seed"] == "8"  # type: ignore[attr-defined]
        pixels = np.asarray(image)
        std = float(image.text["std"])  # type: ignore[attr-defined]
    (again,) = draw(loaded.G, [8], std=std)
    assert (again.images[0].permute(1, 2, 0).numpy() == pixels).all()
    assert (cell == pixels).all()


def test_json_names_what_was_written(cli: Cli, snapshot: Path) -> None:
    result = cli("sample", "--snapshot", snapshot, "--n", 3, "--json", "--grid", "x/y.png")
    about = json.loads(result.stdout)
    assert about["grid"] == "x/y.png"
    assert about["seeds"] == "0-2"
    assert about["snapshot_hash"] == load_snapshot(snapshot).hash


def test_the_newest_run_is_drawn_from(cli: Cli, photos: Path, tiny: Make, tmp_path: Path) -> None:
    training_loop.train(tiny(run=tmp_path / "runs" / "000-classic"))
    result = cli("sample", "--n", 4)
    assert "drawing with runs/000-classic/snapshot-000000032.safetensors" in result.stderr
    assert (tmp_path / "sample.png").is_file()
    assert "(32 images seen)" in cli("sample", "--n", 4, "--run", "runs/000-classic").stderr


def test_a_large_grid_stops_at_its_limit(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "GRID_LIMIT", 40)
    loaded = load_snapshot(snapshot)
    written = sampling.sample(loaded, range(70), grid=tmp_path / "g.png", out=tmp_path / "all")
    assert (len(written.images), written.seeds) == (70, "0-69")
    with Image.open(tmp_path / "g.png") as grid:
        assert grid.size == (7 * 18 + 2, 6 * 18 + 2)
        assert grid.text["seeds"] == "0-39"  # type: ignore[attr-defined]


def test_errors_are_one_line(cli: Cli, snapshot: Path, tmp_path: Path) -> None:
    assert "no snapshot in" in error_line(cli("sample", "--run", "latest"))
    assert "nowhere: no such folder" in error_line(cli("sample", "--run", "nowhere"))
    assert "x.safetensors: no such file" in error_line(cli("sample", "--snapshot", "x.safetensors"))
    (tmp_path / "x.safetensors").write_bytes(b"text")
    assert "no safetensors file" in error_line(cli("sample", "--snapshot", "x.safetensors"))
    result = cli("sample", "--snapshot", snapshot, "--quiet", "--grid", snapshot / "sample.png")
    assert "cannot write" in error_line(result)


def damaged(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    from animegan_cli import checkpoints

    tensors, about = checkpoints.read_tensors(path, checkpoints.SNAPSHOT_FORMAT)
    change(tensors)
    checkpoints.write_tensors(path, tensors, checkpoints.SNAPSHOT_FORMAT, about)
    return path


def test_snapshots_are_loaded_strictly(snapshot: Path) -> None:
    with pytest.raises(SnapshotError, match=r"do not fit.*main\.0\.weight"):
        load_snapshot(damaged(snapshot, lambda tensors: tensors.__delitem__("G.main.0.weight")))


def test_the_same_weights_are_the_same_file(snapshot: Path, tmp_path: Path) -> None:
    loaded: Snapshot = load_snapshot(snapshot)
    again = tmp_path / "again.safetensors"
    save_snapshot(again, loaded.G, loaded.D, loaded.shapes, loaded.recipe, loaded.cur_nimg)
    assert again.read_bytes() == snapshot.read_bytes()


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        pictures.save_png(pixels, tmp_path / "file" / "a.png")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_is_one_line_and_leaves_no_half_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "animegan_cli", "sample", "--n", "1000000", "--threads", "1"]
    process = subprocess.Popen(
        [*command, "--out", "drawn", "--grid", "drawn/grid.png"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("drawn/seed-*.png")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in errors
    assert not list(tmp_path.glob("drawn/.*"))
    for path in tmp_path.glob("drawn/seed-*.png"):
        with Image.open(path) as image:
            image.load()
