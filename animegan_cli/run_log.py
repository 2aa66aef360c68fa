"""What a run writes down as it goes: statistics, TensorBoard events and image grids."""

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from animegan_cli.atomic import written_whole
from animegan_cli.metrics import Report
from animegan_cli.pictures import save_png
from animegan_cli.run_dir import RunDir
from animegan_cli.sampling import grid_of


class RunLog:
    """Writes ``stats.jsonl``, TensorBoard events and grids of one run.

    Continued at ``cur_nimg``, it first forgets what an interrupted process wrote beyond that.
    """

    def __init__(self, run: RunDir, cur_nimg: int = 0) -> None:
        self.run = run
        run.samples.mkdir(parents=True, exist_ok=True)
        _forget_beyond(run, cur_nimg)
        self._stats = run.stats.open("a", encoding="utf-8")
        self._events = SummaryWriter(str(run.tensorboard), purge_step=cur_nimg)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stats.close()
        self._events.close()

    def tick(self, stats: Mapping[str, float | str]) -> None:
        """Write one line of statistics; ``stats`` holds ``cur_nimg``."""
        self._stats.write(json.dumps(stats) + "\n")
        self._stats.flush()
        step = int(stats["cur_nimg"])
        for name, value in stats.items():
            if isinstance(value, str):
                self._events.add_text(name, value, step)
            elif name != "cur_nimg":
                self._events.add_scalar(name, value, step)
        self._events.flush()

    def evaluation(self, cur_nimg: int, report: Report, best: bool) -> None:
        """Write one line with the scores of G; ``best`` marks the one that is kept."""
        line = {"cur_nimg": cur_nimg, "evaluation": report.to_dict(), "best": best}
        self._stats.write(json.dumps(line) + "\n")
        self._stats.flush()
        for name, value in vars(report.yours).items():
            if value is not None:
                self._events.add_scalar(f"score/{name}", value, cur_nimg)
        self._events.flush()

    def grid(self, images: Tensor, cur_nimg: int) -> None:
        """Write uint8 images ``[N, 3, S, S]`` drawn from the fixed noise as a grid."""
        pixels = grid_of(images)
        save_png(pixels, self.run.grid(cur_nimg))
        self._events.add_image("fakes", pixels, cur_nimg, dataformats="HWC")


class NullLog:
    """A log that writes nothing, for all processes but the first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def tick(self, stats: Mapping[str, float | str]) -> None:
        """Write nothing."""

    def evaluation(self, cur_nimg: int, report: Report, best: bool) -> None:
        """Write nothing."""

    def grid(self, images: Tensor, cur_nimg: int) -> None:
        """Write nothing."""


def _forget_beyond(run: RunDir, cur_nimg: int) -> None:
    for images, grid in run.grids().items():
        if images > cur_nimg:
            grid.unlink()
    if not run.stats.is_file():
        return
    kept = []
    for line in run.stats.read_text("utf-8").splitlines():
        try:
            if json.loads(line)["cur_nimg"] <= cur_nimg:
                kept.append(line + "\n")
        except (ValueError, KeyError):  # half a line, from a process that was killed
            continue
    with written_whole(run.stats) as temporary:
        temporary.write_text("".join(kept), "utf-8")
