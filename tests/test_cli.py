"""Manners of the command line: streams, exit statuses, and the terminal."""

import pty
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY_FLAGS, Cli, error_line
from rich.console import Console

from animegan_cli import __version__
from animegan_cli.cli.console import RichReporter


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
    import os

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
