"""The Rich reporter: a live bar on a terminal, plain lines elsewhere, nothing with --quiet."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from animegan_cli.reporting import Advance

_REFRESH_PER_SECOND = 4


class LastingConsole(Console):
    """A console of which nobody need listen to the end: a pipe that closes stops no training."""

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.quiet = True


stderr = LastingConsole(stderr=True, emoji=False)
stdout = Console(highlight=False, soft_wrap=True, emoji=False)


class RichReporter:
    """Shows progress and statistics on stderr."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self.console = console
        self.quiet = quiet
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._health = ""

    def note(self, text: str) -> None:
        """Print one line."""
        if not self.quiet:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print one line, marked as a warning."""
        if not self.quiet:
            line = Text.assemble(("warning: ", "yellow"), text)
            self.console.print(line, highlight=False, soft_wrap=True)

    @contextmanager
    def task(
        self, description: str, total: int, unit: str = "image", done: int = 0
    ) -> Iterator[Advance]:
        """Show a bar with count, rate, time left and, while training, both losses."""
        if self.quiet or not self.console.is_terminal:
            yield self._count_lines(description, total, unit, done)
            return
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            _RateColumn(unit),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[losses]}"),
            console=self.console,
            refresh_per_second=_REFRESH_PER_SECOND,
            speed_estimate_period=60,
        ) as progress:
            self._progress = progress
            self._task = progress.add_task(description, total=total, completed=done, losses="")
            try:
                yield lambda count: progress.advance(self._task, count)
            finally:
                self._progress = None

    def tick(self, stats: Mapping[str, Any]) -> None:
        """Show the losses beside the bar, or print one line where there is no bar.

        The state of health is said at the start and when it changes.
        """
        health = stats.get("health", self._health)
        if health != self._health:
            self._health = health
            (self.note if health == "healthy" else self.warn)(f"health: {health}")
        if self._progress is not None:
            shown = [f"{name} {stats[name]:.3f}" for name in ("loss_D", "loss_G") if name in stats]
            self._progress.update(self._task, losses="  ".join(shown))
        elif not self.quiet:
            cells = [f"{int(stats['cur_nimg']):>10,} images"]
            names = ("epoch", "loss_D", "loss_G", "D_real", "D_fake", "images_per_sec")
            cells += [f"{name} {stats[name]:.3f}" for name in names if name in stats]
            self.note("  ".join(cells))

    def _count_lines(self, description: str, total: int, unit: str, done: int) -> Advance:
        """Without a terminal: a line at each tenth of a task, none while training (ticks speak)."""
        count, spoken = done, done * 10 // max(total, 1)

        def advance(more: int) -> None:
            nonlocal count, spoken
            count += more
            tenth = count * 10 // max(total, 1)
            if tenth > spoken and description != "Training":
                spoken = tenth
                self.note(f"{description}: {count:,} of {total:,}")

        return advance


class _RateColumn(ProgressColumn):
    """Things a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """Render the speed, or nothing while it is unknown or meaningless."""
        speed = task.finished_speed or task.speed
        if speed is None or self.unit == "s":
            return Text("")
        return Text(f"{speed:,.1f} {self.unit}s/s", style="progress.data.speed")
