"""Every format holds the same pictures, whole or not at all, and the same bytes on any machine."""

import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY_FLAGS, Cli, error_line
from PIL import Image
from test_sampling import snapshot as snapshot
from torchvision.utils import make_grid

from animegan_cli import pictures, sampling
from animegan_cli.checkpoints import load_snapshot
from animegan_cli.data import open_images
from animegan_cli.errors import DataError
from animegan_cli.listing import list_images
from animegan_cli.sampling import draw, grid_of, on_all_cores, sample, to_rows, turns
from animegan_cli.seeds import Spans

FORMATS = ["png", "webp", "npz", "zip"]
SEEDS = [*range(40), 7, 1000]


@pytest.fixture
def expected(snapshot: Path) -> Any:
    """The pixels of SEEDS, ``[N, 16, 16, 3]``."""
    G = load_snapshot(snapshot).G
    return np.concatenate([to_rows(batch.images) for batch in draw(G, SEEDS)])


def written(snapshot: Path, out: Path, kind: str, lanes: int = 2) -> dict[str, bytes]:
    """Sample SEEDS on a number of threads; return the bytes of every file."""
    torch.set_num_threads(lanes)
    result = sample(load_snapshot(snapshot), SEEDS, grid=out / "grid.png", out=out, format=kind)
    assert torch.get_num_threads() == lanes
    assert all(path.is_file() for path in result.images)
    assert (len(result.spans), result.seeds) == (42, "0-39,7,1000")
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_bytes_on_any_number_of_threads(snapshot: Path, tmp_path: Path, kind: str) -> None:
    files = [written(snapshot, tmp_path / str(lanes), kind, lanes) for lanes in (1, 2, 5)]
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_a_file_per_seed_is_lossless_and_says_where_it_is_from(
    snapshot: Path, tmp_path: Path, expected: Any, kind: str
) -> None:
    files = written(snapshot, tmp_path / "o", kind)
    assert len(files) == 1 + 41  # the grid; seed 7 twice
    for seed in (0, 7, 39, 1000):
        with Image.open(tmp_path / "o" / f"seed-{seed:08d}.{kind}") as image:
            assert (np.asarray(image) == expected[SEEDS.index(seed)]).all()
            text = dict(getattr(image, "text", {})) or json.loads(image.getexif()[0x010E])
        assert text == {
            "seed": str(seed),
            "snapshot": load_snapshot(snapshot).hash,
            "mean": "0.0",
            "std": "1.0",
            "software": "animegan",
        }


def test_npz_is_read_by_numpy(snapshot: Path, tmp_path: Path, expected: Any) -> None:
    assert sorted(written(snapshot, tmp_path / "o", "npz")) == ["grid.png", "samples.npz"]
    with np.load(tmp_path / "o" / "samples.npz") as arrays:  # no pickle
        assert sorted(arrays) == ["images", "seeds"]
        assert arrays["images"].dtype == np.uint8 and arrays["seeds"].dtype == np.int64
        assert (arrays["images"] == expected).all()
        assert arrays["seeds"].tolist() == SEEDS


def test_a_zip_is_ready_to_be_trained_on(
    cli: Cli, snapshot: Path, tmp_path: Path, expected: Any
) -> None:
    seeds = ["--seeds", "0-39"]
    result = cli("sample", "--snapshot", snapshot, *seeds, "--out", "o", "--format", "zip")
    assert result.stdout.splitlines() == ["sample.png", "o (40 images)"], result.stderr
    archive = tmp_path / "o" / "samples.zip"
    images = open_images(list_images(archive), 16, cache_dir=tmp_path / "c")
    assert (images.pixels == expected[:40]).all()
    with zipfile.ZipFile(archive) as file:
        assert file.namelist() == [f"seed-{seed:08d}.png" for seed in range(40)]
    trained = cli("train", "--data", archive, *TINY_FLAGS, "--total-kimg", 0.008)
    assert trained.returncode == 0, trained.stderr


def test_json_names_the_file(cli: Cli, snapshot: Path) -> None:
    flags = ["--n", 3, "--out", "o", "--format", "npz", "--json"]
    about = json.loads(cli("sample", "--snapshot", snapshot, *flags).stdout)
    assert (about["images"], about["seeds"]) == (["o/samples.npz"], "0-2")


def test_refusals_are_one_line(cli: Cli, snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    draw_it = ["sample", "--snapshot", snapshot, "--n", 2, "--quiet"]
    assert (
        error_line(cli(*draw_it, "--format", "npz")) == "--format npz needs --out DIR to write to"
    )
    assert "--format tiff" in error_line(cli(*draw_it, "--format", "tiff", "--out", "o"))
    for kind in FORMATS:
        line = error_line(cli(*draw_it, "--format", kind, "--out", "file"))
        assert line.startswith("cannot write file: ")
    assert "cannot write file/a.png" in error_line(cli(*draw_it, "--grid", "file/a.png"))
    assert not (tmp_path / "sample.png").exists()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_stop_leaves_no_half_file(
    snapshot: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping(sampling.NullReporter):
        def task(self, *about: Any, **more: Any) -> Any:
            raise KeyboardInterrupt

    out = tmp_path / "o"
    for reporter in (Stopping(), None):
        if reporter is None:
            monkeypatch.setattr(pictures.Image.Image, "save", interrupted)
            monkeypatch.setattr(pictures.np, "ascontiguousarray", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sample(
                load_snapshot(snapshot),
                range(500),
                grid=tmp_path / "g.png",
                out=out,
                format=kind,
                reporter=reporter,
            )
        assert not list(out.glob("samples*")) and not list(out.glob(".*"))


def interrupted(*about: object, **more: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_while_sampling(snapshot: Path, tmp_path: Path) -> None:
    flags = ["--snapshot", str(snapshot), "--n", "1000000", "--out", "o"]
    process = subprocess.Popen(
        [sys.executable, "-m", "animegan_cli", "sample", *flags],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "o").glob("seed-*3?.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors
    assert not list((tmp_path / "o").glob(".*"))
    for path in sorted((tmp_path / "o").iterdir()):
        with Image.open(path) as image:
            image.load()


def test_memory_does_not_grow_with_the_images(snapshot: Path) -> None:
    """Passes that were begun and not yet taken are few, however many are asked for."""
    begun: list[int] = []

    def work(seeds: list[int]) -> int:
        begun.append(seeds[0])
        return len(seeds)

    endless = iter(lambda: 1, 0)
    torch.set_num_threads(3)
    with on_all_cores(work, endless) as results:
        for taken, _ in zip(range(50), results, strict=False):
            assert len(begun) <= taken + 6
    assert len(begun) <= 56


def test_a_wrong_count_is_refused(tmp_path: Path) -> None:
    pixels = np.zeros((3, 4, 4, 3), np.uint8)
    with (
        pytest.raises(DataError, match="5 pictures were announced for the npz file, 3 came"),
        pictures.open_output(tmp_path, "npz", {}, 5) as output,
    ):
        output.add(output.prepare([1, 2, 3], pixels))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n", [1, 2, 5, 16, 17])
def test_grids_are_those_of_torchvision(n: int) -> None:
    images = torch.randint(0, 256, (n, 3, 6, 8), dtype=torch.uint8)
    theirs = make_grid(images, nrow=int(np.ceil(n**0.5)), padding=2, pad_value=255)
    assert (grid_of(images) == theirs.permute(1, 2, 0).numpy()).all()


def test_an_accelerator_is_used_by_one_pass_at_a_time() -> None:
    with turns("cpu") as free, turns("cpu"):
        assert free is None
    turn = turns("cuda")
    with turn:
        assert not turn.acquire(blocking=False)


def test_spans() -> None:
    spans = Spans(range(10**5))
    spans.extend([5, 6, 2**62])
    assert spans.ranges == [range(10**5), range(5, 7), range(2**62, 2**62 + 1)]
    assert (len(spans), str(spans)) == (10**5 + 3, f"0-99999,5-6,{2**62}")
    assert list(spans)[-3:] == [5, 6, 2**62]
