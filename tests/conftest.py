"""Shared fixtures: small folders of images, small settings, and the command line as a process."""

import copy
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from animegan_cli import data
from animegan_cli.cli.app import main
from animegan_cli.codes import coding_of, share_codes
from animegan_cli.settings import Settings
from animegan_cli.training_state import TrainingState

REPOSITORY = Path(__file__).parents[1]
FACES = REPOSITORY.parent / "shared" / "data" / "faces"
Cli = Callable[..., subprocess.CompletedProcess[str]]

TINY = {
    "recipe": "classic",
    "size": 16,
    "width": 4,
    "z_dim": 8,
    "batch_size": 4,
    "threads": 1,
    "device": "cpu",
}
TINY_FLAGS = [word for key, value in TINY.items() for word in (f"--{key.replace('_', '-')}", value)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reasons = {
        "cuda": None if torch.cuda.is_available() else "no CUDA device",
        "faces": None if FACES.is_dir() else "the shared real faces are not beside this clone",
    }
    for item in items:
        for marker, reason in reasons.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def quiet_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own cache and one thread, and take the user's variables away."""
    for name in list(os.environ):
        if name.startswith("ANIMEGAN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "100")
    torch.set_num_threads(1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of ten different images."""
    return write_photos(tmp_path / "photos", 10)


def write_photos(folder: Path, count: int) -> Path:
    """Write small images of smooth random colours."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(7)
    for i in range(count):
        pixels = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((20, 18), Image.Resampling.BICUBIC).save(
            folder / f"{i:03d}.png"
        )
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let no file of a name be opened, as by a mode of which its size and time say nothing."""
    read = data.read_image

    def refusing(source: Path, *rest: object) -> object:
        if Path(source).name == name:
            raise PermissionError(13, "Permission denied")
        return read(source, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "read_image", refusing)
        yield


def with_codes(state: TrainingState) -> TrainingState:
    """Fit the codes of a state's G, if it is coded, to twenty images of noise."""
    coding = coding_of(state)
    if coding is not None:
        images = torch.rand(20, 3, 16, 16, generator=torch.Generator().manual_seed(11)) * 2 - 1
        lite0 = copy.deepcopy(state.D.lite0).cpu()  # noise has no first component: rounding decides
        with torch.no_grad():
            looks = coding.look(images, lite0)  # type: ignore[arg-type]
        coding.fit(looks, seed=0)
        share_codes(state)
    return state


@pytest.fixture
def tiny(photos: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a run that takes a second; keyword arguments change them."""

    def make(**changes: object) -> Settings:
        values = {**TINY, "data": photos, "run": tmp_path / "run", "total_kimg": 0.032}
        return Settings(**{**values, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run ``animegan`` in this process, in ``tmp_path``: without seconds for another torch."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        words = ["animegan", *map(str, arguments)]
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", words)
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
            main()
        return subprocess.CompletedProcess(words, end.value.code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def process(tmp_path: Path) -> Cli:
    """Run ``animegan`` in a process of its own, in ``tmp_path``."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "animegan_cli", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def error_line(result: subprocess.CompletedProcess[str], status: int = 2) -> str:
    """Return the one line of a refusal, after checking that it is one, and no traceback."""
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0].removeprefix("error: ")
