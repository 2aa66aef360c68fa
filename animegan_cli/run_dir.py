"""Names and paths inside a run folder; knows files, not tensors."""

import filecmp
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from animegan_cli.atomic import written_whole
from animegan_cli.errors import SettingsError, SnapshotError
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.recipes import RECIPES
from animegan_cli.settings import Settings, fixed_fields, train_fields

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

RUNS = Path("runs")
BEST = "best.safetensors"
_LOCK = ".lock"
_WRITTEN = ("settings.json", "stats.jsonl", "state-*.safetensors")  # by training alone


class RunDir:
    """One run folder: where each of its files lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.json"
        self.stats = path / "stats.jsonl"
        self.samples = path / "samples"
        self.reals = path / "reals.png"
        self.skipped = path / "skipped.txt"
        self.tensorboard = path / "tensorboard"
        self.best = path / BEST

    def grid(self, cur_nimg: int) -> Path:
        """Return the path of the fixed-noise grid at a number of images seen."""
        return self.samples / f"fakes-{cur_nimg:09d}.png"

    def grids(self) -> dict[int, Path]:
        """Return all such grids by images seen, fewest first; no copies by other names."""
        found = {path.stem[6:]: path for path in sorted(self.samples.glob("fakes-*.png"))}
        return {int(images): path for images, path in found.items() if images.isdecimal()}

    def snapshot(self, cur_nimg: int) -> Path:
        """Return the path of the snapshot at a number of images seen."""
        return self.path / f"snapshot-{cur_nimg:09d}.safetensors"

    def state(self, cur_nimg: int) -> Path:
        """Return the path of the state at a number of images seen."""
        return self.path / f"state-{cur_nimg:09d}.safetensors"

    def snapshots(self) -> list[Path]:
        """Return all snapshots, oldest first."""
        return sorted(self.path.glob("snapshot-*.safetensors"))

    def to_draw_with(self) -> Path | None:
        """Return the best snapshot, the newest where none was scored, None where there is none."""
        return self.best if self.best.is_file() else next(reversed(self.snapshots()), None)

    def states(self) -> list[Path]:
        """Return all states, oldest first."""
        return sorted(self.path.glob("state-*.safetensors"))

    def read_settings(self) -> dict[str, Any]:
        """Return the settings that the run was started with, flat; empty before the first start.

        A run older than a field goes on without what that field brought: with its plain default,
        whatever its recipe sets by now.

        Raises:
            SnapshotError: if the file is damaged.
        """
        if not self.settings.is_file():
            return {}
        try:
            tables = json.loads(self.settings.read_text("utf-8"))
            flat = {key: value for table in tables.values() for key, value in table.items()}
        except (ValueError, AttributeError) as error:
            raise SnapshotError(f"{self.settings} is damaged: {error}") from None
        unknown_then = {key: Settings.model_fields[key].default for key in fixed_fields()}
        return unknown_then | {k: v for k, v in flat.items() if k in Settings.model_fields}

    def read_skipped(self) -> set[str]:
        """Return the names of the files that could not be read."""
        if not self.skipped.is_file():
            return set()
        lines = self.skipped.read_text("utf-8").splitlines()
        return {line.rpartition("\t")[0] for line in lines}

    def write_settings(self, settings: Settings) -> None:
        """Write the settings of ``train``, by section."""
        with written_whole(self.settings) as temporary:
            temporary.write_text(json.dumps(train_fields(settings), indent=2) + "\n", "utf-8")

    def check_same(self, settings: Settings) -> None:
        """Refuse to continue the run with settings that would make it another run.

        The place of the images may change, not their content: that is checked by their digest. So
        may that of the snapshot from which the run began, whose weights it has.

        Raises:
            SettingsError: with every field that differs, then and now.
        """
        if not self.states():
            return
        then = self.read_settings()
        now = {
            key: value for table in train_fields(settings).values() for key, value in table.items()
        }
        differing = [
            f"{field} (run: {then[field]}, now: {now[field]})"
            for field in fixed_fields()
            if field != "data" and then[field] != now[field]
            if field != "init" or _another(then[field], now[field])
        ]
        if differing:
            raise SettingsError(
                f"{self.path} was started with other settings: {', '.join(differing)}; "
                "leave them out to continue it, or choose another --run"
            )


def newest_run(runs: Path = RUNS) -> RunDir:
    """Return the run under ``runs`` that was written to last.

    Raises:
        SnapshotError: if there is none.
    """
    found = [path.parent for path in runs.glob("*/settings.json")]
    if not found:
        raise SnapshotError(f"no run in {runs.absolute()}; train one, or name its folder")
    return RunDir(max(found, key=_last_trained))


def number_of(run: Path) -> int | None:
    """Return the number in a name such as ``007-modern``, if there is one."""
    text, dash, rest = run.name.partition("-")
    ours = dash and text.isdecimal() and (len(text) == 3 or rest in RECIPES)  # no date
    return int(text) if ours else None


def next_free_run(recipe: str, runs: Path = RUNS) -> RunDir:
    """Return the first unused ``runs/NNN-recipe``."""
    numbers = [number for path in runs.glob("*") if (number := number_of(path)) is not None]
    return RunDir(runs / f"{max(numbers, default=-1) + 1:03d}-{recipe}")


def open_run(path: Path | None, recipe: str = "modern") -> RunDir:
    """Return the run that ``--run`` names: a path, ``latest``, or the next free one if None.

    Raises:
        SnapshotError: if the path is in use for something else.
    """
    if path is None:
        return next_free_run(recipe)
    if path == Path("latest"):
        return newest_run()
    if path.exists() and not path.is_dir():
        raise SnapshotError(f"--run {path}: is a file; name a folder")
    used = path.is_dir() and any(file.name != _LOCK for file in path.iterdir())
    if used and not (path / "settings.json").is_file():
        raise SnapshotError(f"--run {path}: is no run and not empty; name another folder")
    return RunDir(path)


@contextmanager
def claimed(run: RunDir, new: bool = False) -> Iterator[RunDir]:
    """Make the folder of a run, and let no other process train in it meanwhile.

    A folder that is made here, and in which nothing is written, is removed again.

    Args:
        run: which.
        new: take the next free one, where another process was sooner to make that folder.

    Raises:
        SnapshotError: if its folder cannot be made, or if another process trains in it.
    """
    made = [folder for folder in (run.path, *run.path.parents) if not folder.exists()]
    while True:
        try:
            run.path.mkdir(parents=True, exist_ok=not new)
            break
        except FileExistsError as error:
            if not new or not run.path.is_dir():
                raise SnapshotError(f"--run {run.path}: {error.strerror}") from None
            run = next_free_run(run.path.name.partition("-")[2], run.path.parent)
            made[:1] = [run.path]
        except OSError as error:
            raise SnapshotError(f"--run {run.path}: {error.strerror}") from None
    try:
        with _held(run.path / _LOCK):
            yield run
    finally:
        with suppress(OSError):  # not empty
            for folder in made:
                folder.rmdir()


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    """Hold a lock on a file, where the system and the file system have such locks."""
    if fcntl is None:
        yield
        return
    try:
        file = lock.open("a")
    except OSError as error:
        raise SnapshotError(f"--run {lock.parent}: {error.strerror}") from None
    with file:
        with suppress(OSError):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file.fileno()).st_ino != lock.stat().st_ino:  # it ended just then
                    raise BlockingIOError
            except (BlockingIOError, FileNotFoundError):
                raise SnapshotError(
                    f"--run {lock.parent}: another process trains in it; stop that one first, or "
                    "choose another --run"
                ) from None
        try:
            yield
        finally:
            with suppress(OSError):
                lock.unlink()


def find_snapshot(run: Path | None, runs: Path = RUNS) -> Path:
    """Return the best snapshot of a run, else its newest; of the newest run if None.

    Where there is no run at all, that is what the package brings.

    Raises:
        SnapshotError: if there is none.
    """
    if run is not None and run != Path("latest"):
        if not run.is_dir():
            raise SnapshotError(f"--run {run}: no such folder")
        found = RunDir(run).to_draw_with()
        if found is None:
            raise SnapshotError(f"--run {run}: no snapshot in it yet; --snapshot names a file")
        return found
    kept = [*runs.glob("*/snapshot-*.safetensors"), *runs.glob(f"*/{BEST}")]
    newest = max(kept, key=_modified, default=None)
    found = RunDir(newest.parent).to_draw_with() if newest is not None else None
    if found is None and run is not None:
        raise SnapshotError(
            f"no snapshot in {runs.absolute()}; train a run, or name one with --run or --snapshot"
        )
    return found or PRETRAINED


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def _last_trained(run: Path) -> float:
    """Return when training last wrote into a run: not when a report or picture was put there."""
    times = [0.0]
    for pattern in _WRITTEN:
        for path in run.glob(pattern):
            with suppress(OSError):  # an old state, deleted meanwhile
                times.append(_modified(path))
    return max(times)


def _another(then: str | None, now: str | None) -> bool:
    """Return whether two paths are of other snapshots, and not of one that was moved or copied."""
    if then is None or now is None:
        return then != now
    try:
        return not filecmp.cmp(then, now, shallow=False)
    except OSError:  # one of them is no longer there
        return Path(then).exists()
