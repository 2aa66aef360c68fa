"""Manners of the command line: streams, exit statuses, and the terminal."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest
from conftest import TINY_FLAGS, Cli, error_line
from rich.console import Console

from animegan_cli import __version__
from animegan_cli.cli import app
from animegan_cli.cli.console import LastingConsole, RichReporter, stderr
from animegan_cli.sampling import count_seeds
from animegan_cli.settings import Settings
from animegan_cli.training_loop import train

Make = Callable[..., Settings]


def test_version_and_help(process: Cli) -> None:
    assert process("--version").stdout.strip() == __version__
    bare = process()
    assert "train" in bare.stdout and "rank" in bare.stdout
    for command in ("train", "sample", "rank", "import", "avatars"):
        result = process(command, "--help")
        assert result.returncode == 0 and "Usage: animegan" in result.stdout.replace(
            "python -m animegan_cli", "animegan"
        )


def test_avatars_writes_files(process: Cli, tmp_path: Path) -> None:
    result = process("avatars", "--n", 3, "--first-seed", 5, "--size", 32, "out")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "out"
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"avatar-{seed:06d}.png" for seed in (5, 6, 7)]
    (tmp_path / "file").write_text("")
    assert "file" in error_line(process("avatars", "--n", 1, "file"))


def test_on_a_terminal_there_is_a_bar_with_losses(photos: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    flags = ["--data", photos, *TINY_FLAGS, "--total-kimg", "0.04", "--tick-kimg", "0.004"]
    process = subprocess.Popen(
        [sys.executable, "-m", "animegan_cli", "train", *map(str, flags)],
        cwd=tmp_path,
        stderr=theirs,
        env={"TERM": "xterm", "COLUMNS": "160", "PATH": "", "XDG_CACHE_HOME": str(tmp_path)},
    )
    assert process.wait(60) == 0
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    text = shown.decode()
    for words in ("Training", "40/40", "loss_D ", "loss_G ", "images/s", "animegan sample --run"):
        assert words in text


def test_the_reporter_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = RichReporter(Console(file=sys.stdout, width=200))
    with reporter.task("Decoding", 20) as advance:
        for _ in range(20):
            advance(1)
    reporter.warn("[odd] text")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Decoding: 2 of 20" and lines[9] == "Decoding: 20 of 20"
    assert lines[10] == "warning: [odd] text" and len(lines) == 11


def test_a_reader_that_leaves_early_sees_no_traceback() -> None:
    command = f"{sys.executable} -m animegan_cli train --help | true"
    result = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert result.stderr == ""


def test_an_interrupt_before_training_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from animegan_cli.cli import app

    for error, status, line in (
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (PermissionError(13, "Permission denied", "a.png"), 2, "error: a.png: Permission denied"),
    ):

        def fail(error: BaseException = error, **_: object) -> None:
            raise error

        monkeypatch.setattr(app, "app", fail)
        with pytest.raises(SystemExit) as caught:
            app.main()
        assert caught.value.code == status
        assert capsys.readouterr().err.strip() == line
    monkeypatch.setattr(app, "app", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # a bug stays visible as one
        app.main()


@pytest.fixture
def unread() -> Iterator[TextIO]:
    """A pipe that nobody reads any more."""
    ours, theirs = os.pipe()
    os.close(ours)
    pipe = os.fdopen(theirs, "w")
    yield pipe
    with suppress(BrokenPipeError):
        pipe.close()


def test_training_goes_on_when_its_listener_leaves(tiny: Make, unread: TextIO) -> None:
    """As by ``2>&1 | head -1``."""
    console = LastingConsole(file=unread)
    assert train(tiny(), RichReporter(console)).cur_nimg == 32
    assert console.quiet
    assert stderr.on_broken_pipe.__func__ is LastingConsole.on_broken_pipe  # type: ignore[attr-defined]


def test_a_result_that_nobody_reads_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], unread: TextIO
) -> None:
    monkeypatch.setattr(app, "app", lambda **_: print("{}"))
    monkeypatch.setattr(sys, "stdout", unread)
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code == 1 and capsys.readouterr().err == ""


def test_no_command_is_help_alone(process: Cli) -> None:
    assert "error" not in process().stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--data", ""], ["--data", "name a path"]),
        (["train", "--data", "~nobody-of-that-name/faces"], ["--data", "home directory"]),
        (["train", "--run", "~nobody-of-that-name/run"], ["--run", "home directory"]),
        (["train", "--device", "cuda:"], ["--device cuda:", "cuda:N"]),
        (["train", "--device", "auto:1"], ["--device auto:1", "cuda:N"]),
        (["train", "--config", "odd.toml"], ["odd.toml: run"]),
        (["train", "--config", "odder.toml"], ["odder.toml: recipe"]),
        (["sample", "--grid", "faces.jpg"], ["--grid faces.jpg", "end in .png"]),
        (["sample", "--run", "run", "--snapshot", "pretrained"], ["--run and --snapshot"]),
        (["evaluate", "--real", ".", "--size", "64"], ["--size goes with --fake"]),
        (["train", "--dry-run", "--evaluate-every", "20"], ["--holdout"]),
        (["train", "--dry-run", "--background", "nocolor"], ["nocolor"]),
        (["train", "--dry-run", "--cuda-graph", "--device", "cpu"], ["--cuda-graph needs CUDA"]),
        (["report", "."], ["no run: settings.json is missing"]),
        (["report", "latest"], ["no run in"]),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    cli: Cli, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "odd.toml").write_text("[run]\nrun = 3\n")
    (tmp_path / "odder.toml").write_text('[training]\nrecipe = ["modern"]\n')
    line = error_line(cli(*arguments))
    for word in words:
        assert word in line


def test_the_plan_shows_paths_as_they_are(cli: Cli, photos: Path, tmp_path: Path) -> None:
    odd = tmp_path / ("a very long name of a folder, " * 3) / "[new] :dog: [/b]"
    odd.parent.mkdir(parents=True)
    photos.rename(odd)
    result = cli("train", "--dry-run", "--data", odd, *TINY_FLAGS)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("[new] :dog: [/b]") == 2
    assert "\u2026" not in result.stdout


def test_seeds_are_counted_up_to_the_last(cli: Cli) -> None:
    assert count_seeds("0-9223372036854775807", 1) == 2**63
