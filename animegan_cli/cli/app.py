"""The commands; each receives settings, imports the core function and calls it."""

import json
import math
import os
import sys
import warnings
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.panel import Panel

from animegan_cli import __version__
from animegan_cli.cli.console import RichReporter, stderr, stdout
from animegan_cli.cli.drawing import drawing_settings, drawn_by, networks
from animegan_cli.cli.options import images_as_learnt, what_goes_on, with_settings
from animegan_cli.errors import AnimeganError, ElsewhereError, SettingsError
from animegan_cli.settings import TRAIN_SECTIONS, Settings
from animegan_cli.sources import Resolved

app = typer.Typer(
    name="animegan",
    help="Train a GAN on a folder of avatars, draw new ones and rank them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; every known error becomes one line on stderr and an exit status."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # read when torch is imported
    if hasattr(sys.stdout, "reconfigure"):  # names of files need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
        if status == 130:  # what typer makes of Ctrl-C; older ones raise Abort
            raise KeyboardInterrupt
        if sys.stdout is not None:
            sys.stdout.flush()
    except ElsewhereError as error:  # the process where it happened says why
        status = error.exit_status
    except AnimeganError as error:
        status = _fail(str(error), error.exit_status)
    except (typer.Abort, KeyboardInterrupt):
        status = _fail("interrupted", 130)
    except BrokenPipeError:  # whoever read what we print has gone; python must not flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        status = _fail(f"{where}{error.strerror or error}", 2)
    except Exception as error:
        message = getattr(error, "format_message", None)  # click's usage errors
        if message is not None:
            status = _fail(message(), 2) if message() else 2  # of no command: help is there already
        elif isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            status = _fail("out of memory; stop what else uses it, or use --device cpu", 2)
        else:
            raise
    sys.exit(status or 0)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Train a GAN on a folder of avatars, draw new ones and rank them."""
    if version:
        stdout.print(__version__)
        raise typer.Exit


@app.command()
@with_settings(
    "run",
    *(name for name in TRAIN_SECTIONS if name != "run"),
    fill=what_goes_on,
    short={"init": "--from"},
)
def train(
    resolved: Resolved,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show settings, sizes and files; train nothing.")
    ] = False,
) -> None:
    """Train on a folder or zip of images; with the --run of one that was begun, continue it."""
    settings = resolved.settings
    if dry_run:
        from animegan_cli.cli.dry_run import show_plan

        show_plan(resolved, stdout)
        return
    from animegan_cli.parallel import launched
    from animegan_cli.training_loop import train as run_training

    result = run_training(settings, _reporter(settings))
    if launched().first and not settings.quiet:
        stderr.print(
            Panel(
                f"{result.cur_nimg:,} images seen in {result.elapsed_sec / 60:.1f} minutes\n"
                f"snapshot  {escape(str(result.snapshot))}\n"
                f"sample    animegan sample --run {escape(quote(str(result.run)))}\n"
                f"rank      animegan rank --run {escape(quote(str(result.run)))}",
                title="trained",
                expand=False,
            )
        )


@app.command()
@with_settings("sampling", "run", "drawing", "pictures", "result", "machine")
def sample(resolved: Resolved) -> None:
    """Draw images from a trained generator into one picture and, with --out, as files."""
    settings = drawing_settings(resolved)
    if settings.out is None and settings.format != "png":
        raise SettingsError(f"--format {settings.format} needs --out DIR to write to")
    from animegan_cli import sampling

    snapshot, path, device = networks(settings, sampling.CLEAN)
    written = sampling.sample(
        snapshot,
        sampling.choose_seeds(settings.seeds, settings.n),
        grid=settings.grid or Path("sample.png"),
        out=settings.out,
        format=settings.format,
        mean=settings.mean,
        std=settings.std,
        device=device,
        total=sampling.count_seeds(settings.seeds, settings.n),
        reporter=_reporter(settings),
    )
    files = {"grid": written.grid, "images": written.images if settings.json_output else []}
    about = {**drawn_by(settings, snapshot, path), "seeds": written.seeds}
    _show(settings, {**files, **about}, written.grid, images=len(written.spans))


@app.command()
@with_settings("ranking", "run", "drawing", "pictures", "result", "machine")
def rank(resolved: Resolved) -> None:
    """Draw many candidates, score them with the discriminator and keep the best."""
    from animegan_cli import ranking, sampling

    settings = drawing_settings(resolved)
    snapshot, path, device = networks(settings, sampling.CLEAN)
    ranked = ranking.rank(
        snapshot,
        sampling.choose_seeds(settings.seeds, settings.candidates),
        settings.top_k,
        grid=settings.grid or Path("result.png"),
        out=settings.out,
        mean=settings.mean,
        std=settings.std,
        device=device,
        total=sampling.count_seeds(settings.seeds, settings.candidates),
        score_by=settings.score_by,
        reporter=_reporter(settings),
    )
    best = [
        {"seed": entry.seed, "score": entry.score if math.isfinite(entry.score) else None}
        for entry in ranked.best
    ]
    files = {"grid": ranked.grid, "scores": ranked.scores, "images": ranked.images}
    about = {**drawn_by(settings, snapshot, path), "candidates": ranked.candidates}
    _show(
        settings,
        {**files, **about, "scored_by": ranked.scored_by, "best": best},
        ranked.grid,
        ranked.scores,
        images=len(ranked.images),
    )


@app.command()
@with_settings(
    "comparison",
    "scoring",
    "run",
    "drawing",
    "images",
    "result",
    "reading",
    "machine",
    fill=images_as_learnt,
    short={"eval_n": "--n", "eval_seed": "--seed"},
)
def evaluate(resolved: Resolved) -> None:
    """Score a snapshot, or a folder of images, against real images."""
    from animegan_cli.cli.scores import scores_table
    from animegan_cli.device import choose_device, set_threads
    from animegan_cli.scoring import evaluate_against_real

    settings = drawing_settings(resolved)
    about: dict[str, Any]
    if settings.fake is not None:
        if settings.snapshot is not None or settings.run is not None:
            raise SettingsError("--fake and a snapshot of ours: score one at a time")
        if (settings.mean, settings.std) != (0, 1) or settings.truncation not in (None, 1):
            raise SettingsError(
                "--mean, --std and --truncation are of images that a snapshot draws: leave them "
                "out beside --fake"
            )
        about, snapshot, device = {"fake": settings.fake}, None, choose_device(settings.device)
        set_threads(settings.threads)
    else:
        if resolved.origin["size"] == "flag":
            raise SettingsError("--size goes with --fake: a snapshot is scored at its own size")
        snapshot, path, device = networks(settings)
        about = {**drawn_by(settings, snapshot, path), "cur_nimg": snapshot.cur_nimg}
    report = evaluate_against_real(settings, snapshot, device, _reporter(settings))
    if settings.json_output:
        print(json.dumps({**about, "real": settings.real, **report.to_dict()}, default=str))
    else:
        stdout.print(scores_table(report))
        stdout.print(report.sentence(), markup=False)
        for note in report.notes:
            stdout.print(f"note: {note}", markup=False)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or 'latest'.")],
    output: Annotated[
        Path | None, typer.Option(help="Page to write; RUN/report.html if not given.")
    ] = None,
) -> None:
    """Write one self-contained HTML page about a run: curves, health, grids, scores, settings."""
    from animegan_cli.report import write_report
    from animegan_cli.run_dir import RunDir, newest_run

    page = write_report(newest_run() if run == Path("latest") else RunDir(run), output)
    stdout.print(str(page), markup=False)


@app.command(name="import")
def import_weights(
    generator: Annotated[Path, typer.Argument(metavar="netG.pth", help="Weights of G.")],
    discriminator: Annotated[Path, typer.Argument(metavar="netD.pth", help="Weights of D.")],
    output: Annotated[Path, typer.Option(help="Snapshot to write.")] = Path("imported.safetensors"),
) -> None:
    """Turn the classic lineage's old weight files into a snapshot to sample, rank or train from."""
    from animegan_cli.lineage import import_snapshot

    import_snapshot(generator, discriminator, output)
    stdout.print(str(output), markup=False)


@app.command()
def avatars(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.")],
    n: Annotated[int, typer.Option("--n", min=1, help="Avatars to draw.")] = 2000,
    first_seed: Annotated[int, typer.Option(min=0, help="Seed of the first; one each.")] = 0,
    size: Annotated[int, typer.Option(min=16, max=1024, help="Width and height in pixels.")] = 96,
) -> None:
    """Write built-in avatars as PNG files: a data set that the package draws itself."""
    from animegan_cli.avatars import write_avatars

    write_avatars(folder, n, first_seed=first_seed, size=size, reporter=RichReporter(stderr))
    stdout.print(str(folder), markup=False)


def _show(settings: Settings, written: dict[str, Any], *files: Path, images: int) -> None:
    if settings.json_output:
        print(json.dumps(written, default=lambda value: str(value)))
        return
    for file in files:
        stdout.print(str(file), markup=False)
    if settings.out is not None:
        stdout.print(f"{settings.out} ({images:,} images)", markup=False)


def _reporter(settings: Settings) -> RichReporter:
    return RichReporter(stderr, settings.quiet)


def _fail(message: str, status: int) -> int:
    stderr.print(f"error: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    return status
